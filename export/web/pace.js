// Frames whose times the median is taken of.
const MOST_FRAMES = 100;

/** How long the model's frames take. */
export class Pace {
  #milliseconds = [];
  #spent = 0;

  restart() {
    this.#milliseconds = [];
    this.#spent = 0;
  }

  /**
   * @param {number} milliseconds spent since the last call.
   * @param {number} frames of the model that were completed.
   */
  add(milliseconds, frames) {
    this.#spent += milliseconds;
    if (frames === 0) return;
    this.#milliseconds.push(this.#spent / frames);
    if (this.#milliseconds.length > MOST_FRAMES) this.#milliseconds.shift();
    this.#spent = 0;
  }

  /** Returns the median of the last frames in milliseconds; null if there are none. */
  get median() {
    const sorted = [...this.#milliseconds].sort((one, other) => one - other);
    return sorted.length > 0 ? sorted[Math.floor(sorted.length / 2)] : null;
  }
}
