// Containers round times to a millisecond.
export const TOLERANCE = 1e-3;
// Seconds. A longer gap is a jump of the clock.
const LEAST_JUMP = 10;
// Seconds. A frame earlier by more than this was not merely stored out of order.
const MOST_OUT_OF_ORDER = 1;

/**
 * Chooses frames by their times: at each tick, k / fps seconds after the first frame, the
 * model sees the frame on screen. See grw_tf/frames/clock.py.
 */
export class FrameClock {
  #fps;
  #maxGap;
  #warn;
  #warned = new Set();
  #first = null;
  #last = 0;
  #interval = 0;
  #tick = 0;
  // Time of the last frame, if it replaced another.
  #early = null;
  // Correction added to times after they were set back or jumped.
  #shift = 0;
  // The correction before the last jump.
  #formerShift = 0;

  /** Seconds without ticks, because times jumped ahead. */
  skipped = 0;

  /**
   * @param {number} fps ticks per second.
   * @param {number} maxGap seconds that a frame is repeated for when times jump ahead.
   * @param {function(string): void} warn receives warnings.
   */
  constructor(fps, maxGap, warn) {
    this.#fps = fps;
    this.#maxGap = maxGap;
    this.#warn = warn;
  }

  restart() {
    this.#first = null;
    this.skipped = 0;
  }

  /** Takes the time of the next frame; returns how many ticks the previous one covers. */
  arrive(time) {
    checkTime(time);
    if (this.#first === null) {
      this.#begin(time);
      return 0;
    }
    if (this.#fitsFormer(time)) {
      [this.#shift, this.#formerShift] = [this.#formerShift, this.#shift];
    }
    const shifted = time + this.#shift;
    const gap = shifted - this.#last;
    const before = this.#early;
    this.#early = null;
    const rises = before !== null && before < shifted && shifted < this.#last;
    if (gap > 0) {
      this.#goAhead(shifted);
    } else if (gap < -MOST_OUT_OF_ORDER || rises) {
      this.#setBack(shifted, before === null ? 1 : 2);
    } else {
      this.#early = shifted;
      this.#warnOnce(
        "overlap",
        "Times overlap or run backwards: such a frame replaces the one before it.",
      );
    }
    return this.#ticksBefore(this.#last);
  }

  /** Ends the video, at a time or after one more interval; returns the last frame's ticks. */
  end(time = null) {
    checkEnd(time);
    if (this.#first === null) return 0;
    const end = time === null ? this.#last + this.#interval : time + this.#shift;
    const shortest = this.#last + 2 * TOLERANCE;
    const count = this.#ticksBefore(Math.max(this.#shownUntil(end), shortest));
    this.restart();
    return count;
  }

  #begin(time) {
    this.#first = time;
    this.#last = time;
    this.#interval = 1 / this.#fps;
    this.#tick = 0;
    this.#early = null;
    this.#shift = 0;
    this.#formerShift = 0;
  }

  get #leastJump() {
    return Math.max(this.#maxGap, LEAST_JUMP);
  }

  #fitsFormer(time) {
    const gap = time + this.#shift - this.#last;
    const jumps = gap < -MOST_OUT_OF_ORDER || gap > this.#leastJump;
    return jumps && Math.abs(time + this.#formerShift - this.#last) <= MOST_OUT_OF_ORDER;
  }

  #shownUntil(time) {
    return time - this.#last > this.#leastJump ? this.#last + this.#maxGap : time;
  }

  #goAhead(time) {
    const until = this.#shownUntil(time);
    if (until < time) {
      this.#warnOnce(
        "jump",
        `Time jumps ahead: the previous frame is repeated for ${this.#maxGap} s, and time` +
          " continues from there; start anew where another video begins.",
      );
      this.#formerShift = this.#shift;
      this.#shift -= time - until;
      this.skipped += time - until;
    } else {
      this.#interval = time - this.#last;
    }
    this.#last = until;
  }

  #setBack(time, intervals) {
    this.#warnOnce(
      "jump",
      "Time is set back: it continues from where it was; start anew where another video" +
        " begins.",
    );
    this.#formerShift = this.#shift;
    this.#last += intervals * this.#interval;
    this.#shift += this.#last - time;
  }

  #ticksBefore(time) {
    const before = this.#tick;
    while (this.#tick / this.#fps < time - this.#first - TOLERANCE) this.#tick += 1;
    return this.#tick - before;
  }

  #warnOnce(kind, message) {
    if (this.#warned.has(kind)) return;
    this.#warned.add(kind);
    this.#warn(message);
  }
}

/** Throws unless a frame's time is a finite number. */
export function checkTime(time) {
  if (!Number.isFinite(time)) {
    throw new Error(`A frame's time is ${time}: it must be a number of seconds.`);
  }
}

/** Throws unless the end's time is null or a number; infinity means that it is unknown. */
export function checkEnd(time) {
  if (time !== null && (typeof time !== "number" || Number.isNaN(time))) {
    throw new Error("The end's time must be a number of seconds.");
  }
}
