package grw.streaming

import kotlin.math.abs
import kotlin.math.max

/**
 * Chooses frames by their times: at each tick, k / fps seconds after the first frame, the
 * model sees the frame on screen. See grw_tf/frames/clock.py.
 */
internal class FrameClock(
    private val fps: Double,
    private val maxGap: Double,
    private val warn: (String) -> Unit,
) {
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

    /** Seconds without ticks, because times jumped ahead. */
    var skipped = 0.0
        private set

    fun restart() {
        first = null
        skipped = 0.0
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
            warnOnce(
                "overlap",
                "Times overlap or run backwards: such a frame replaces the one before it.",
            )
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
            warnOnce(
                "jump",
                "Time jumps ahead: the previous frame is repeated for $maxGap s, and time" +
                    " continues from there; call reset() where another video begins.",
            )
            formerShift = shift
            shift -= time - until
            skipped += time - until
        } else {
            interval = time - last
        }
        last = until
    }

    private fun setBack(time: Double, intervals: Int) {
        warnOnce(
            "jump",
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

    private fun warnOnce(kind: String, message: String) {
        if (warned.add(kind)) warn(message)
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
