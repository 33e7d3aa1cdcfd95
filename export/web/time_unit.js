const UNITS = [
  { name: "milliseconds", longest: 1e3, perSecond: 1_000 },
  // For 11 to 90 frames a second; microseconds this short mean 125 or more.
  { name: "90 kHz ticks", longest: 8e3, perSecond: 90_000 },
  { name: "microseconds", longest: 1e6, perSecond: 1_000_000 },
  { name: "nanoseconds", longest: Infinity, perSecond: 1_000_000_000 },
];
// Seconds. At up to 200 frames a second, milliseconds read as seconds exceed this.
const LEAST_STEP = 5;
// Seconds. No usual gap is as long, so steps beyond it need not be even.
const LONGEST_GAP = 1000;
// Steps between frames: the fewest that decide, and how many settle on seconds.
const FEWEST_STEPS = 3;
const MOST_STEPS = 5;
// This many frames settle on seconds, even if they all have the same time.
const MOST_FRAMES = 12;
// A step within this factor of the median is near it.
const NEAR = 2;
// Frames a second. Steps of a higher rate make a unit implausible.
const MOST_RATE = 1000;

/**
 * Decides from the first frames of a stream whether times are in seconds or in a smaller
 * unit. See grw_tf/frames/time_unit.py for the rule.
 */
export class TimeUnit {
  #leastStep;
  #times = [];
  #settled = false;

  /** @param {number} maxGap seconds that a frame is repeated for when times jump ahead. */
  constructor(maxGap) {
    this.#leastStep = Math.max(LEAST_STEP, maxGap);
  }

  restart() {
    this.#times = [];
    this.#settled = false;
  }

  /**
   * Takes the time of the next frame.
   *
   * @param {number} time
   * @returns {boolean} whether the frame can be shown; if not, its time is in doubt until a
   *     later call returns true or throws.
   * @throws {Error} if times seem to be in another unit than seconds.
   */
  check(time) {
    if (this.#settled) return true;
    const taken = [...this.#times, time];
    const steps = taken
      .slice(1)
      .map((each, i) => each - taken[i])
      .filter((step) => step > 0)
      .sort((one, other) => one - other);
    const long = steps.filter((step) => step > this.#leastStep).length;
    if (steps.length - long < 2) {
      const unit = smallerUnit(steps);
      if (unit !== null) {
        throw new Error(
          `Times of frames must be in seconds, and ${taken.join(", ")} look like` +
            ` ${unit.name}: divide them by ${unit.perSecond}. If a frame does come every` +
            ` ${median(steps)} s, open the session with a maxGap above that.`,
        );
      }
      this.#settled = steps.length >= MOST_STEPS || taken.length >= MOST_FRAMES;
    } else {
      this.#settled = true;
    }
    this.#times = taken;
    return this.#settled || long === 0;
  }
}

function median(sorted) {
  return sorted[Math.floor(sorted.length / 2)];
}

/** Takes sorted steps; returns null if they may be seconds. */
function smallerUnit(steps) {
  if (steps.length < FEWEST_STEPS) return null;
  const middle = median(steps);
  const unit = UNITS.find(({ longest }) => middle <= longest);
  if (steps.length < MOST_STEPS && steps[0] * MOST_RATE < unit.perSecond) return null;
  const near = steps.filter((step) => middle / NEAR <= step && step <= middle * NEAR).length;
  return middle <= LONGEST_GAP && 2 * near <= steps.length ? null : unit;
}
