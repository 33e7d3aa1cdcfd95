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

/** Runs the model's steps and keeps its states. */
interface Runner : AutoCloseable {
    /** Gives all states their initial values. */
    fun reset()

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
 * @param exported an exported file.
 * @param runner runs its model; the session closes it.
 * @param maxGap seconds that a frame is repeated for when times jump ahead.
 * @param warn receives warnings.
 */
class StreamSession(
    exported: ExportedFile,
    private val runner: Runner,
    maxGap: Double = 1.0,
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

    init {
        require(maxGap > 0) { "maxGap must be above 0 seconds, got $maxGap." }
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
        return showUntilNext(clock.end(time)) ?: before
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

    /** Forgets all frames. */
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
        logits = runner.step()
        steps += 1
        return logits?.let(::scores)
    }

    private fun scores(logits: FloatArray): FloatArray =
        if (thresholds == null) softmax(logits) else sigmoids(logits)

    private fun checkOpen() = check(!closed) { "The session is closed: open another." }

    private companion object {
        fun sigmoids(logits: FloatArray) = FloatArray(logits.size) { 1 / (1 + exp(-logits[it])) }

        fun softmax(logits: FloatArray): FloatArray {
            val largest = logits.max()
            val exponentials = FloatArray(logits.size) { exp(logits[it] - largest) }
            val sum = exponentials.sum()
            return FloatArray(logits.size) { exponentials[it] / sum }
        }
    }
}
