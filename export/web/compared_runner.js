// Steps of a stream that both processors run. A fault of a delegate shows by the second,
// which is the first to read states that the delegate wrote.
const COMPARED_STEPS = 8;
// Of the largest logit. The GPU computes in float32, so only rounding differs.
const TOLERANCE = 1e-2;

/**
 * Runs a stream on a GPU, and its first steps on the CPU too. If the logits differ, or the
 * GPU fails, it tells so and goes on with the CPU, which has seen all steps.
 */
export class ComparedRunner {
  #gpu;
  #cpu;
  #tell;
  #steps = 0;
  #agreed = false;

  /**
   * @param {import("./stream_session.js").Runner} gpu
   * @param {import("./stream_session.js").Runner} cpu
   * @param {function(string): void} tell receives what was found, once.
   */
  constructor(gpu, cpu, tell) {
    this.#gpu = gpu;
    this.#cpu = cpu;
    this.#tell = tell;
  }

  reset() {
    this.#steps = 0;
    this.#gpu?.reset();
    this.#cpu?.reset();
  }

  setState(name, value) {
    this.#gpu?.setState(name, value);
    this.#cpu?.setState(name, value);
  }

  takeFrame(square, index) {
    this.#gpu?.takeFrame(square, index);
    this.#cpu?.takeFrame(square, index);
  }

  async step() {
    if (this.#agreed) return this.#gpu.step();
    const expected = await this.#cpu.step();
    if (this.#gpu === null) return expected;
    let found;
    try {
      found = await this.#gpu.step();
      // Logits on demand are compared too, though nobody has asked for them yet.
      const pair =
        expected === null
          ? [await this.#cpu.classify(), await this.#gpu.classify()]
          : [expected, found];
      const share = difference(...pair);
      // Not a number is no small difference.
      if (!(share <= TOLERANCE)) {
        const told = Number.isFinite(share)
          ? `${(100 * share).toFixed(1)} %`
          : "more than all";
        this.#fallBack(`The GPU's logits differ from the CPU's by ${told} of the largest`);
        return expected;
      }
    } catch (error) {
      this.#fallBack(`The GPU failed (${error.message})`);
      return expected;
    }
    this.#steps += 1;
    if (this.#steps === COMPARED_STEPS) this.#trust();
    return found;
  }

  async classify() {
    return (this.#gpu ?? this.#cpu).classify();
  }

  close() {
    this.#gpu?.close();
    this.#cpu?.close();
  }

  #trust() {
    this.#agreed = true;
    this.#cpu.close();
    this.#cpu = null;
    this.#tell(`The GPU gave the CPU's logits in the first ${COMPARED_STEPS} steps.`);
  }

  #fallBack(what) {
    this.#gpu.close();
    this.#gpu = null;
    this.#tell(`${what}: the CPU computes instead.`);
  }
}

/** Returns the largest difference as a share of the largest logit. */
function difference(expected, found) {
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((each, i) => Math.abs(each - found[i]))) / largest;
}
