// Checks the Kotlin session against tests/vectors; test_kotlin_session.py runs it.

package grw.streaming

import java.io.File
import kotlin.math.abs
import kotlin.system.exitProcess

/** Answers as counter.tflite, chunks.tflite, labels.tflite do; see tests/vectors/README.md. */
private class CounterRunner(private val exported: ExportedFile) : Runner {
    private val means = DoubleArray(exported.imageShape[0])
    private var count = 0
    private var level = 0

    override fun reset() {
        count = exported.states.getValue("count").initialValue.toInt()
        level = exported.states.getValue("level").initialValue.toInt()
    }

    override fun setState(name: String, value: Double) = error("No state ends in frame_count.")

    override fun takeFrame(square: ByteArray, index: Int) {
        means[index] = square.map { (it.toInt() and 0xFF) / 255.0 }.average()
    }

    override fun step(): FloatArray? {
        count += 1
        level = (level - 3).toByte().toInt()
        return floatArrayOf(count.toFloat(), means.average().toFloat(), level.toFloat())
    }

    override fun classify(): FloatArray = error("Each step gives logits.")

    override fun close() {}
}

/** Answers as colors.tflite does. */
private class ColorsRunner : Runner {
    private var count = 0
    private val seen = FloatArray(3)
    private val mean = FloatArray(3)

    override fun reset() {
        count = 0
        mean.fill(0f)
    }

    override fun setState(name: String, value: Double) {
        check(name == "state_frame_count")
        count = value.toInt()
    }

    override fun takeFrame(square: ByteArray, index: Int) {
        for (channel in 0 until 3) {
            val bytes = square.filterIndexed { i, _ -> i % 3 == channel }
            seen[channel] = (bytes.map { it.toInt() and 0xFF }.average() / 255).toFloat()
        }
    }

    override fun step(): FloatArray? {
        count += 1
        for (i in mean.indices) mean[i] += (seen[i] - mean[i]) / count
        return FloatArray(3) { 8 * mean[it] }
    }

    override fun classify(): FloatArray = error("Each step gives logits.")

    override fun close() {}
}

private fun runnerOf(exported: ExportedFile): Runner =
    if ("level" in exported.states) CounterRunner(exported) else ColorsRunner()

private fun cases(folder: File, name: String) =
    (parseJson(File(folder, "$name.json").readText()) as List<*>).map { it as Map<*, *> }

private fun Map<*, *>.int(key: String) = (get(key) as Long).toInt()

private fun Map<*, *>.list(key: String) = get(key) as List<*>

private fun Any?.real() = (this as Number).toDouble()

private fun frame(index: Int, height: Int, width: Int): ByteArray {
    val pixels = ByteArray(height * width * 3)
    for (i in pixels.indices) {
        val (row, column, channel) = Triple(i / 3 / width, i / 3 % width, i % 3)
        val value = 31 * index + 7 * row * row + 5 * column + 3 * row * column + 89 * channel
        pixels[i] = (value % 256).toByte()
    }
    return pixels
}

private fun checkClock(case: Map<*, *>) {
    val clock = FrameClock(case["fps"].real(), case["max_gap"].real()) {}
    val ticks = case.list("times").map { clock.arrive(it.real()).toLong() }
    check(ticks == case.list("ticks")) { "A number of ticks" }
    check(clock.end(case["end"]?.real()) == case.int("end_ticks")) { "The ticks at the end" }
}

private fun checkTimeUnit(case: Map<*, *>) {
    val unit = TimeUnit(case["max_gap"].real())
    for ((time, answer) in case.list("times") zip case.list("answers")) {
        val told = runCatching { unit.check(time.real()) }
        if (answer is Boolean) {
            check(told.getOrThrow() == answer) { "A time's unit" }
        } else {
            val words = "look like $answer: divide"
            check(words in told.exceptionOrNull()?.message.orEmpty()) { "A time's unit" }
        }
    }
}

private fun checkPreparation(case: Map<*, *>) {
    val (height, width) = case.int("height") to case.int("width")
    val shortSide = case["frame_fit"] == "short_side"
    val preparation = FramePreparation(shortSide, case.int("resize"), case.int("size"))
    val pixels = preparation.prepare(frame(3, height, width), width, height)
    check(pixels.size == case.list("pixels").size) { "A prepared frame's size" }
    for ((found, expected) in pixels.toList() zip case.list("pixels")) {
        check(abs((found.toInt() and 0xFF) - expected.real()) <= 1)
    }
}

/** Compares events with lists of start, end, class and score. */
private fun checkSame(found: List<Event>, expected: Any?, tolerance: Double) {
    check(found.size == (expected as List<*>).size) { "An event" }
    for ((event, told) in found zip expected) {
        val (start, end, label, score) = told as List<*>
        check(
            abs(event.start - start.real()) <= 1e-6 && abs(event.end - end.real()) <= 1e-6 &&
                event.label == label && abs(event.score - score.real()) <= tolerance,
        ) { "An event" }
    }
}

private fun checkEvents(case: Map<*, *>) {
    fun Any?.reals() = (this as List<*>).map { it?.real() ?: Double.NaN }
    val labels = case.list("labels").map { it as String }
    val (on, off) = case["on_thresholds"].reals() to case["off_thresholds"].reals()
    val (least, gap) = case["least_seconds"].real() to case["merge_gap"].real()
    val detector =
        if (case["several_labels"] == true) EventDetector(labels, on, off, true, least, gap)
        else EventDetector(labels, EventRules(on[0], off[0], least, gap))
    // Twice, for the end must forget all.
    repeat(2) {
        for ((index, span) in case.list("spans").withIndex()) {
            val (start, end) = span.reals()
            val found = detector.push(start, end, case.list("scores")[index].reals())
            checkSame(found, case.list("events")[index], 0.0)
        }
        checkSame(detector.finish(), case.list("events").last(), 0.0)
    }
}

private fun checkStream(case: Map<*, *>, folder: File) {
    val exported = ExportedFile(File(folder, case["model"] as String))
    val events = case["events"] as List<*>?
    val session = StreamSession(exported, runnerOf(exported), findEvents = events != null)
    val (height, width) = case.int("height") to case.int("width")
    val tolerance = case["tolerance"].real()
    repeat(2) {
        for ((index, expected) in case.list("logits").withIndex()) {
            val time = (case["times"] as List<*>?)?.getOrNull(index)?.real()
            if (index == case.int("frames")) {
                session.flush()
            } else {
                session.push(frame(index, height, width), width, height, time)
            }
            check(session.steps == (case.list("steps")[index] as Long).toInt())
            if (session.steps == 0) continue
            for ((one, other) in session.logits().toList() zip expected as List<*>) {
                check(abs(one - other.real()) <= tolerance)
            }
            val answer = (case["answers"] as List<*>?)?.get(index) as List<*>?
            if (answer != null) {
                val (label, score) = session.answer()
                check(label == answer[0] && abs(score - answer[1].real()) <= 1e-5) { "An answer" }
            }
            if (events != null) checkSame(session.events(), events[index], 1e-5)
            val scores = case["scores"] as List<*>? ?: continue
            for ((one, other) in session.classify().toList() zip scores[index] as List<*>) {
                check(abs(one - other.real()) <= 1e-5)
            }
            check(session.named().map { it.first }.sorted() == case.list("named")[index])
        }
        session.reset()
    }
}

/** Prints the error of each use of a session, or what it gives. */
private fun tellUses(folder: File) {
    fun session(
        name: String,
        findEvents: Boolean = false,
        rules: EventRules? = null,
        memoryFrames: Int? = null,
    ): StreamSession {
        val exported = ExportedFile(File(folder, name))
        val runner = runnerOf(exported)
        return StreamSession(
            exported, runner, findEvents = findEvents, rules = rules, memoryFrames = memoryFrames,
        )
    }

    /** How red the last of 12 red frames and 8 green ones looks, and the answer. */
    fun red(session: StreamSession): String {
        repeat(20) { frame ->
            val color = if (frame < 12) 0 else 1
            session.pushPrepared(ByteArray(192) { if (it % 3 == color) -1 else 0 })
        }
        return "${session.logits()[0]} ${session.answer().first}"
    }
    val uses = listOf(
        { red(session("colors.tflite")) },
        { red(session("colors.tflite", memoryFrames = 0)) },
        { red(session("colors.tflite", rules = EventRules(0.99, 0.8))) },
        { session("colors.tflite", memoryFrames = -1) },
        { EventRules(0.7, 0.8) },
        { session("labels.tflite", rules = EventRules(0.7, 0.6)) },
        { session("counter.tflite", findEvents = true) },
        { session("colors.tflite").events() },
        { session("labels.tflite").answer() },
    )
    for (use in uses) println(runCatching { use() }.fold({ it.toString() }, { it.message }))
}

/** Opens files given after "open", or tells of uses of files in a folder after "use"; else checks the folder of vectors that is given. */
fun main(arguments: Array<String>) {
    if (arguments[0] == "open") {
        for (path in arguments.drop(1)) {
            println(runCatching { ExportedFile(File(path)) }.exceptionOrNull()?.message ?: "opens")
        }
        return
    }
    if (arguments[0] == "use") return tellUses(File(arguments[1]))
    val folder = File(arguments[0])
    // LiteRT is not here, and these models can be imitated.
    val imitated =
        setOf("counter.tflite", "chunks.tflite", "labels.tflite", "colors.tflite")
    for ((name, test) in listOf(
        "clock" to ::checkClock,
        "time_unit" to ::checkTimeUnit,
        "preparation" to ::checkPreparation,
        "events" to ::checkEvents,
        "streams" to { case: Map<*, *> ->
            if (case["model"] in imitated) checkStream(case, folder)
        },
    )) {
        val all = cases(folder, name)
        for ((index, case) in all.withIndex()) {
            try {
                test(case)
            } catch (error: IllegalStateException) {
                System.err.println("$name, case $index: $error")
                exitProcess(1)
            }
        }
        println("$name: ${all.size} cases agree")
    }
}
