/**
 * The likeliest classes as a list of bars, likeliest first.
 *
 * Those that reach a threshold of the file have a check mark.
 */
export class ClassBars {
  #list;

  /** @param {HTMLOListElement} list */
  constructor(list) {
    this.#list = list;
  }

  /**
   * @param {Array<{name: string, probability: number, color: number, named: boolean}>}
   *     classes `color`: see class_colors.js.
   */
  show(classes) {
    while (this.#list.children.length > classes.length) this.#list.lastChild.remove();
    while (this.#list.children.length < classes.length) this.#list.append(row());
    classes.forEach(({ name, probability, color, named }, i) => {
      const item = this.#list.children[i];
      const [label, share, track] = item.children;
      // Changing only what differs keeps screen readers' places.
      if (label.textContent !== name) label.textContent = name;
      share.textContent = percent(probability);
      track.firstChild.style.inlineSize = `${(100 * probability).toFixed(1)}%`;
      item.dataset.color = color;
      item.classList.toggle("named", named);
    });
  }
}

/** Returns a probability as text. */
export function percent(probability) {
  return `${(100 * probability).toFixed(probability >= 0.1 ? 0 : 1)} %`;
}

function row() {
  const item = document.createElement("li");
  for (const [tag, name] of [
    ["span", "bar-name"],
    ["span", "bar-share"],
    ["div", "bar-track"],
  ]) {
    const part = document.createElement(tag);
    part.className = name;
    item.append(part);
  }
  const track = item.lastChild;
  track.ariaHidden = "true";
  track.append(document.createElement("div"));
  return item;
}
