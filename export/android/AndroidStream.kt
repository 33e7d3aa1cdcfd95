// What a stream needs of Android and LiteRT. Not compiled in this repository's tests.
//
// It uses LiteRT's Interpreter, which runs on the CPU and takes the bytes of a frame:
//     implementation("com.google.ai.edge.litert:litert:2.3.0")
// LiteRT's CompiledModel for Kotlin has no UINT8 tensors. To use it instead, export with
// --image_dtype=float32 and write another Runner.

package grw.streaming

import android.graphics.Bitmap
import android.util.Log
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Interpreter

private const val TAG = "StreamSession"

/**
 * Opens an exported .tflite file; copy an asset to a file first.
 *
 * @param numThreads number of threads.
 * @param maxGap seconds that a frame is repeated for when times jump ahead.
 * @param findEvents as of [StreamSession], and so are the next two.
 * @throws java.io.IOException if the file cannot be read.
 * @throws IllegalArgumentException if it is damaged or not an export of this project.
 */
fun openStream(
    file: File,
    numThreads: Int = 1,
    maxGap: Double = 1.0,
    findEvents: Boolean = false,
    rules: EventRules? = null,
    memoryFrames: Int? = null,
): StreamSession {
    val exported = ExportedFile(file)
    val runner = LiteRtRunner(exported, numThreads)
    try {
        return StreamSession(exported, runner, maxGap, findEvents, rules, memoryFrames) {
            Log.w(TAG, it)
        }
    } catch (error: IllegalArgumentException) {
        runner.close()
        throw error
    }
}

/** As [StreamSession.push], for a bitmap. */
fun StreamSession.push(frame: Bitmap, time: Double? = null): FloatArray? {
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

/** Runs the steps of a stream with LiteRT's interpreter. */
class LiteRtRunner(private val exported: ExportedFile, numThreads: Int) : Runner {
    private val interpreter =
        Interpreter(exported.file, Interpreter.Options().setNumThreads(numThreads))
    private val takesBytes = exported.imageDtype == "uint8"
    private val classified: List<String>
    private val image: ByteBuffer
    private val logits = direct(exported.labels.size * Float.SIZE_BYTES)

    // A step reads one set of states and writes the other; then they are swapped.
    private var now: Map<String, ByteBuffer>
    private var next: Map<String, ByteBuffer>

    init {
        val file = exported.file
        for (name in exported.signatures) {
            require(name in interpreter.signatureKeys) {
                "$file has a manifest of another model: the model has no signature $name."
            }
        }
        classified =
            if ("classify" in interpreter.signatureKeys) {
                interpreter.getSignatureInputs("classify").toList()
            } else {
                emptyList()
            }
        val maker = if (classified.isEmpty()) "step" else "classify"
        val result = interpreter.getOutputTensorFromSignature("logits", maker)
        require(
            result.dataType() == DataType.FLOAT32 && result.numElements() == exported.labels.size,
        ) { "$file has labels of another model: export it again." }
        val bytes = exported.states.mapValues { (name, spec) ->
            val tensor = interpreter.getInputTensorFromSignature(name, "step")
            require(tensor.shape().toList() == spec.shape) {
                "$file has a manifest of another model: export it again."
            }
            tensor.numBytes()
        }
        image = direct(interpreter.getInputTensorFromSignature("image", "step").numBytes())
        now = bytes.mapValues { direct(it.value) }
        next = bytes.mapValues { direct(it.value) }
    }

    override fun reset() {
        for ((name, spec) in exported.states) setState(name, spec.initialValue)
    }

    override fun setState(name: String, value: Double) =
        fill(rewound(now.getValue(name)), exported.states.getValue(name).dtype, value)

    override fun takeFrame(square: ByteArray, index: Int) {
        if (index == 0) image.rewind()
        if (takesBytes) {
            image.put(square)
        } else {
            for (byte in square) image.putFloat((byte.toInt() and 0xFF) / 255f)
        }
    }

    override fun step(): FloatArray? {
        val inputs = HashMap<String, Any>(now.mapValues { rewound(it.value) })
        inputs["image"] = rewound(image)
        val outputs = HashMap<String, Any>(next.mapValues { rewound(it.value) })
        if (classified.isEmpty()) outputs["logits"] = rewound(logits)
        interpreter.runSignature(inputs, outputs, "step")
        now = next.also { next = now }
        return if (classified.isEmpty()) readLogits() else null
    }

    override fun classify(): FloatArray {
        val inputs = classified.associateWith { rewound(now.getValue(it)) }
        interpreter.runSignature(inputs, mapOf("logits" to rewound(logits)), "classify")
        return readLogits()
    }

    override fun close() = interpreter.close()

    private fun readLogits() =
        FloatArray(exported.labels.size).also { rewound(logits).asFloatBuffer().get(it) }

    private companion object {
        fun direct(bytes: Int): ByteBuffer =
            ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

        fun rewound(buffer: ByteBuffer): ByteBuffer = buffer.apply { rewind() }

        fun fill(buffer: ByteBuffer, dtype: String, value: Double) {
            while (buffer.hasRemaining()) {
                when (dtype) {
                    "float32" -> buffer.putFloat(value.toFloat())
                    "int32" -> buffer.putInt(value.toInt())
                    "int16" -> buffer.putShort(value.toInt().toShort())
                    else -> buffer.put(value.toInt().toByte())
                }
            }
        }
    }
}
