package grw.streaming

import kotlin.math.max
import kotlin.math.min

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
