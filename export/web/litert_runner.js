import { loadAndCompile, Tensor } from "@litertjs/core";
import { difference } from "./model_check.js";

// The types of tensors that LiteRT.js has.
const ARRAYS = new Map([
  ["float32", Float32Array],
  ["int32", Int32Array],
  ["uint8", Uint8Array],
]);

/** Computes on the CPU, in a number of threads. */
export function onCpu(threads) {
  return { accelerator: "wasm", cpuOptions: { numThreads: threads } };
}

/** Computes on the GPU, in float32. */
export const ON_GPU = { accelerator: "webgpu", gpuOptions: { precision: "fp32" } };

/** Runs the steps of a stream with LiteRT.js, and keeps its states. */
export class LiteRtRunner {
  #exported;
  #model;
  #image;
  #states = new Map();

  /**
   * Opens an exported file's model with the runtime that is loaded.
   *
   * @param {import("./exported_file.js").ExportedFile} exported
   * @param {object} options as `loadAndCompile` takes them: `onCpu` or `ON_GPU`.
   * @returns {Promise<LiteRtRunner>}
   * @throws {Error} if LiteRT.js cannot run it, or it is damaged, or differs from its
   *     manifest.
   */
  static async open(exported, options) {
    for (const { dtype } of exported.states.values()) {
      if (!ARRAYS.has(dtype)) {
        throw new Error(
          `${exported.name} has states in ${dtype}, which LiteRT does not take in browsers:` +
            " export the model again with another --quantization than int8 and int16.",
        );
      }
    }
    let model;
    try {
      model = await loadAndCompile(exported.model, options);
    } catch (error) {
      throw new Error(
        `${exported.name} holds a damaged model (${inOneLine(error)}): copy it again, or export` +
          " the model again.",
        { cause: error },
      );
    }
    const found = difference(exported, model.signatures);
    if (found !== null) {
      model.delete();
      throw new Error(
        `${exported.name} has a manifest of another model (${found}): export the model again.`,
      );
    }
    // LiteRT.js chooses the CPU without a word where the GPU does not take the whole model.
    if (model.options.accelerator !== options.accelerator) {
      model.delete();
      throw new Error("it does not take all operations of this model");
    }
    return new LiteRtRunner(exported, model);
  }

  constructor(exported, model) {
    this.#exported = exported;
    this.#model = model;
    const size = exported.imageShape.reduce((one, other) => one * other);
    this.#image = new (ARRAYS.get(exported.imageDtype))(size);
  }

  reset() {
    const states = [...this.#exported.states];
    this.#replaceStates(
      new Map(states.map(([name, spec]) => [name, filled(spec, spec.initialValue)])),
    );
  }

  setState(name, value) {
    this.#states.get(name).delete();
    this.#states.set(name, filled(this.#exported.states.get(name), value));
  }

  takeFrame(square, index) {
    const start = index * square.length;
    if (this.#exported.imageDtype === "uint8") {
      this.#image.set(square, start);
    } else {
      for (let i = 0; i < square.length; i += 1) this.#image[start + i] = square[i] / 255;
    }
  }

  async step() {
    const image = new Tensor(this.#image, this.#exported.imageShape);
    let outputs;
    try {
      const inputs = { image, ...Object.fromEntries(this.#states) };
      outputs = await this.#model.signatures[this.#exported.stepSignature].run(inputs);
    } finally {
      // LiteRT.js frees nothing by itself.
      image.delete();
    }
    const { logits, ...states } = outputs;
    this.#replaceStates(new Map(Object.entries(states)));
    return logits === undefined ? null : taken(logits);
  }

  async classify() {
    const { classify } = this.#model.signatures;
    const inputs = classify
      .getInputDetails()
      .map(({ name }) => [name, this.#states.get(name)]);
    return taken((await classify.run(Object.fromEntries(inputs))).logits);
  }

  close() {
    this.#replaceStates(new Map());
    if (!this.#model.deleted) this.#model.delete();
  }

  #replaceStates(states) {
    for (const tensor of this.#states.values()) tensor.delete();
    this.#states = states;
  }
}

/** Returns a state's tensor in which all numbers are the same. */
function filled({ dtype, shape }, value) {
  const size = shape.reduce((one, other) => one * other, 1);
  return new Tensor(new (ARRAYS.get(dtype))(size).fill(value), shape);
}

/** Gives a tensor's values, and frees it. */
async function taken(tensor) {
  try {
    return await tensor.data();
  } finally {
    tensor.delete();
  }
}

export function inOneLine(error) {
  return String(error?.message ?? error)
    .trim()
    .replace(/\s+/g, " ");
}
