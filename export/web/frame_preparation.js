/**
 * Resizes a frame and crops the middle square, as the model was validated.
 *
 * The frame keeps its aspect ratio and its shorter side becomes `side` pixels, or it is
 * squashed to `side` by `side` pixels. Pixels are means over their area if neither side
 * grows, otherwise linearly interpolated.
 */
export class FramePreparation {
  #shortSide;
  #side;
  #size;
  #width = 0;
  #height = 0;
  #rows = [];
  #columns = [];

  /**
   * @param {boolean} shortSide whether frames keep their aspect ratio.
   * @param {number} side pixels of the shorter side, or of both.
   * @param {number} size pixels of the square's sides.
   */
  constructor(shortSide, side, size) {
    this.#shortSide = shortSide;
    this.#side = side;
    this.#size = size;
  }

  /**
   * @param {Uint8Array} pixels bytes [height, width, channels]: RGB, or RGBA, whose fourth
   *     channel is left out.
   * @returns {Uint8Array} bytes [size, size, 3].
   */
  prepare(pixels, width, height) {
    if (width !== this.#width || height !== this.#height) this.#measure(width, height);
    const channels = pixels.length / (width * height);
    const square = new Uint8Array(this.#size * this.#size * 3);
    // Columns outside the crop are not computed.
    const first = this.#columns[0].first;
    const last = this.#columns.at(-1);
    const begin = first * channels;
    const line = new Float32Array((last.first + last.weights.length) * channels - begin);
    let target = 0;
    for (const row of this.#rows) {
      line.fill(0);
      row.weights.forEach((weight, i) => {
        const start = (row.first + i) * width * channels + begin;
        for (let j = 0; j < line.length; j += 1) line[j] += weight * pixels[start + j];
      });
      for (const column of this.#columns) {
        const { weights } = column;
        const start = (column.first - first) * channels;
        for (let channel = 0; channel < 3; channel += 1) {
          let sum = 0;
          for (let i = 0; i < weights.length; i += 1) {
            sum += weights[i] * line[start + i * channels + channel];
          }
          square[target] = Math.min(255, Math.round(sum));
          target += 1;
        }
      }
    }
    return square;
  }

  /** A camera's frames all have one size, so the weights are computed once. */
  #measure(width, height) {
    const rows = this.#resized(height, width);
    const columns = this.#resized(width, height);
    const byArea = height >= rows && width >= columns;
    this.#rows = this.#find(height, rows, byArea);
    this.#columns = this.#find(width, columns, byArea);
    this.#width = width;
    this.#height = height;
  }

  #resized(length, other) {
    if (!this.#shortSide) return this.#side;
    return Math.max(this.#side, Math.floor((length * this.#side) / other));
  }

  /** Returns the input pixels and weights that give each kept row or column. */
  #find(length, resized, byArea) {
    const start = Math.floor((resized - this.#size) / 2);
    const scale = length / resized;
    return Array.from({ length: this.#size }, (_, i) =>
      byArea ? areaTaps(start + i, scale, length) : linearTaps(start + i, scale, length),
    );
  }
}

function areaTaps(index, scale, length) {
  const from = index * scale;
  const to = (index + 1) * scale;
  const first = Math.floor(from);
  const end = Math.min(length, Math.ceil(to));
  const weights = Float32Array.from({ length: end - first }, (_, i) => {
    const pixel = first + i;
    return (Math.min(to, pixel + 1) - Math.max(from, pixel)) / scale;
  });
  return { first, weights };
}

function linearTaps(index, scale, length) {
  const center = Math.min(Math.max((index + 0.5) * scale - 0.5, 0), length - 1);
  const first = Math.floor(center);
  const share = center - first;
  return { first, weights: Float32Array.from(share > 0 ? [1 - share, share] : [1]) };
}
