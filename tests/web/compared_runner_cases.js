// What ComparedRunner does with a GPU that is right, wrong, or fails; test_web_session.py
// runs it.

import { ComparedRunner } from "../compared_runner.js";

/** Counts steps; its logits are [steps, 2 * steps], wrong from a step on. */
class CountingRunner {
  closed = false;
  #steps = 0;
  #onDemand;
  #wrongFrom;
  #wrong;

  constructor({ onDemand = false, wrongFrom = Infinity, wrong = NaN } = {}) {
    this.#wrong = wrong;
    this.#onDemand = onDemand;
    this.#wrongFrom = wrongFrom;
  }

  reset() {
    this.#steps = 0;
  }

  setState(name, value) {
    this.#steps = value;
  }

  takeFrame() {}

  async step() {
    this.#steps += 1;
    return this.#onDemand ? null : this.classify();
  }

  async classify() {
    if (this.closed) throw new Error("closed");
    const wrong = this.#steps >= this.#wrongFrom;
    if (wrong && this.#wrongFrom < 0) throw new Error("device lost");
    return Float32Array.of(this.#steps, wrong ? this.#wrong : 2 * this.#steps);
  }

  close() {
    this.closed = true;
  }
}

/**
 * Runs steps on both, and before the last three adds to their number, if asked to; returns the
 * last logits, what was told, and which are closed.
 */
export async function run(steps, onDemand, wrongFrom, wrong, more) {
  const told = [];
  const gpu = new CountingRunner({
    onDemand,
    wrongFrom: wrongFrom ?? Infinity,
    wrong: wrong ?? NaN,
  });
  const cpu = new CountingRunner({ onDemand });
  const runner = new ComparedRunner(gpu, cpu, (text) => told.push(text));
  runner.reset();
  let logits = null;
  for (let step = 0; step < steps; step += 1) {
    if (more && step === steps - 3) runner.setState("steps", step + more);
    runner.takeFrame(null, 0);
    logits = (await runner.step()) ?? (await runner.classify());
  }
  return { logits: [...logits], told, gpuClosed: gpu.closed, cpuClosed: cpu.closed };
}
