package grw.streaming

import kotlin.math.max
import kotlin.math.min

/** No event and no answer is of this class. */
internal const val BACKGROUND = "background"

/**
 * When events of a model that names one class begin, end, and count.
 *
 * @property onThreshold score at which an event of the likeliest class begins.
 * @property offThreshold score of its class below which the event ends.
 * @property leastSeconds shortest event that counts.
 * @property mergeGap most seconds between two events of one class that are taken for one.
 * @throws IllegalArgumentException if a value is out of its range.
 */
class EventRules(
    val onThreshold: Double,
    val offThreshold: Double,
    val leastSeconds: Double = LEAST_SECONDS,
    val mergeGap: Double = MERGE_GAP,
) {
    init {
        for ((name, value) in listOf(
            "onThreshold" to onThreshold,
            "offThreshold" to offThreshold,
        )) {
            require(value > 0 && value <= 1) {
                "$name is $value: scores are probabilities, so it must be above 0 and at most 1."
            }
        }
        require(offThreshold <= onThreshold) {
            "offThreshold is $offThreshold, above onThreshold, which is $onThreshold: events" +
                " would end as they begin; give a lower one."
        }
        for ((name, value) in listOf("leastSeconds" to leastSeconds, "mergeGap" to mergeGap)) {
            require(value >= 0 && value.isFinite()) { "$name is $value: it must be 0 s or more." }
        }
    }

    internal companion object {
        const val LEAST_SECONDS = 0.5
        const val MERGE_GAP = 0.5

        /** The off-threshold of a class as a share of its threshold. */
        const val OFF_SHARE = 0.8
    }
}

/**
 * An event.
 *
 * @property start in seconds since the first frame.
 * @property end likewise.
 * @property label name of the class.
 * @property score the highest score of the class in it.
 */
data class Event(val start: Double, val end: Double, val label: String, val score: Double)

/**
 * Turns scores of steps into events. See grw_tf/streaming/events.py.
 *
 * @param on score of each class at which its event begins.
 * @param off score of each class below which its event ends.
 * @param overlap whether each class has its own events, whatever the others do; otherwise there
 *     is one at a time, of the likeliest class.
 */
internal class EventDetector(
    private val labels: List<String>,
    private val on: List<Double>,
    private val off: List<Double>,
    private val overlap: Boolean,
    private val leastSeconds: Double,
    private val mergeGap: Double,
) {
    constructor(labels: List<String>, rules: EventRules) : this(
        labels,
        labels.map { rules.onThreshold },
        labels.map { rules.offThreshold },
        false,
        rules.leastSeconds,
        rules.mergeGap,
    )

    // The events that go on, by class, and those that ended, by start.
    private val open = LinkedHashMap<Int, Event>()
    private val ended = ArrayList<Event>()

    /**
     * Takes the scores of a step from [start] to [end], in seconds. Steps come in order.
     *
     * @return the events that are over and can no longer be merged with a later one.
     */
    fun push(start: Double, end: Double, scores: List<Double>): List<Event> {
        val begin = begin(scores)
        for ((index, event) in open.toList()) {
            val replaced = begin.isNotEmpty() && index !in begin && !overlap
            // A broken model's NaN reaches no threshold.
            val holds = scores[index] >= off[index]
            if (start > event.end + ROUNDING || !holds || replaced) {
                close(index)
            } else {
                open[index] = longer(event, end, scores[index])
            }
        }
        for (index in begin) {
            val label = labels[index]
            if (index in open || label == BACKGROUND) continue
            val event = takenUp(label, start) ?: Event(start, end, label, 0.0)
            open[index] = longer(event, end, scores[index])
        }
        return takeSettled(end)
    }

    /** Ends the stream; returns the events left, and starts over. */
    fun finish(): List<Event> {
        for (index in open.keys.toList()) close(index)
        return takeSettled(Double.POSITIVE_INFINITY).also { ended.clear() }
    }

    /** Returns the classes of which an event begins if none goes on. */
    private fun begin(scores: List<Double>): List<Int> {
        val candidates = if (overlap) scores.indices.toList() else listOf(best(scores))
        return candidates.filter { scores[it] >= on[it] }
    }

    private fun close(index: Int) {
        ended.add(open.remove(index)!!)
        ended.sortBy { it.start }
    }

    /** Removes and returns the event that one of a class continues; null if none. */
    private fun takenUp(label: String, start: Double): Event? {
        val event = ended.firstOrNull {
            it.label == label && start - it.end <= mergeGap + ROUNDING
        }
        if (event != null) ended.remove(event)
        return event
    }

    private fun takeSettled(now: Double): List<Event> {
        val settled = now - mergeGap - ROUNDING
        ended.removeAll { it.end < settled && it.end - it.start < leastSeconds - ROUNDING }
        var first = Double.POSITIVE_INFINITY
        for (event in ended.filter { it.end >= settled } + open.values) {
            first = min(first, event.start)
        }
        val taken = ended.takeWhile { it.start < first }
        ended.subList(0, taken.size).clear()
        return taken
    }

    private companion object {
        // Times of steps are multiples of 1 / fps, with rounding errors.
        const val ROUNDING = 1e-6

        fun longer(event: Event, end: Double, score: Double) =
            event.copy(end = end, score = max(event.score, score))
    }
}

/** Returns the first index of the highest score. */
internal fun best(scores: List<Double>): Int = scores.indices.maxBy { scores[it] }
