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
// How often a browser is asked for a picture that it does not show yet, each 5 ms.
const MOST_TRIES = 60;

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
  const opening = openCamera();
  const stream = await unlessStopped(opening, signal);
  if (stream === null) {
    opening.then(release, () => {});
    return;
  }
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
    release(stream);
    video.srcObject = null;
  }
}

function release(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** Gives what a promise does; null if the source is stopped, since users may never answer. */
function unlessStopped(promise, signal) {
  return new Promise((resolve, reject) => {
    promise.then(resolve, reject);
    signal.addEventListener("abort", () => resolve(null), { once: true });
    if (signal.aborted) resolve(null);
  });
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
 * Yields the frames of a video file that a model at a steady rate sees, at k / fps seconds
 * after the first. It seeks each, because a player drops frames.
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
  const seek = (time) => {
    const sought = event(video, "seeked", file.name, signal);
    video.currentTime = time;
    return sought;
  };
  try {
    await load(video, url, file.name, signal);
    if (signal.aborted) return;
    const { begin, end, interval } = await spanOfPictures(video, seek);
    const reader = new FrameReader(video);
    // The rule of FrameClock.
    for (let tick = 0; tick === 0 || tick / fps < end - begin - TOLERANCE; tick += 1) {
      const time = begin + tick / fps + TOLERANCE;
      await seek(Math.min(time, video.duration));
      await pictureTime(video, (began) => began <= time && time - began <= interval + TOLERANCE);
      if (signal.aborted) return;
      progress(tick / fps / (end - begin));
      yield reader.read(null);
    }
    progress(1);
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function load(video, url, name, signal) {
  video.srcObject = null;
  video.src = url;
  await event(video, "loadeddata", name, signal);
  if (!signal.aborted && video.videoWidth === 0) {
    throw new Error(`${name} has no pictures: open another file.`);
  }
}

/**
 * Gives the seconds at which the first frame begins and the last one ends, and how long the
 * last one but one lasts. Sound may begin before the pictures, and go on after them.
 */
async function spanOfPictures(video, seek) {
  await seek(0);
  const first = await pictureTime(video, () => true);
  // Some files do not say how long they are, or too little, until their end was sought.
  const known = () => Math.min(video.duration, FAR);
  let [sought, last] = [0, first];
  do {
    sought = known();
    await seek(sought);
    const former = last;
    last = await pictureTime(video, (time) => time !== former);
  } while (sought < known());
  const duration = video.currentTime;
  await seek(Math.max(0, last - TOLERANCE));
  const interval = last - (await pictureTime(video, (time) => time < last));
  // One picture, or a browser that does not tell its time.
  if (!(interval > TOLERANCE)) return { begin: 0, end: duration, interval: Infinity };
  // As FrameClock ends.
  const end = Math.max(Math.min(duration, last + interval), last + 2 * TOLERANCE);
  return { begin: first, end, interval };
}

/**
 * Gives the seconds at which the picture on screen began; 0 where browsers do not tell.
 *
 * Chromium may tell of a seek before it shows the picture, so this waits for the one that is
 * expected. Not for long: in a video with uneven frames, it may be another.
 */
async function pictureTime(video, isExpected) {
  let time = 0;
  if (!("VideoFrame" in globalThis)) return time;
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    try {
      const picture = new VideoFrame(video);
      time = picture.timestamp / 1e6;
      picture.close();
      if (isExpected(time)) break;
    } catch {
      // There is none yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return time;
}

/** Waits for an event, or until the source is stopped: a hidden page may get none. */
function event(video, type, name, signal) {
  return new Promise((resolve, reject) => {
    const listening = new AbortController();
    const once = { signal: listening.signal };
    const end = (settle) => (value) => {
      listening.abort();
      settle(value);
    };
    const fail = () =>
      reject(
        new Error(
          `${name} cannot be played by this browser: convert it to MP4 with H.264, or WebM.`,
        ),
      );
    video.addEventListener(type, end(resolve), once);
    video.addEventListener("error", end(fail), once);
    signal.addEventListener("abort", end(resolve), once);
    if (signal.aborted) end(resolve)();
  });
}
