// Runs an exported model on a stream of frames, on Android.
//
// The Kotlin version of grw_tf/streaming. All of it is plain Kotlin, compiled and tested on
// a JVM, except AndroidStream.kt, which holds what needs Android and LiteRT.
//
//     openStream(File(filesDir, "model.tflite")).use { session ->
//         session.push(bitmap, frame.timestampNanos / 1e9)
//         if (session.steps > 0) show(session.top(3))
//     }
//
// Not safe to use from several threads at once.

package grw.streaming

import kotlin.math.exp
import kotlin.math.max

/** Runs the model's steps and keeps its states. */
interface Runner : AutoCloseable {
    /** Gives all states their initial values. */
    fun reset()

    /** Sets all numbers of a state before the next step. */
    fun setState(name: String, value: Double)

    /** Takes the frame of an index in a step, bytes [size, size, 3]. */
    fun takeFrame(square: ByteArray, index: Int)

    /** Runs a step; returns the logits, or null if [classify] gives them on demand. */
    fun step(): FloatArray?

    /** Returns the logits of the states. */
    fun classify(): FloatArray
}

/**
 * Classifies a video frame by frame.
 *
 * Without times, the model sees every frame pushed. With times, in seconds, it sees the
 * frames that training would take from such a video: it sees a frame once the next one
 * comes, because only then is it known how long the frame was on screen.
 *
 * Times that seem to be in a smaller unit than seconds are refused. While the first times
 * of a stream leave that in doubt, its frames are kept until the unit is settled, or
 * [flush].
 *
 * It applies what grw-calibrate put into a file: thresholds and temperature to [answer] and
 * events, and the memory, beyond which the model forgets.
 *
 * @param exported an exported file.
 * @param runner runs its model; the session closes it.
 * @param maxGap seconds that a frame is repeated for when times jump ahead.
 * @param findEvents whether to find events, by the file's calibration, or for a model with
 *     several labels by its thresholds. A model that gives logits on demand is then asked for
 *     them at each step.
 * @param rules rules to take instead of the file's, for answers too; not for several labels.
 * @param memoryFrames frames beyond which the model forgets, 0 for never; by default as the file
 *     was calibrated.
 * @param warn receives warnings.
 */
class StreamSession(
    exported: ExportedFile,
    private val runner: Runner,
    maxGap: Double = 1.0,
    findEvents: Boolean = false,
    rules: EventRules? = null,
    memoryFrames: Int? = null,
    warn: (String) -> Unit = {},
) : AutoCloseable {
    /** Names of the classes. */
    val labels = exported.labels

    /** The scores from which [named] names classes; null for a model with a softmax. */
    val thresholds = exported.thresholds

    /** Height and width in pixels of the model's frames. */
    val size = exported.imageShape[1]

    /** The model's frames per second. */
    val fps = exported.fps

    /** Frames per step of the model. */
    val framesPerStep = exported.imageShape[0]

    /** Steps the model has taken since the start or [reset]. */
    var steps = 0
        private set

    /** A frame of the stream; one that is already prepared has no width. */
    private class Frame(val pixels: ByteArray, val width: Int, val height: Int)

    private val clock = FrameClock(fps, maxGap, warn)
    private val timeUnit = TimeUnit(maxGap)
    private val preparation = FramePreparation(exported.shortSide, exported.resize, size)

    // Frames whose times may not be in seconds.
    private val kept = ArrayList<Pair<Frame, Double>>()
    private var shown: Frame? = null
    private var filled = 0
    private var logits: FloatArray? = null
    private var closed = false
    private val temperature = exported.calibration.temperature
    private val rules = rules ?: exported.calibration.rules
    private val detector = if (findEvents) detectorOf(exported, this.rules) else null
    private val events = ArrayList<Event>()

    // States that count frames, and what they count to before a step.
    private val counts = exported.states.keys.filter { it.endsWith("frame_count") }
    private val mostCount: Int

    // Seconds before the frame on screen that times skipped.
    private var skipped = 0.0

    init {
        require(maxGap > 0) { "maxGap must be above 0 seconds, got $maxGap." }
        require(rules == null || thresholds == null) {
            "${exported.file} is the file of a model with several labels at once, each with its" +
                " own threshold: give no rules."
        }
        val memory = memoryFrames ?: exported.calibration.memoryFrames
        require(memory >= 0) { "memoryFrames is $memory: it must be 0 or more." }
        mostCount = if (memory == 0) Int.MAX_VALUE else max(0, memory - framesPerStep)
        if (!exported.recordsFit) {
            warn(
                "${exported.file} was exported before frame_fit was recorded: frames are" +
                    " squashed to a square, as they were then.",
            )
        }
        if (!exported.passedParity) {
            warn("${exported.file} was exported although it does not give its model's numbers.")
        }
        reset()
    }

    /**
     * Takes the next frame, bytes [height, width, 3], RGB, of any size; it is resized and
     * cropped as the model was validated.
     *
     * @return the probabilities, if the model gives them at each step and this frame
     *     completed one; otherwise null.
     */
    fun push(rgb: ByteArray, width: Int, height: Int, time: Double? = null): FloatArray? {
        require(width > 0 && height > 0 && rgb.size.toLong() == width.toLong() * height * 3) {
            "A frame of $width x $height pixels has ${width.toLong() * height * 3} bytes, got" +
                " ${rgb.size}."
        }
        return pushFrame(Frame(rgb, width, height), time)
    }

    /** The same for bytes [size, size, 3] that are already resized and cropped. */
    fun pushPrepared(square: ByteArray, time: Double? = null): FloatArray? {
        require(square.size == size * size * 3) {
            "A prepared frame has ${size * size * 3} bytes, got ${square.size}."
        }
        return pushFrame(Frame(square, 0, 0), time)
    }

    /** Ends the video: the model sees the last of the frames with times. */
    fun flush(time: Double? = null): FloatArray? {
        checkOpen()
        require(time?.isNaN() != true) { "The end's time must be a number of seconds." }
        timeUnit.restart()
        val before = takeKept()
        skipped = clock.skipped
        val last = showUntilNext(clock.end(time))
        if (detector != null) events.addAll(detector.finish())
        return last ?: before
    }

    /**
     * Returns the probabilities for the frames seen so far; for a model with several labels,
     * the sigmoid of each class.
     */
    fun classify(): FloatArray = scores(logits())

    /** Returns the logits for the frames seen so far. */
    fun logits(): FloatArray {
        checkOpen()
        check(steps > 0) { "Push frames first: the stream has seen no whole step." }
        val values = logits ?: runner.classify()
        logits = values
        return values.copyOf()
    }

    /** Returns the [k] likeliest classes and their probabilities, likeliest first. */
    fun top(k: Int = 3): List<Pair<String, Float>> {
        val probabilities = classify()
        return probabilities.indices.sortedByDescending { probabilities[it] }.take(k)
            .map { labels[it] to probabilities[it] }
    }

    /**
     * Returns the classes whose sigmoids reach their thresholds and these scores, best first:
     * none, one or several.
     *
     * @throws IllegalStateException for a model with a softmax, which has no thresholds.
     */
    fun named(): List<Pair<String, Float>> {
        val least = checkNotNull(thresholds) {
            "This model has a softmax, of which exactly one class is right: ask for top()."
        }
        val scores = classify()
        return scores.indices.filter { scores[it] >= least[it] }
            .sortedByDescending { scores[it] }.map { labels[it] to scores[it] }
    }

    /** Whether [answer] may say "none of these". */
    val maySayNone get() = rules != null || BACKGROUND in labels

    /**
     * Returns the likeliest class and its score, the probability at the file's calibrated
     * temperature. The class is null, "none of these", if the score does not reach the
     * calibrated threshold, or if it is "background".
     *
     * @throws IllegalStateException for a model with several labels.
     */
    fun answer(): Pair<String?, Double> {
        check(thresholds == null) {
            "This model has several labels at once, each with its own threshold: ask for named()."
        }
        val scores = eventScores(logits())
        val index = best(scores)
        // A broken model's NaN reaches no threshold.
        val fails = rules != null && !(scores[index] >= rules.onThreshold)
        val label = labels[index].takeUnless { fails || it == BACKGROUND }
        return label to scores[index]
    }

    /**
     * Returns the events found since the last call, by start. An event is found when it is over
     * and too long ago to be merged with a later one; [flush] ends all.
     *
     * @throws IllegalStateException if the session was opened without `findEvents`.
     */
    fun events(): List<Event> {
        check(detector != null) { "This session finds no events: open it with findEvents." }
        return events.toList().also { events.clear() }
    }

    /** Forgets all frames, and events that nobody has taken. */
    fun reset() {
        checkOpen()
        runner.reset()
        clock.restart()
        timeUnit.restart()
        kept.clear()
        shown = null
        filled = 0
        steps = 0
        logits = null
        detector?.finish()
        events.clear()
        skipped = 0.0
    }

    override fun close() {
        if (!closed) runner.close()
        closed = true
    }

    private fun pushFrame(frame: Frame, time: Double?): FloatArray? {
        checkOpen()
        if (time == null) {
            require(shown == null && kept.isEmpty()) {
                "This frame has no time, but those before it had: give one, or call flush() or" +
                    " reset() first."
            }
            return see(prepared(frame))
        }
        require(time.isFinite()) { "A frame's time is $time: it must be a number of seconds." }
        val canBeShown = timeUnit.check(time)
        // Cameras write the next frame into the same memory.
        kept.add(Frame(frame.pixels.copyOf(), frame.width, frame.height) to time)
        return if (canBeShown) takeKept() else null
    }

    private fun takeKept(): FloatArray? {
        val frames = kept.toList()
        kept.clear()
        var probabilities: FloatArray? = null
        for ((frame, time) in frames) {
            skipped = clock.skipped
            probabilities = showUntilNext(clock.arrive(time)) ?: probabilities
            shown = frame
        }
        return probabilities
    }

    private fun showUntilNext(ticks: Int): FloatArray? {
        val frame = shown ?: return null
        shown = null
        if (ticks == 0) return null
        val square = prepared(frame)
        var probabilities: FloatArray? = null
        repeat(ticks) { probabilities = see(square) ?: probabilities }
        return probabilities
    }

    private fun prepared(frame: Frame): ByteArray =
        if (frame.width == 0) frame.pixels
        else preparation.prepare(frame.pixels, frame.width, frame.height)

    private fun see(square: ByteArray): FloatArray? {
        runner.takeFrame(square, filled)
        filled += 1
        if (filled < framesPerStep) return null
        filled = 0
        if (steps.toLong() * framesPerStep > mostCount) {
            for (name in counts) runner.setState(name, mostCount.toDouble())
        }
        val given = runner.step()
        logits = given
        steps += 1
        if (detector != null) {
            val seconds = framesPerStep / fps
            val start = (steps - 1) * seconds + skipped
            events.addAll(detector.push(start, start + seconds, eventScores(logits())))
        }
        return given?.let(::scores)
    }

    /** Returns the scores of answers and events: calibrated probabilities, or sigmoids. */
    private fun eventScores(logits: FloatArray): List<Double> {
        if (thresholds != null) return sigmoids(logits).map { it.toDouble() }
        val largest = logits.max().toDouble()
        val exponentials = logits.map { exp((it - largest) / temperature) }
        val sum = exponentials.sum()
        return exponentials.map { it / sum }
    }

    private fun scores(logits: FloatArray): FloatArray =
        if (thresholds == null) softmax(logits) else sigmoids(logits)

    private fun checkOpen() = check(!closed) { "The session is closed: open another." }

    private companion object {
        /** Returns what finds the events of a file, by rules or its thresholds. */
        fun detectorOf(exported: ExportedFile, rules: EventRules?): EventDetector {
            val thresholds = exported.thresholds
            if (thresholds == null) {
                requireNotNull(rules) {
                    "${exported.file} has no calibrated threshold: calibrate it with" +
                        " grw-calibrate, or give rules."
                }
                return EventDetector(exported.labels, rules)
            }
            return EventDetector(
                exported.labels,
                // Scores are single precision, in which thresholds are rounded too.
                thresholds.map { it.toDouble() },
                thresholds.map { (EventRules.OFF_SHARE * it).toFloat().toDouble() },
                true,
                EventRules.LEAST_SECONDS,
                EventRules.MERGE_GAP,
            )
        }

        fun sigmoids(logits: FloatArray) = FloatArray(logits.size) { 1 / (1 + exp(-logits[it])) }

        fun softmax(logits: FloatArray): FloatArray {
            val largest = logits.max()
            val exponentials = FloatArray(logits.size) { exp(logits[it] - largest) }
            val sum = exponentials.sum()
            return FloatArray(logits.size) { exponentials[it] / sum }
        }
    }
}
