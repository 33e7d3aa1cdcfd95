/** No event and no answer is of this class. */
export const BACKGROUND = "background";

/** The off-threshold of a class as a share of its threshold. */
export const OFF_SHARE = 0.8;
export const LEAST_SECONDS = 0.5;
export const MERGE_GAP = 0.5;

// Times of steps are multiples of 1 / fps, with rounding errors.
const ROUNDING = 1e-6;

/**
 * When events of a model that names one class begin, end, and count.
 *
 * @typedef {object} EventRules
 * @property {number} onThreshold score at which an event of the likeliest class begins.
 * @property {number} offThreshold score of its class below which it ends.
 * @property {number} leastSeconds shortest event that counts.
 * @property {number} mergeGap most seconds between two events of one class that are taken
 *     for one.
 */

/**
 * An event: `start` and `end` in seconds since the first frame, and the highest score of the
 * class in it.
 *
 * @typedef {{start: number, end: number, label: string, score: number}} Event
 */

/** Throws unless all values of rules are in their ranges. */
export function checkRules({ onThreshold, offThreshold, leastSeconds, mergeGap }) {
  for (const [name, value] of Object.entries({ onThreshold, offThreshold })) {
    if (!(value > 0 && value <= 1)) {
      throw new Error(
        `${name} is ${value}: scores are probabilities, so it must be above 0 and at most 1.`,
      );
    }
  }
  if (offThreshold > onThreshold) {
    throw new Error(
      `offThreshold is ${offThreshold}, above onThreshold, which is ${onThreshold}: events` +
        " would end as they begin; give a lower one.",
    );
  }
  for (const [name, value] of Object.entries({ leastSeconds, mergeGap })) {
    if (!(value >= 0 && value < Infinity)) {
      throw new Error(`${name} is ${value}: it must be 0 s or more.`);
    }
  }
}

/** Turns scores of steps into events. See grw_tf/streaming/events.py. */
export class EventDetector {
  #labels;
  #on;
  #off;
  #overlap;
  #leastSeconds;
  #mergeGap;
  // The events that go on, by class, and those that ended, by start.
  #open = new Map();
  #ended = [];

  /**
   * @param {string[]} labels
   * @param {object} thresholds
   * @param {number[]} thresholds.on of each class.
   * @param {number[]} thresholds.off of each class.
   * @param {boolean} thresholds.overlap whether each class has its own events, whatever the
   *     others do; else there is one at a time, of the likeliest class.
   * @param {number} leastSeconds as of EventRules.
   * @param {number} mergeGap as of EventRules.
   */
  constructor(labels, { on, off, overlap }, leastSeconds, mergeGap) {
    this.#labels = labels;
    this.#on = on;
    this.#off = off;
    this.#overlap = overlap;
    this.#leastSeconds = leastSeconds;
    this.#mergeGap = mergeGap;
  }

  /**
   * Returns what finds events by rules.
   *
   * @param {string[]} labels
   * @param {EventRules} rules
   */
  static ofRules(labels, { onThreshold, offThreshold, leastSeconds, mergeGap }) {
    const thresholds = {
      on: labels.map(() => onThreshold),
      off: labels.map(() => offThreshold),
      overlap: false,
    };
    return new EventDetector(labels, thresholds, leastSeconds, mergeGap);
  }

  /**
   * Takes the scores of a step from `start` to `end`, in seconds. Steps come in order.
   *
   * @returns {Event[]} the events that are over and can no longer be merged with a later one.
   */
  push(start, end, scores) {
    const begin = this.#begin(scores);
    for (const [index, event] of [...this.#open]) {
      const replaced = begin.length > 0 && !begin.includes(index) && !this.#overlap;
      // A broken model's NaN reaches no threshold.
      const holds = scores[index] >= this.#off[index];
      if (start > event.end + ROUNDING || !holds || replaced) {
        this.#close(index);
      } else {
        extend(event, end, scores[index]);
      }
    }
    for (const index of begin) {
      const label = this.#labels[index];
      if (this.#open.has(index) || label === BACKGROUND) continue;
      const event = this.#takenUp(label, start) ?? { start, end, label, score: 0 };
      extend(event, end, scores[index]);
      this.#open.set(index, event);
    }
    return this.#takeSettled(end);
  }

  /** Ends the stream; returns the events left, and starts over. */
  finish() {
    for (const index of [...this.#open.keys()]) this.#close(index);
    const events = this.#takeSettled(Infinity);
    this.#ended = [];
    return events;
  }

  /** Returns the classes of which an event begins if none goes on. */
  #begin(scores) {
    const high = (index) => scores[index] >= this.#on[index];
    if (this.#overlap) return [...scores.keys()].filter(high);
    const best = likeliest(scores);
    return high(best) ? [best] : [];
  }

  #close(index) {
    this.#ended.push(this.#open.get(index));
    this.#ended.sort((one, other) => one.start - other.start);
    this.#open.delete(index);
  }

  /** Removes and returns the event that one of a class continues; null if none. */
  #takenUp(label, start) {
    const place = this.#ended.findIndex(
      (event) => event.label === label && start - event.end <= this.#mergeGap + ROUNDING,
    );
    return place < 0 ? null : this.#ended.splice(place, 1)[0];
  }

  #takeSettled(now) {
    const settled = now - this.#mergeGap - ROUNDING;
    this.#ended = this.#ended.filter(
      ({ start, end }) => end >= settled || end - start >= this.#leastSeconds - ROUNDING,
    );
    const unsettled = [
      ...this.#ended.filter(({ end }) => end >= settled),
      ...this.#open.values(),
    ];
    const first = Math.min(...unsettled.map(({ start }) => start));
    const count = this.#ended.filter(({ start }) => start < first).length;
    return this.#ended.splice(0, count);
  }
}

/** Returns the first index of the highest score; 0 if the scores are NaN. */
export function likeliest(scores) {
  return scores.reduce((best, score, index) => (score > scores[best] ? index : best), 0);
}

function extend(event, end, score) {
  event.end = end;
  event.score = Math.max(event.score, score);
}
