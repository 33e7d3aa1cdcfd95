/** Colors that the style sheet has; 0 is for all other classes. */
export const COLORS = 5;

/** Gives colors to the classes that matter, and keeps them while these do. */
export class ClassColors {
  #byClass = new Map();

  clear() {
    this.#byClass.clear();
  }

  /**
   * Gives the colors to these classes, in place of those that are no longer among them.
   *
   * @param {number[]} classes at most `COLORS` indices.
   */
  keep(classes) {
    for (const each of this.#byClass.keys()) {
      if (!classes.includes(each)) this.#byClass.delete(each);
    }
    for (const each of classes) {
      if (this.#byClass.has(each)) continue;
      const taken = new Set(this.#byClass.values());
      let color = 1;
      while (taken.has(color)) color += 1;
      this.#byClass.set(each, color);
    }
  }

  /** Returns a class's color, 1 to `COLORS`, or 0. */
  of(index) {
    return this.#byClass.get(index) ?? 0;
  }
}
