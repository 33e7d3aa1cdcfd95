import { TOLERANCE } from "./frame_clock.js";

/**
 * A frame of a source.
 *
 * @typedef {object} Frame
 * @property {Uint8Array} pixels RGBA, [height, width, 4].
 * @property {number} width
 * @property {number} height
 * @property {?number} time in seconds; null for a frame that the model is to see as it is.
 */

// Further than any video lasts, in seconds.
const FAR = 1e7;

/** Reads the pixels that a video element shows. */
class FrameReader {
  #video;
  #context;

  constructor(video) {
    this.#video = video;
    const canvas = document.createElement("canvas");
    this.#context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
  }

  read(time) {
    const { videoWidth: width, videoHeight: height } = this.#video;
    const { canvas } = this.#context;
    if (canvas.width !== width || canvas.height !== height) {
      Object.assign(canvas, { width, height });
    }
    this.#context.drawImage(this.#video, 0, 0);
    const { data } = this.#context.getImageData(0, 0, width, height);
    return { pixels: data, width, height, time };
  }
}

/**
 * Yields what a camera sees, with the times of arrival, until it is stopped.
 *
 * @param {HTMLVideoElement} video shows it.
 * @param {AbortSignal} signal stops it.
 * @returns {AsyncGenerator<Frame>}
 */
export async function* cameraFrames(video, signal) {
  const stream = await openCamera();
  const [track] = stream.getVideoTracks();
  try {
    video.srcObject = stream;
    await video.play();
    const reader = new FrameReader(video);
    while (true) {
      const now = await nextFrame(video, track, signal);
      if (signal.aborted) return;
      if (now === null) throw new Error("The camera was disconnected: start it again.");
      yield reader.read(now / 1000);
    }
  } finally {
    for (const each of stream.getTracks()) each.stop();
    video.srcObject = null;
  }
}

async function openCamera() {
  if (navigator.mediaDevices === undefined) {
    throw new Error(
      "Browsers give cameras only to pages from https or localhost: serve this page so.",
    );
  }
  const wanted = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "environment" };
  try {
    return await navigator.mediaDevices.getUserMedia({ video: wanted });
  } catch (error) {
    const reasons = {
      NotAllowedError: "The camera was refused: allow it for this page in the browser.",
      NotFoundError: "There is no camera: connect one, or open a video file.",
      NotReadableError: "The camera is in use: close the other program that has it.",
    };
    throw new Error(reasons[error.name] ?? `The camera cannot be opened: ${error.message}`);
  }
}

/** Gives the milliseconds at which a frame comes; null if the camera ends or is stopped. */
function nextFrame(video, track, signal) {
  return new Promise((resolve) => {
    const listening = new AbortController();
    const end = (now) => {
      listening.abort();
      video.cancelVideoFrameCallback(handle);
      resolve(now);
    };
    const handle = video.requestVideoFrameCallback(end);
    track.addEventListener("ended", () => end(null), { signal: listening.signal });
    signal.addEventListener("abort", () => end(null), { signal: listening.signal });
    if (signal.aborted || track.readyState === "ended") end(null);
  });
}

/**
 * Yields the frames of a video file that a model at a steady rate sees, at k / fps seconds.
 * The file is sought, because a player drops frames.
 *
 * @param {HTMLVideoElement} video shows it.
 * @param {File} file
 * @param {number} fps frames per second of the model.
 * @param {AbortSignal} signal stops it.
 * @param {function(number): void} progress receives the share that was read, 0 to 1.
 * @returns {AsyncGenerator<Frame>}
 */
export async function* fileFrames(video, file, fps, signal, progress = () => {}) {
  const url = URL.createObjectURL(file);
  try {
    await load(video, url, file.name);
    const duration = await durationOf(video);
    const reader = new FrameReader(video);
    // The rule of FrameClock.
    for (let tick = 0; tick === 0 || tick / fps < duration - TOLERANCE; tick += 1) {
      if (signal.aborted) return;
      await seek(video, Math.min(tick / fps + TOLERANCE, duration), file.name);
      progress(tick / fps / duration);
      yield reader.read(null);
    }
    progress(1);
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function load(video, url, name) {
  video.srcObject = null;
  video.src = url;
  await event(video, "loadeddata", name);
  if (video.videoWidth === 0) throw new Error(`${name} has no pictures: open another file.`);
}

/** Files that browsers have recorded do not say how long they are. */
async function durationOf(video) {
  if (video.duration !== Infinity) return video.duration;
  const sought = new Promise((resolve) => {
    video.addEventListener("seeked", resolve, { once: true });
  });
  video.currentTime = FAR;
  await sought;
  return video.currentTime;
}

async function seek(video, time, name) {
  // Browsers tell of no seek to where they are.
  if (video.currentTime === time) return;
  const sought = event(video, "seeked", name);
  video.currentTime = time;
  await sought;
}

function event(video, type, name) {
  return new Promise((resolve, reject) => {
    const listening = new AbortController();
    const { signal } = listening;
    const end = (settle) => (value) => {
      listening.abort();
      settle(value);
    };
    video.addEventListener(type, end(resolve), { signal });
    const fail = end(() =>
      reject(
        new Error(
          `${name} cannot be played by this browser: convert it to MP4 with H.264, or WebM.`,
        ),
      ),
    );
    video.addEventListener("error", fail, { signal });
  });
}
