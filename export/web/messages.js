// Milliseconds between two announcements of the likeliest class.
const LEAST_PAUSE = 3000;

/** Tells users of errors, warnings and what is going on; screen readers also of results. */
export class Messages {
  #alert;
  #status;
  #note;
  #spoken;
  #spokenClass = null;
  #spokenAt = -Infinity;

  /**
   * @param {{alert: HTMLElement, status: HTMLElement, note: HTMLElement,
   *     spoken: HTMLElement}} parts
   */
  constructor({ alert, status, note, spoken }) {
    this.#alert = alert;
    this.#status = status;
    this.#note = note;
    this.#spoken = spoken;
    alert.querySelector("button").addEventListener("click", () => this.clearError());
  }

  error(error) {
    this.#show(error.message);
  }

  clearError() {
    this.#show("");
  }

  /** Tells what goes on; "" for nothing. */
  status(text) {
    // Screen readers may read the same text again when it is written again.
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }

  /** Tells what to know of the results, below what it told before. */
  warn(text) {
    const line = document.createElement("p");
    line.textContent = text;
    this.#note.append(line);
  }

  /** Takes back all that it told. */
  clear() {
    this.clearError();
    this.status("");
    this.#note.replaceChildren();
  }

  /** Lets screen readers tell another likeliest class, not too often. */
  announce(name, share) {
    const now = performance.now();
    if (name === this.#spokenClass || now - this.#spokenAt < LEAST_PAUSE) return;
    this.#spokenClass = name;
    this.#spokenAt = now;
    this.#spoken.textContent = `${name}, ${share}`;
  }

  forgetAnnounced() {
    this.#spokenClass = null;
    this.#spokenAt = -Infinity;
    this.#spoken.textContent = "";
  }

  #show(text) {
    this.#alert.querySelector("p").textContent = text;
    this.#alert.hidden = text === "";
  }
}
