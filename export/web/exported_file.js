import { crc32 } from "./crc32.js";
import { checkRules } from "./events.js";
import { parseJson } from "./json.js";
import { ZipArchive } from "./zip_archive.js";

const NEWEST_FORMAT = 3n;
// Since then a file may have sigmoids, which older readers would take for a softmax.
const SIGMOID_FORMAT = 3n;
// In pixels. Larger values are wrong, and would fill the memory.
const MOST_RESIZE = 10_000n;
const MOST_FLOAT = 3.4028234663852886e38;
const MOST_COUNT = 2n ** 31n - 1n;
const LIMITS = new Map([
  ["int32", [-(2 ** 31), 2 ** 31 - 1]],
  ["int16", [-(2 ** 15), 2 ** 15 - 1]],
  ["int8", [-128, 127]],
  ["uint8", [0, 255]],
]);

/**
 * An exported file's model, labels and manifest.
 *
 * They are checked as in grw_tf/streaming/exported_file.py, and so is the model's checksum.
 */
export class ExportedFile {
  /**
   * @param {string} name the file's name, for messages.
   * @param {Uint8Array} bytes its content.
   * @throws {Error} if it is damaged or not an export of this project.
   */
  constructor(name, bytes) {
    const foreign =
      "it is not an export of grw_tf, or only a part of one: export the model again.";
    let labels, manifest, modelSize;
    try {
      const archive = new ZipArchive(bytes);
      labels = text(archive.read("labels.txt")).replace(/\n$/, "").split("\n");
      manifest = parseJson(text(archive.read("manifest.json")));
      modelSize = archive.begin;
    } catch {
      throw new Error(`${name} carries no labels and manifest: ${foreign}`);
    }
    if (modelSize < 8 || String.fromCharCode(...bytes.subarray(4, 8)) !== "TFL3") {
      throw new Error(`${name} carries no TFLite model: ${foreign}`);
    }
    if (!(manifest instanceof Map)) manifest = new Map();
    const version = manifest.get("format_version");
    if (typeof version === "bigint" && version > NEWEST_FORMAT) {
      throw new Error(
        `${name} has format ${version}, and this page reads formats up to ${NEWEST_FORMAT}:` +
          " use a newer one.",
      );
    }
    if (classifiesClips(manifest)) {
      throw new Error(
        `${name} classifies whole clips and cannot be streamed: export a stream model, or open` +
          " it with grw_tf.streaming.ClipClassifier in Python.",
      );
    }
    if (!isStream(manifest, labels.length)) {
      throw new Error(
        `${name} has a manifest that does not describe a stream of frames with` +
          ` ${labels.length} labels: it is damaged, or another program wrote it.`,
      );
    }
    /** The bytes of the model. */
    this.model = bytes.subarray(0, modelSize);
    const sum = manifest.get("model_crc32") ?? null;
    if (sum !== null && sum !== BigInt(crc32(this.model))) {
      throw new Error(`${name} is damaged: copy it again, or export the model again.`);
    }
    try {
      /**
       * What grw-calibrate put into the file: what logits are divided by before the softmax
       * that gives scores; when answers count and events begin and end, null if it is not
       * calibrated; and the frames beyond which the model forgets, 0 for never.
       *
       * @type {{temperature: number, rules: ?import("./events.js").EventRules,
       *     memoryFrames: number}}
       */
      this.calibration = readCalibration(manifest.get("none_of_these") ?? null);
    } catch (error) {
      const reason = error.message.replace(/\.$/, "");
      throw new Error(
        `${name} has thresholds that cannot be used (${reason}): calibrate it again.`,
      );
    }
    const input = manifest.get("input");
    /** The file's name. */
    this.name = name;
    /** Names of the classes. */
    this.labels = labels;
    /** Names of the signatures. */
    this.signatures = manifest.get("signatures");
    /** Name of the signature that takes a step. */
    this.stepSignature = stepSignature(this.signatures);
    /** Shape of the image that a step takes. */
    this.imageShape = input.get("shape").map(Number);
    /** "uint8" for bytes, or "float32" for values in 0..1. */
    this.imageDtype = input.get("dtype");
    /** Height and width in pixels of the model's frames. */
    this.size = this.imageShape.at(-2);
    /** Frames of a step. */
    this.framesPerStep = Number(manifest.get("frames_per_step"));
    /** Frames that the model sees in a second. */
    this.fps = Number(manifest.get("fps"));
    /** Whether frames keep their aspect ratio when they are resized. */
    this.shortSide = input.get("frame_fit") === "short_side";
    /** Pixels of the shorter side, or of both sides, after resizing. */
    this.resize = Number(input.get("resize"));
    /** Whether the file says how frames are prepared, as all do since format 2. */
    this.recordsFit = input.has("frame_fit");
    /** False if the export failed its check, and was written all the same. */
    this.passedParity = manifest.get("parity")?.get("passed") !== false;
    const thresholds = manifest.get("output").get("thresholds");
    /**
     * The scores from which the sigmoids of a model with several labels name their classes;
     * null for a model with a softmax.
     */
    this.thresholds = isSigmoid(manifest.get("output")) ? thresholds.map(Number) : null;
    /** How the weights are stored, such as "dynamic"; "" if the file does not say. */
    this.quantization = asText(asMap(manifest.get("quantization")).get("mode"));
    /** The states by name: type, shape and initial value. */
    this.states = new Map(
      manifest.get("states").map((state) => [
        state.get("name"),
        {
          dtype: state.get("dtype"),
          shape: state.get("shape").map(Number),
          initialValue: Number(state.get("initial_value")),
        },
      ]),
    );
  }
}

/** As grw_tf/streaming/signature_names.py. */
function stepSignature(signatures) {
  const serving = !signatures.includes("step") && signatures.includes("serving_default");
  return serving ? "serving_default" : "step";
}

function classifiesClips(manifest) {
  const signatures = manifest.get("signatures");
  return Array.isArray(signatures) && signatures.includes("classify_clip");
}

function readCalibration(entry) {
  if (entry === null) return { temperature: 1, rules: null, memoryFrames: 0 };
  if (!(entry instanceof Map)) throw new Error("they are not an object");
  const number = (name) => {
    const value = entry.get(name);
    if (typeof value !== "bigint" && typeof value !== "number") {
      throw new Error(`${name} is not a number`);
    }
    return Number(value);
  };
  const rules = {
    onThreshold: number("on_threshold"),
    offThreshold: number("off_threshold"),
    leastSeconds: number("least_seconds"),
    mergeGap: number("merge_gap"),
  };
  checkRules(rules);
  const temperature = number("temperature");
  if (!(temperature > 0 && temperature < Infinity)) {
    throw new Error("temperature must be above 0");
  }
  const memory = entry.get("memory_frames");
  if (memory !== null && !isCount(memory)) {
    throw new Error("memory_frames must be a whole number above 0");
  }
  return { temperature, rules, memoryFrames: Number(memory ?? 0) };
}

function isStream(manifest, labels) {
  const version = manifest.get("format_version");
  const input = asMap(manifest.get("input"));
  const states = manifest.get("states");
  const fps = manifest.get("fps");
  const signatures = manifest.get("signatures");
  const output = asMap(manifest.get("output"));
  const shape = output.get("shape");
  const parity = manifest.get("parity") ?? null;
  return (
    isCount(version) &&
    isKnownInput(input, version) &&
    Array.isArray(states) &&
    states.every(isKnownState) &&
    new Set(states.map((state) => state.get("name"))).size === states.length &&
    isFinite(fps) &&
    Number(fps) > 0 &&
    manifest.get("frames_per_step") === input.get("shape").at(-4) &&
    Array.isArray(signatures) &&
    signatures.includes(stepSignature(signatures)) &&
    Array.isArray(shape) &&
    shape.at(-1) === BigInt(labels) &&
    isKnownOutput(output, version, labels) &&
    (parity === null || parity instanceof Map)
  );
}

function isKnownInput(input, version) {
  const shape = input.get("shape");
  if (!Array.isArray(shape) || !shape.every(isCount)) return false;
  // The layout of TensorFlow's samples has another axis of 1 before them.
  const [height, width, channels] = shape.slice(-3);
  if (shape.length !== 4 && !(shape.length === 5 && shape[0] === 1n)) return false;
  const range = input.get("range");
  const resize = input.get("resize");
  const fit = input.get("frame_fit");
  const most = { uint8: 255, float32: 1 }[input.get("dtype")];
  return (
    Array.isArray(range) &&
    range.length === 2 &&
    range.every((each) => isFinite(each)) &&
    Number(range[0]) === 0 &&
    Number(range[1]) === most &&
    isCount(resize) &&
    height === width &&
    width <= resize &&
    resize <= MOST_RESIZE &&
    channels === 3n &&
    (!input.has("channels") || input.get("channels") === "RGB") &&
    (fit === "square" || fit === "short_side" || (version === 1n && !input.has("frame_fit")))
  );
}

function isSigmoid(output) {
  return output.get("activation") === "sigmoid";
}

function isKnownOutput(output, version, labels) {
  if (!output.has("activation") || output.get("activation") === "softmax") return true;
  const thresholds = output.get("thresholds");
  return (
    isSigmoid(output) &&
    version >= SIGMOID_FORMAT &&
    Array.isArray(thresholds) &&
    thresholds.length === labels &&
    thresholds.every((each) => isFinite(each) && Number(each) >= 0 && Number(each) <= 1)
  );
}

function isKnownState(state) {
  if (!(state instanceof Map)) return false;
  const shape = state.get("shape");
  const dtype = state.get("dtype");
  const value = state.get("initial_value");
  if (typeof state.get("name") !== "string" || !isFinite(value)) return false;
  if (!Array.isArray(shape) || !shape.every(isCount)) return false;
  if (dtype === "float32") return true;
  const limits = LIMITS.get(dtype);
  const number = Number(value);
  return (
    limits !== undefined &&
    Number.isInteger(number) &&
    limits[0] <= number &&
    number <= limits[1]
  );
}

function isCount(value) {
  return typeof value === "bigint" && value > 0n && value <= MOST_COUNT;
}

function isFinite(value) {
  const isNumber = typeof value === "bigint" || typeof value === "number";
  return isNumber && Math.abs(Number(value)) <= MOST_FLOAT;
}

function asMap(value) {
  return value instanceof Map ? value : new Map();
}

function asText(value) {
  return typeof value === "string" ? value : "";
}

function text(bytes) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}
