package grw.streaming

import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.charset.CharacterCodingException
import java.util.zip.CRC32
import kotlin.math.abs
import kotlin.math.floor

/** A state of the model: its type, shape and the value that it starts with. */
class StateSpec(val dtype: String, val shape: List<Int>, val initialValue: Double)

/**
 * What grw-calibrate put into a file.
 *
 * @property temperature what logits are divided by before the softmax that gives scores.
 * @property rules when answers count and events begin and end; null if it is not calibrated.
 * @property memoryFrames frames beyond which the model forgets; 0 for never.
 */
class Calibration(val temperature: Double, val rules: EventRules?, val memoryFrames: Int)

/**
 * An exported file's labels and manifest, from the zip archive after the model.
 *
 * They are checked as in grw_tf/streaming/exported_file.py, and so is the model's checksum.
 *
 * @throws IOException if the file cannot be read.
 * @throws IllegalArgumentException if it is damaged or not an export of this project.
 */
class ExportedFile(val file: File) {
    /** Names of the classes. */
    val labels: List<String>

    /** The file's manifest. */
    val manifest: Map<*, *>

    /** The states by name. */
    val states: Map<String, StateSpec>

    val signatures: List<String>
    val imageShape: List<Int>
    val imageDtype: String
    val fps: Double
    internal val shortSide: Boolean
    internal val resize: Int

    /**
     * The scores from which the sigmoids of a model with several labels name their classes;
     * null for a model with a softmax.
     */
    val thresholds: List<Float>?

    val calibration: Calibration

    /** Whether the file says how frames are prepared, as all do since format 2. */
    internal val recordsFit: Boolean

    /** False if the export failed its check, and was written all the same. */
    internal val passedParity: Boolean

    init {
        val bytes = file.readBytes()
        val modelSize: Int
        try {
            val archive = Archive(bytes)
            labels = text(archive.read("labels.txt")).removeSuffix("\n").split("\n")
            val parsed = parseJson(text(archive.read("manifest.json")))
            manifest = parsed as? Map<*, *> ?: emptyMap<String, Any>()
            modelSize = archive.begin
            require(modelSize >= 8 && String(bytes, 4, 4, Charsets.ISO_8859_1) == "TFL3")
        } catch (_: IllegalArgumentException) {
            throw IllegalArgumentException(foreign())
        } catch (_: IndexOutOfBoundsException) {
            throw IllegalArgumentException(foreign())
        } catch (_: CharacterCodingException) {
            throw IllegalArgumentException(foreign())
        }
        val version = manifest["format_version"]
        require(version !is Long || version <= NEWEST_FORMAT) {
            "$file has format $version, and this StreamSession reads formats up to" +
                " $NEWEST_FORMAT: use a newer one."
        }
        require("classify_clip" !in (manifest["signatures"] as? List<*>).orEmpty()) {
            "$file classifies whole clips and cannot be streamed: export a stream model, or open" +
                " it with grw_tf.streaming.ClipClassifier in Python."
        }
        val input = manifest["input"] as? Map<*, *> ?: emptyMap<String, Any>()
        val specs = (manifest["states"] as? List<*>)?.map { it as? Map<*, *> }
        val names = specs?.map { it?.get("name") }
        require(isCount(version) && isKnownInput(input, version as Long) && specs != null &&
            specs.all(::isKnownState) && names!!.toSet().size == names.size && isStream()) {
            "$file has a manifest that does not describe a stream of frames with" +
                " ${labels.size} labels: it is damaged, or another program wrote it."
        }
        val sum = CRC32().apply { update(bytes, 0, modelSize) }.value
        require(manifest["model_crc32"] == null || manifest["model_crc32"] == sum) {
            "$file is damaged: copy it again, or export the model again."
        }
        try {
            calibration = calibration(manifest["none_of_these"])
        } catch (error: IllegalArgumentException) {
            throw IllegalArgumentException(
                "$file has thresholds that cannot be used (${error.message?.removeSuffix(".")}):" +
                    " calibrate it again.",
            )
        }
        states = specs.associate {
            val value = (it!!["initial_value"] as Number).toDouble()
            it["name"] as String to
                StateSpec(it["dtype"] as String, integers(it["shape"]), value)
        }
        signatures = (manifest["signatures"] as List<*>).map { it.toString() }
        imageShape = integers(input["shape"])
        imageDtype = input["dtype"] as String
        fps = (manifest["fps"] as Number).toDouble()
        val output = manifest["output"] as Map<*, *>
        thresholds = if (output["activation"] != "sigmoid") null
            else (output["thresholds"] as List<*>).map { (it as Number).toFloat() }
        shortSide = input["frame_fit"] == "short_side"
        resize = (input["resize"] as Long).toInt()
        recordsFit = "frame_fit" in input
        passedParity = (manifest["parity"] as? Map<*, *>)?.get("passed") != false
    }

    private fun foreign() = "$file carries no model, labels and manifest: it is not an export of" +
        " grw_tf, or only a part of one: export the model again."

    private fun isStream(): Boolean {
        val fps = manifest["fps"]
        val signatures = manifest["signatures"] as? List<*>
        val output = manifest["output"] as? Map<*, *>
        val shape = (manifest["input"] as Map<*, *>)["shape"] as List<*>
        val parity = manifest["parity"]
        return isFinite(fps) && (fps as Number).toDouble() > 0 &&
            manifest["frames_per_step"] == shape[0] &&
            signatures != null && "step" in signatures &&
            (output?.get("shape") as? List<*>)?.lastOrNull() == labels.size.toLong() &&
            isKnownOutput(output) &&
            (parity == null || parity is Map<*, *>)
    }

    private fun isKnownOutput(output: Map<*, *>): Boolean {
        if ("activation" !in output || output["activation"] == "softmax") return true
        val thresholds = output["thresholds"] as? List<*>
        return output["activation"] == "sigmoid" &&
            manifest["format_version"] as Long >= SIGMOID_FORMAT &&
            thresholds?.size == labels.size &&
            thresholds.all { isFinite(it) && (it as Number).toDouble() in 0.0..1.0 }
    }

    private companion object {
        const val NEWEST_FORMAT = 3L

        // Since then a file may have sigmoids, which older readers would take for a softmax.
        const val SIGMOID_FORMAT = 3L

        // In pixels. Larger values are wrong, and would fill the memory.
        const val MOST_RESIZE = 10_000L

        fun isCount(value: Any?) = value is Long && value in 1..Int.MAX_VALUE

        fun isFinite(value: Any?) =
            value is Number && abs(value.toDouble()) <= Float.MAX_VALUE.toDouble()

        fun integers(list: Any?) = (list as List<*>).map { (it as Long).toInt() }

        fun isKnownInput(input: Map<*, *>, version: Long): Boolean {
            val shape = input["shape"] as? List<*>
            val range = (input["range"] as? List<*>)?.map { (it as? Number)?.toDouble() }
            val resize = input["resize"]
            val fit = input["frame_fit"]
            if (shape?.size != 4 || !shape.all(::isCount) || !isCount(resize)) return false
            return (range == listOf(0.0, 255.0) && input["dtype"] == "uint8" ||
                range == listOf(0.0, 1.0) && input["dtype"] == "float32") &&
                shape[1] == shape[2] && shape[1] as Long <= resize as Long &&
                resize <= MOST_RESIZE && shape[3] == 3L &&
                ("channels" !in input || input["channels"] == "RGB") &&
                (fit == "square" || fit == "short_side" ||
                    version == 1L && "frame_fit" !in input)
        }

        fun isKnownState(state: Map<*, *>?): Boolean {
            val value = state?.get("initial_value")
            val shape = state?.get("shape") as? List<*>
            if (state?.get("name") !is String || shape == null || !shape.all(::isCount) ||
                !isFinite(value)) return false
            val number = (value as Number).toDouble()
            fun fits(least: Int, most: Int) =
                number == floor(number) && number >= least && number <= most
            return when (state["dtype"]) {
                "float32" -> true
                "int32" -> fits(Int.MIN_VALUE, Int.MAX_VALUE)
                "int16" -> fits(Short.MIN_VALUE.toInt(), Short.MAX_VALUE.toInt())
                "int8" -> fits(Byte.MIN_VALUE.toInt(), Byte.MAX_VALUE.toInt())
                "uint8" -> fits(0, 255)
                else -> false
            }
        }

        fun calibration(entry: Any?): Calibration {
            if (entry == null) return Calibration(1.0, null, 0)
            fun number(name: String): Double {
                val value = (entry as? Map<*, *>)?.get(name)
                require(value is Number) { "$name is not a number" }
                return value.toDouble()
            }
            val rules = EventRules(
                number("on_threshold"),
                number("off_threshold"),
                number("least_seconds"),
                number("merge_gap"),
            )
            val temperature = number("temperature")
            require(temperature > 0 && temperature.isFinite()) { "temperature must be above 0" }
            val memory = (entry as Map<*, *>)["memory_frames"]
            require(isCount(memory) || memory == null && "memory_frames" in entry) {
                "memory_frames must be a whole number above 0"
            }
            return Calibration(temperature, rules, (memory as Long? ?: 0L).toInt())
        }

        fun text(bytes: ByteArray): String =
            Charsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString()
    }
}

/**
 * The zip archive at the end of a file, of uncompressed entries. Read by hand, because
 * Android's reader may refuse an archive that does not start the file.
 *
 * @throws IllegalArgumentException, IndexOutOfBoundsException if there is none, or it is
 *     damaged.
 */
private class Archive(private val bytes: ByteArray) {
    private val numbers = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
    private val entries = ArrayList<Int>()

    /** Where the archive begins. */
    val begin: Int

    init {
        var end = bytes.size - 22
        while (numbers.getInt(end) != 0x06054b50) end -= 1
        var entry = numbers.getInt(end + 16)
        require(entry.toLong() + numbers.getInt(end + 12) == end.toLong())
        repeat(short(end + 10)) {
            require(numbers.getInt(entry) == 0x02014b50)
            entries.add(entry)
            entry += 46 + short(entry + 28) + short(entry + 30) + short(entry + 32)
        }
        require(entry == end)
        begin = entries.minOfOrNull { numbers.getInt(it + 42) } ?: end
        require(begin >= 0)
    }

    fun read(name: String): ByteArray {
        for (entry in entries) {
            val nameEnd = entry + 46 + short(entry + 28)
            if (String(bytes, entry + 46, nameEnd - entry - 46, Charsets.UTF_8) != name) continue
            val header = numbers.getInt(entry + 42)
            val size = numbers.getInt(entry + 24)
            val start = header + 30 + short(header + 26) + short(header + 28)
            // Compressed entries have another method than 0; grw_tf writes none.
            require(short(entry + 10) == 0 && numbers.getInt(entry + 20) == size)
            require(size >= 0 && size <= bytes.size - start)
            val content = bytes.copyOfRange(start, start + size)
            require(CRC32().apply { update(content) }.value.toInt() == numbers.getInt(entry + 16))
            return content
        }
        throw IllegalArgumentException("no $name")
    }

    private fun short(at: Int) = numbers.getShort(at).toInt() and 0xFFFF
}
