// Runs an exported model on a stream of frames, on Android.
//
// Not compiled in this repository's tests.
//
// The Kotlin version of grw_tf/streaming. It needs only LiteRT,
//     implementation("com.google.ai.edge.litert:litert:1.+")
// or org.tensorflow:tensorflow-lite, which has the same package names.
//
//     StreamSession(File(filesDir, "model.tflite")).use { session ->
//         session.push(bitmap, frame.timestampNanos / 1e9)
//         if (session.steps > 0) show(session.top(3))
//     }
//
// Unlike in Python, the model's checksum is not checked: damaged weights go unnoticed.
// Not safe to use from several threads at once.

package grw.streaming

import android.graphics.Bitmap
import android.util.Log
import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import kotlin.math.abs
import kotlin.math.exp
import kotlin.math.max
import kotlin.math.min
import org.json.JSONObject
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Interpreter

private const val TAG = "StreamSession"

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
 * @param file an exported .tflite file; copy an asset to a file first.
 * @param numThreads number of threads.
 * @param maxGap seconds that a frame is repeated for when times jump ahead.
 * @throws IOException if the file cannot be read.
 * @throws IllegalArgumentException if it is damaged or not an export of this project.
 * @throws org.json.JSONException if its manifest is damaged.
 */
class StreamSession(file: File, numThreads: Int = 1, maxGap: Double = 1.0) : AutoCloseable {
    /** Names of the classes. */
    val labels: List<String>

    /** The file's manifest. */
    val manifest: JSONObject

    /** Height and width in pixels of the model's frames. */
    val size: Int

    /** The model's frames per second. */
    val fps: Double

    /** Frames per step of the model. */
    val framesPerStep: Int

    /** Steps the model has taken since the start or [reset]. */
    var steps = 0
        private set

    private class State(val bytes: Int, val type: String, val initialValue: Double)

    private val interpreter: Interpreter
    private val clock: FrameClock
    private val timeUnit = TimeUnit(maxGap)
    private val preparation: FramePreparation
    private val image: ByteBuffer
    private val takesBytes: Boolean
    private val states: Map<String, State>
    private val classified: List<String>

    // A step reads one set of states and writes the other; then they are swapped.
    private var now: Map<String, ByteBuffer>
    private var next: Map<String, ByteBuffer>
    private val logitsBuffer: ByteBuffer

    // Frames whose times may not be in seconds.
    private val kept = ArrayList<Pair<ByteArray, Double>>()
    private var shown: ByteArray? = null
    private var filled = 0
    private var logits: FloatArray? = null
    private var closed = false

    init {
        val mapped = RandomAccessFile(file, "r").use {
            it.channel.map(FileChannel.MapMode.READ_ONLY, 0, it.length())
        }
        mapped.order(ByteOrder.LITTLE_ENDIAN)
        labels = readStored(mapped, "labels.txt", file).trimEnd('\n').split('\n')
        manifest = JSONObject(readStored(mapped, "manifest.json", file))
        require(manifest.getInt("format_version") <= NEWEST_FORMAT) {
            "$file has a newer format: it needs a newer StreamSession."
        }
        if (manifest.optJSONObject("parity")?.optBoolean("passed", true) == false) {
            Log.w(TAG, "$file was exported although it does not reproduce its model's numbers.")
        }
        val input = manifest.getJSONObject("input")
        size = input.getJSONArray("shape").getInt(1)
        takesBytes = input.getString("dtype") == "uint8"
        fps = manifest.getDouble("fps")
        framesPerStep = manifest.getInt("frames_per_step")
        clock = FrameClock(fps, maxGap)
        if (!input.has("frame_fit")) {
            require(manifest.getInt("format_version") == 1) { "$file lacks its frame_fit." }
            Log.w(
                TAG,
                "$file was exported before frame_fit was recorded: frames are squashed to a" +
                    " square, as they were then.",
            )
        }
        // The behavior before files recorded it.
        val fit = input.optString("frame_fit", "square")
        require(fit == "square" || fit == "short_side") {
            "$file prepares frames in an unknown way, $fit."
        }
        preparation = FramePreparation(fit == "short_side", input.getInt("resize"), size)

        interpreter = Interpreter(file, Interpreter.Options().setNumThreads(numThreads))
        require("step" in interpreter.signatureKeys) { "$file has no signature step." }
        classified =
            if ("classify" in interpreter.signatureKeys) {
                interpreter.getSignatureInputs("classify").toList()
            } else {
                emptyList()
            }
        val specs = manifest.getJSONArray("states")
        states = (0 until specs.length()).map { specs.getJSONObject(it) }.associate {
            val name = it.getString("name")
            val tensor = interpreter.getInputTensorFromSignature(name, "step")
            name to State(tensor.numBytes(), it.getString("dtype"), it.getDouble("initial_value"))
        }
        image = direct(interpreter.getInputTensorFromSignature("image", "step").numBytes())
        now = states.mapValues { direct(it.value.bytes) }
        next = states.mapValues { direct(it.value.bytes) }
        logitsBuffer = direct(labels.size * Float.SIZE_BYTES)
        val signature = if (classified.isEmpty()) "step" else "classify"
        val type = interpreter.getOutputTensorFromSignature("logits", signature).dataType()
        require(type == DataType.FLOAT32) { "$file gives logits of type $type." }
        val classes = interpreter.getOutputTensorFromSignature("logits", signature).numElements()
        require(classes == labels.size) {
            "$file has ${labels.size} labels for $classes logits: export it again."
        }
        reset()
    }

    /**
     * Takes the next frame, of any size; it is resized and cropped as the model was validated.
     *
     * @return the probabilities, if the model gives them at each step and this frame
     *     completed one; otherwise null.
     */
    fun push(frame: Bitmap, time: Double? = null): FloatArray? {
        val colors = IntArray(frame.width * frame.height)
        frame.getPixels(colors, 0, frame.width, 0, 0, frame.width, frame.height)
        val rgb = ByteArray(colors.size * 3)
        for (i in colors.indices) {
            rgb[3 * i] = (colors[i] shr 16).toByte()
            rgb[3 * i + 1] = (colors[i] shr 8).toByte()
            rgb[3 * i + 2] = colors[i].toByte()
        }
        return push(rgb, frame.width, frame.height, time)
    }

    /** The same for bytes [height, width, 3], RGB. */
    fun push(rgb: ByteArray, width: Int, height: Int, time: Double? = null): FloatArray? {
        require(width > 0 && height > 0 && rgb.size == width * height * 3) {
            "A frame of $width x $height pixels has ${width * height * 3} bytes, got ${rgb.size}."
        }
        return pushPrepared(preparation.prepare(rgb, width, height), time)
    }

    /** The same for bytes [size, size, 3] that are already resized and cropped. */
    fun pushPrepared(square: ByteArray, time: Double? = null): FloatArray? {
        checkOpen()
        require(square.size == size * size * 3) {
            "A prepared frame has ${size * size * 3} bytes, got ${square.size}."
        }
        if (time == null) {
            require(shown == null && kept.isEmpty()) {
                "This frame has no time, but the frames before it had: give one, or call" +
                    " flush() or reset() first."
            }
            return see(square)
        }
        require(time.isFinite()) { "A frame's time is $time: it must be a number of seconds." }
        val canBeShown = timeUnit.check(time)
        kept.add(square.copyOf() to time)
        return if (canBeShown) takeKept() else null
    }

    /** Ends the video: the model sees the last of the frames with times. */
    fun flush(time: Double? = null): FloatArray? {
        checkOpen()
        require(time?.isNaN() != true) { "The end's time must be a number of seconds." }
        timeUnit.restart()
        val before = takeKept()
        return showUntilNext(clock.end(time)) ?: before
    }

    /** Returns the probabilities for the frames seen so far. */
    fun classify(): FloatArray = softmax(logits())

    /** Returns the logits for the frames seen so far. */
    fun logits(): FloatArray {
        checkOpen()
        check(steps > 0) { "Push frames first: the stream has seen no whole step." }
        val values = logits ?: run {
            val inputs = classified.associateWith { rewound(now.getValue(it)) }
            interpreter.runSignature(inputs, mapOf("logits" to rewound(logitsBuffer)), "classify")
            readLogits()
        }
        return values.copyOf()
    }

    /** Returns the [k] likeliest classes and their probabilities, likeliest first. */
    fun top(k: Int = 3): List<Pair<String, Float>> {
        val probabilities = classify()
        return probabilities.indices.sortedByDescending { probabilities[it] }.take(k)
            .map { labels[it] to probabilities[it] }
    }

    /** Forgets all frames. */
    fun reset() {
        checkOpen()
        for ((name, state) in states) fill(now.getValue(name), state)
        clock.restart()
        timeUnit.restart()
        kept.clear()
        shown = null
        filled = 0
        steps = 0
        logits = null
    }

    override fun close() {
        if (!closed) interpreter.close()
        closed = true
    }

    private fun takeKept(): FloatArray? {
        val frames = kept.toList()
        kept.clear()
        var probabilities: FloatArray? = null
        for ((square, time) in frames) {
            probabilities = showUntilNext(clock.arrive(time)) ?: probabilities
            shown = square
        }
        return probabilities
    }

    private fun showUntilNext(ticks: Int): FloatArray? {
        val square = shown ?: return null
        shown = null
        var probabilities: FloatArray? = null
        repeat(ticks) { probabilities = see(square) ?: probabilities }
        return probabilities
    }

    private fun see(square: ByteArray): FloatArray? {
        if (filled == 0) image.rewind()
        if (takesBytes) {
            image.put(square)
        } else {
            for (byte in square) image.putFloat((byte.toInt() and 0xFF) / 255f)
        }
        filled += 1
        if (filled < framesPerStep) return null
        filled = 0
        val inputs = HashMap<String, Any>(now.mapValues { rewound(it.value) })
        inputs["image"] = rewound(image)
        val outputs = HashMap<String, Any>(next.mapValues { rewound(it.value) })
        if (classified.isEmpty()) outputs["logits"] = rewound(logitsBuffer)
        interpreter.runSignature(inputs, outputs, "step")
        now = next.also { next = now }
        steps += 1
        logits = null
        return if (classified.isEmpty()) softmax(readLogits()) else null
    }

    private fun readLogits(): FloatArray {
        val values = FloatArray(labels.size)
        rewound(logitsBuffer).asFloatBuffer().get(values)
        logits = values
        return values
    }

    private fun fill(buffer: ByteBuffer, state: State) {
        rewound(buffer)
        while (buffer.hasRemaining()) {
            when (state.type) {
                "float32" -> buffer.putFloat(state.initialValue.toFloat())
                "int32" -> buffer.putInt(state.initialValue.toInt())
                "int16" -> buffer.putShort(state.initialValue.toInt().toShort())
                "int8", "uint8" -> buffer.put(state.initialValue.toInt().toByte())
                else -> throw IllegalArgumentException("Unknown type of a state: ${state.type}.")
            }
        }
    }

    private fun checkOpen() = check(!closed) { "The session is closed: open another." }

    private companion object {
        const val NEWEST_FORMAT = 2

        fun direct(bytes: Int): ByteBuffer =
            ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

        fun rewound(buffer: ByteBuffer): ByteBuffer = buffer.apply { rewind() }

        fun softmax(logits: FloatArray): FloatArray {
            val largest = logits.max()
            val exponentials = FloatArray(logits.size) { exp(logits[it] - largest) }
            val sum = exponentials.sum()
            return FloatArray(logits.size) { exponentials[it] / sum }
        }

        /**
         * Returns an uncompressed file from the zip archive at the end of `file`. Parsed by
         * hand, because Android's reader may refuse an archive that does not start the file.
         */
        fun readStored(bytes: ByteBuffer, name: String, file: File): String {
            val foreign = "$file has no labels and manifest: it is not an export of" +
                " grw_tf, or only a part of one."
            try {
                var end = bytes.limit() - 22
                while (bytes.getInt(end) != 0x06054b50) end -= 1
                var entry = bytes.getInt(end + 16)
                repeat(bytes.getShort(end + 10).toInt()) {
                    val length = bytes.getShort(entry + 28).toInt()
                    if (text(bytes, entry + 46, length) == name) {
                        require(bytes.getShort(entry + 10).toInt() == 0) { foreign }
                        val header = bytes.getInt(entry + 42)
                        val start = header + 30 + bytes.getShort(header + 26) +
                            bytes.getShort(header + 28)
                        return text(bytes, start, bytes.getInt(entry + 24))
                    }
                    entry += 46 + length + bytes.getShort(entry + 30) +
                        bytes.getShort(entry + 32)
                }
            } catch (_: IndexOutOfBoundsException) {
                // The file has no such archive.
            }
            throw IllegalArgumentException(foreign)
        }

        private fun text(bytes: ByteBuffer, start: Int, length: Int) =
            String(ByteArray(length) { bytes.get(start + it) }, Charsets.UTF_8)
    }
}

/**
 * Chooses frames by their times: at each tick, k / fps seconds after the first frame, the
 * model sees the frame on screen. See grw_tf/frames/clock.py.
 */
internal class FrameClock(private val fps: Double, private val maxGap: Double) {
    private var first: Double? = null
    private var last = 0.0
    private var interval = 0.0
    private var tick = 0L

    // Time of the last frame, if it replaced another.
    private var early: Double? = null

    // Correction added to times after they were set back or jumped.
    private var shift = 0.0

    // The correction before the last jump.
    private var formerShift = 0.0
    private val warned = HashSet<String>()

    fun restart() {
        first = null
    }

    /** Takes the time of the next frame; returns how many ticks the previous one covers. */
    fun arrive(time: Double): Int {
        require(time.isFinite()) { "A frame's time is $time: it must be a number of seconds." }
        if (first == null) {
            begin(time)
            return 0
        }
        if (fitsFormer(time)) shift = formerShift.also { formerShift = shift }
        val shifted = time + shift
        val gap = shifted - last
        val before = early
        early = null
        val rises = before != null && before < shifted && shifted < last
        if (gap > 0) {
            goAhead(shifted)
        } else if (gap < -MOST_OUT_OF_ORDER || rises) {
            setBack(shifted, if (before == null) 1 else 2)
        } else {
            early = shifted
            warn("Times overlap or run backwards: such a frame replaces the one before it.")
        }
        return ticksBefore(last)
    }

    /** Ends the video, at a time or after one more interval; returns the last frame's ticks. */
    fun end(time: Double? = null): Int {
        require(time?.isNaN() != true) { "The end's time must be a number of seconds." }
        if (first == null) return 0
        val end = if (time == null) last + interval else time + shift
        val count = ticksBefore(max(shownUntil(end), last + 2 * TOLERANCE))
        restart()
        return count
    }

    private fun begin(time: Double) {
        first = time
        last = time
        interval = 1 / fps
        tick = 0
        early = null
        shift = 0.0
        formerShift = 0.0
    }

    private fun fitsFormer(time: Double): Boolean {
        val gap = time + shift - last
        val jumps = gap < -MOST_OUT_OF_ORDER || gap > max(maxGap, LEAST_JUMP)
        return jumps && abs(time + formerShift - last) <= MOST_OUT_OF_ORDER
    }

    private fun shownUntil(time: Double): Double =
        if (time - last > max(maxGap, LEAST_JUMP)) last + maxGap else time

    private fun goAhead(time: Double) {
        val until = shownUntil(time)
        if (until < time) {
            warn(
                "Time jumps ahead: the previous frame is repeated for $maxGap s, and time" +
                    " continues from there; call reset() where another video begins.",
            )
            formerShift = shift
            shift -= time - until
        } else {
            interval = time - last
        }
        last = until
    }

    private fun setBack(time: Double, intervals: Int) {
        warn(
            "Time is set back: it continues from where it was; call reset() where another" +
                " video begins.",
        )
        formerShift = shift
        last += intervals * interval
        shift += last - time
    }

    private fun ticksBefore(time: Double): Int {
        val before = tick
        while (tick / fps < time - first!! - TOLERANCE) tick += 1
        return (tick - before).toInt()
    }

    private fun warn(message: String) {
        if (warned.add(message)) Log.w(TAG, message)
    }

    private companion object {
        // Containers round times to a millisecond.
        const val TOLERANCE = 1e-3

        // Seconds. A longer gap is a jump of the clock.
        const val LEAST_JUMP = 10.0

        // Seconds. A frame earlier by more than this was not merely stored out of order.
        const val MOST_OUT_OF_ORDER = 1.0
    }
}

/**
 * Decides from the first frames of a stream whether times are in seconds or in a smaller
 * unit. See grw_tf/frames/time_unit.py for the rule.
 */
internal class TimeUnit(maxGap: Double) {
    /** A unit: the longest step that indicates it, and units per second. */
    private class Smaller(val name: String, val longest: Double, val perSecond: Int)

    private val leastStep = max(LEAST_STEP, maxGap)
    private var times = emptyList<Double>()
    private var settled = false

    fun restart() {
        times = emptyList()
        settled = false
    }

    /**
     * Takes the time of the next frame.
     *
     * @return whether the frame can be shown; if not, its time is in doubt until a later call
     *     returns true or throws.
     * @throws IllegalArgumentException if times seem to be in another unit than seconds.
     */
    fun check(time: Double): Boolean {
        if (settled) return true
        val taken = times + time
        val steps = taken.zipWithNext { before, after -> after - before }.filter { it > 0 }.sorted()
        val long = steps.count { it > leastStep }
        if (steps.size - long < 2) {
            val unit = smallerUnit(steps)
            require(unit == null) {
                "Times of frames must be in seconds, and $taken look like ${unit!!.name}: divide" +
                    " them by ${unit.perSecond}. If a frame does come every" +
                    " ${steps[steps.size / 2]} s, open the session with a maxGap above that."
            }
            settled = steps.size >= MOST_STEPS || taken.size >= MOST_FRAMES
        } else {
            settled = true
        }
        times = taken
        return settled || long == 0
    }

    /** Takes sorted steps; returns null if they may be seconds. */
    private fun smallerUnit(steps: List<Double>): Smaller? {
        if (steps.size < FEWEST_STEPS) return null
        val median = steps[steps.size / 2]
        val unit = UNITS.first { median <= it.longest }
        if (steps.size < MOST_STEPS && steps[0] * MOST_RATE < unit.perSecond) return null
        val near = steps.count { it in median / NEAR..median * NEAR }
        return if (median <= LONGEST_GAP && 2 * near <= steps.size) null else unit
    }

    private companion object {
        val UNITS = listOf(
            Smaller("milliseconds", 1e3, 1_000),
            // For 11 to 90 frames a second; microseconds this short mean 125 or more.
            Smaller("90 kHz ticks", 8e3, 90_000),
            Smaller("microseconds", 1e6, 1_000_000),
            Smaller("nanoseconds", Double.POSITIVE_INFINITY, 1_000_000_000),
        )

        // Seconds. At up to 200 frames a second, milliseconds read as seconds exceed this.
        const val LEAST_STEP = 5.0

        // Seconds. No usual gap is as long, so steps beyond it need not be even.
        const val LONGEST_GAP = 1000.0

        // Steps between frames: the fewest that decide, and how many settle on seconds.
        const val FEWEST_STEPS = 3
        const val MOST_STEPS = 5

        // This many frames settle on seconds, even if they all have the same time.
        const val MOST_FRAMES = 12

        // A step within this factor of the median is near it.
        const val NEAR = 2.0

        // Frames a second. Steps of a higher rate make a unit implausible.
        const val MOST_RATE = 1000
    }
}

/**
 * Resizes a frame and crops the middle square of [size] pixels, as the model was validated.
 *
 * With [shortSide] the frame keeps its aspect ratio and its shorter side becomes [side]
 * pixels; otherwise it is squashed to [side] by [side] pixels. Pixels are means over their
 * area if neither side grows, otherwise linearly interpolated.
 */
internal class FramePreparation(
    private val shortSide: Boolean,
    private val side: Int,
    private val size: Int,
) {
    /** The input pixels and weights that give one row or column of the result. */
    private class Taps(val first: Int, val weights: FloatArray)

    private var width = 0
    private var height = 0
    private var rows = emptyList<Taps>()
    private var columns = emptyList<Taps>()

    /** Takes bytes [height, width, 3]; returns bytes [size, size, 3]. */
    fun prepare(rgb: ByteArray, width: Int, height: Int): ByteArray {
        if (width != this.width || height != this.height) {
            // A camera's frames all have one size, so the weights are computed once.
            val resizedHeight = resized(height, width)
            val resizedWidth = resized(width, height)
            val byArea = height >= resizedHeight && width >= resizedWidth
            rows = find(height, resizedHeight, byArea)
            columns = find(width, resizedWidth, byArea)
            this.width = width
            this.height = height
        }
        val square = ByteArray(size * size * 3)
        val line = FloatArray(width * 3)
        var target = 0
        for (row in rows) {
            line.fill(0f)
            for (i in row.weights.indices) {
                val start = (row.first + i) * width * 3
                val weight = row.weights[i]
                for (j in line.indices) line[j] += weight * (rgb[start + j].toInt() and 0xFF)
            }
            for (column in columns) {
                for (channel in 0 until 3) {
                    var sum = 0f
                    for (i in column.weights.indices) {
                        sum += column.weights[i] * line[(column.first + i) * 3 + channel]
                    }
                    square[target++] = Math.rint(sum.toDouble()).toInt().coerceIn(0, 255).toByte()
                }
            }
        }
        return square
    }

    private fun resized(length: Int, other: Int): Int =
        if (shortSide) max(side.toLong(), length.toLong() * side / other).toInt() else side

    private fun find(length: Int, resized: Int, byArea: Boolean): List<Taps> {
        val start = (resized - size) / 2
        val scale = length.toDouble() / resized
        return (start until start + size).map { i ->
            if (byArea) {
                val from = i * scale
                val to = (i + 1) * scale
                val first = from.toInt()
                val end = min(length, Math.ceil(to).toInt())
                Taps(first, FloatArray(end - first) {
                    val pixel = first + it
                    ((min(to, pixel + 1.0) - max(from, pixel.toDouble())) / scale).toFloat()
                })
            } else {
                val center = ((i + 0.5) * scale - 0.5).coerceIn(0.0, length - 1.0)
                val first = center.toInt()
                val share = (center - first).toFloat()
                Taps(first, if (share > 0) floatArrayOf(1 - share, share) else floatArrayOf(1f))
            }
        }
    }
}
