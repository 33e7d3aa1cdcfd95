package grw.streaming

import kotlin.math.max

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
