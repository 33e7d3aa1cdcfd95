// Checks the Kotlin session against tests/vectors; test_kotlin_session.py runs it.

package grw.streaming

import java.io.File
import kotlin.math.abs
import kotlin.system.exitProcess

/** Answers as counter.tflite, chunks.tflite and labels.tflite do; tests/vectors/README.md says how. */
private class CounterRunner(private val exported: ExportedFile) : Runner {
    private val means = DoubleArray(exported.imageShape[0])
    private var count = 0
    private var level = 0

    override fun reset() {
        count = exported.states.getValue("count").initialValue.toInt()
        level = exported.states.getValue("level").initialValue.toInt()
    }

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
    check(case.list("times").map { clock.arrive(it.real()).toLong() } == case.list("ticks"))
    check(clock.end(case["end"]?.real()) == case.int("end_ticks"))
}

private fun checkTimeUnit(case: Map<*, *>) {
    val unit = TimeUnit(case["max_gap"].real())
    for ((time, answer) in case.list("times") zip case.list("answers")) {
        val told = runCatching { unit.check(time.real()) }
        if (answer is Boolean) {
            check(told.getOrThrow() == answer)
        } else {
            check("look like $answer: divide" in told.exceptionOrNull()!!.message!!)
        }
    }
}

private fun checkPreparation(case: Map<*, *>) {
    val (height, width) = case.int("height") to case.int("width")
    val shortSide = case["frame_fit"] == "short_side"
    val preparation = FramePreparation(shortSide, case.int("resize"), case.int("size"))
    val pixels = preparation.prepare(frame(3, height, width), width, height)
    check(pixels.size == case.list("pixels").size)
    for ((found, expected) in pixels.toList() zip case.list("pixels")) {
        check(abs((found.toInt() and 0xFF) - expected.real()) <= 1)
    }
}

private fun checkStream(case: Map<*, *>, folder: File) {
    val exported = ExportedFile(File(folder, case["model"] as String))
    val session = StreamSession(exported, CounterRunner(exported))
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
            val scores = case["scores"] as List<*>? ?: continue
            for ((one, other) in session.classify().toList() zip scores[index] as List<*>) {
                check(abs(one - other.real()) <= 1e-5)
            }
            check(session.named().map { it.first }.sorted() == case.list("named")[index])
        }
        session.reset()
    }
}

/** Opens files given after "open"; else checks the folder of vectors that is given. */
fun main(arguments: Array<String>) {
    if (arguments[0] == "open") {
        for (path in arguments.drop(1)) {
            println(runCatching { ExportedFile(File(path)) }.exceptionOrNull()?.message ?: "opens")
        }
        return
    }
    val folder = File(arguments[0])
    val counters = setOf("counter.tflite", "chunks.tflite", "labels.tflite")
    for ((name, test) in listOf(
        "clock" to ::checkClock,
        "time_unit" to ::checkTimeUnit,
        "preparation" to ::checkPreparation,
        "streams" to { case: Map<*, *> ->
            if (case["model"] in counters) checkStream(case, folder)
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
