import { percent } from "./class_bars.js";
import { COLORS } from "./class_colors.js";
import { reaching } from "./stream_session.js";

const SVG = "http://www.w3.org/2000/svg";
// Steps that are shown; older ones are forgotten.
const MOST_STEPS = 600;
// Of the drawing's own coordinates.
const WIDTH = 1000;
const HEIGHT = 200;
const EVENT_HEIGHT = 6;
// Events that are told in words.
const TOLD_EVENTS = 3;

/**
 * The probabilities of the classes that were once likely, as lines over time, and below them
 * events as bars in the colors of their classes.
 */
export class Timeline {
  #svg;
  #legend;
  #start;
  #end;
  #colors;
  #secondsPerStep = 1;
  #labels = [];
  #thresholds = null;
  // Their probabilities, and when they began, in seconds.
  #steps = [];
  #starts = [];
  #events = [];

  /**
   * @param {{svg: SVGElement, legend: HTMLElement, start: HTMLElement, end: HTMLElement}}
   *     parts the drawing, its legend, and the texts at the ends of its axis.
   * @param {import("./class_colors.js").ClassColors} colors
   */
  constructor({ svg, legend, start, end }, colors) {
    this.#svg = svg;
    this.#legend = legend;
    this.#start = start;
    this.#end = end;
    this.#colors = colors;
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  }

  /**
   * Begins another stream.
   *
   * @param {string[]} labels
   * @param {number} secondsPerStep
   * @param {?number[]} thresholds the scores from which classes are named, or null if the
   *     likeliest class is.
   */
  restart(labels, secondsPerStep, thresholds = null) {
    this.#labels = labels;
    this.#thresholds = thresholds;
    this.#secondsPerStep = secondsPerStep;
    this.#steps = [];
    this.#starts = [];
    this.#events = [];
    this.#colors.clear();
  }

  /** Adds a step's probabilities, and when it began, in seconds. */
  add(probabilities, start) {
    this.#steps.push(probabilities);
    this.#starts.push(start);
    if (this.#steps.length > MOST_STEPS) {
      this.#steps.shift();
      this.#starts.shift();
      this.#events = this.#events.filter(({ end }) => end > this.#starts[0]);
    }
    this.#colors.keep(this.#likeliest());
  }

  /** @param {import("./events.js").Event[]} events that are over. */
  addEvents(events) {
    this.#events.push(...events);
  }

  draw() {
    const classes = this.#likeliest();
    this.#svg.replaceChildren(
      ...this.#grid(),
      ...classes.map((each) => this.#line(each)),
      ...this.#events.map((each) => this.#bar(each)),
    );
    this.#legend.replaceChildren(...classes.map((each) => this.#key(each)));
    const isEmpty = this.#starts.length === 0;
    this.#start.textContent = clockText(isEmpty ? 0 : this.#starts[0]);
    this.#end.textContent = clockText(isEmpty ? 0 : this.#starts.at(-1) + this.#secondsPerStep);
    this.#svg.setAttribute("aria-label", this.#inWords());
  }

  /** Returns the classes with the highest peaks. */
  #likeliest() {
    const peaks = new Float32Array(this.#labels.length);
    for (const step of this.#steps) {
      for (let i = 0; i < peaks.length; i += 1) peaks[i] = Math.max(peaks[i], step[i]);
    }
    return [...peaks.keys()]
      .sort((one, other) => peaks[other] - peaks[one])
      .slice(0, this.#steps.length > 0 ? COLORS : 0);
  }

  #grid() {
    return [0, 0.5, 1].map((share) => {
      const line = document.createElementNS(SVG, "line");
      const y = HEIGHT * (1 - share);
      setAll(line, { x1: 0, x2: WIDTH, y1: y, y2: y, class: "grid" });
      return line;
    });
  }

  #line(index) {
    const line = document.createElementNS(SVG, "polyline");
    // Few steps fill the width as many do.
    const width = WIDTH / Math.max(this.#steps.length - 1, 1);
    const points = this.#steps.map(
      (step, i) => `${(i * width).toFixed(1)},${(HEIGHT * (1 - step[index])).toFixed(1)}`,
    );
    setAll(line, { points: points.join(" "), "data-color": this.#colors.of(index) });
    return line;
  }

  #bar({ start, end, label, score }) {
    const color = this.#colors.of(this.#labels.indexOf(label));
    const [x1, x2] = [start, end].map((time) => this.#placeOf(time));
    const bar = document.createElementNS(SVG, "rect");
    // Events of several labels may overlap, so each color has its place.
    const y = HEIGHT - (color + 1) * EVENT_HEIGHT;
    setAll(bar, { x: x1, y, width: x2 - x1, height: EVENT_HEIGHT, "data-color": color });
    const title = document.createElementNS(SVG, "title");
    const span = [start, end].map((time) => time.toFixed(1)).join(" to ");
    title.textContent = `${label}, ${span} s, ${percent(score)}`;
    bar.append(title);
    return bar;
  }

  /** Returns where a time is drawn: at the first step that began then or later. */
  #placeOf(time) {
    const step = this.#starts.findIndex((start) => start > time - this.#secondsPerStep / 2);
    const last = Math.max(this.#steps.length - 1, 1);
    return (WIDTH * (step < 0 ? last : Math.min(step, last))) / last;
  }

  #key(index) {
    const item = document.createElement("li");
    item.textContent = this.#labels[index];
    item.dataset.color = this.#colors.of(index);
    return item;
  }

  #inWords() {
    if (this.#steps.length === 0) return "Nothing has been classified.";
    const events = this.#events.slice(-TOLD_EVENTS);
    const told = events.map(
      ({ start, end, label }) => `${label} from ${clockText(start)} to ${clockText(end)}`,
    );
    return told.length === 0
      ? this.#sharesInWords()
      : `${this.#sharesInWords()} Last events: ${told.join(", ")}.`;
  }

  #sharesInWords() {
    const counts = new Map();
    for (const step of this.#steps) {
      const named =
        this.#thresholds === null
          ? [step.indexOf(Math.max(...step))]
          : reaching(step, this.#thresholds);
      for (const index of named) counts.set(index, (counts.get(index) ?? 0) + 1);
    }
    const shares = [...counts]
      .sort(([, one], [, other]) => other - one)
      .slice(0, 3)
      .map(
        ([index, count]) => `${this.#labels[index]} ${percent(count / this.#steps.length)}`,
      );
    const seconds = Math.round(this.#steps.length * this.#secondsPerStep);
    if (shares.length === 0) return `No class was named over the last ${seconds} seconds.`;
    const what = this.#thresholds === null ? "Likeliest class" : "Named classes";
    return `${what} over the last ${seconds} seconds: ${shares.join(", ")} of the time.`;
  }
}

function setAll(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}

function clockText(seconds) {
  // Times of steps are multiples of 1 / fps, with rounding errors.
  const whole = Math.floor(seconds + 1e-6);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
