import { ClassBars, percent } from "./class_bars.js";
import { COLORS, ClassColors } from "./class_colors.js";
import { ExportedFile } from "./exported_file.js";
import { processors } from "./litert.js";
import { Messages } from "./messages.js";
import { isOutdated, keepOffline } from "./offline.js";
import { openStream } from "./open_stream.js";
import { Pace } from "./pace.js";
import { Timeline } from "./timeline.js";
import { cameraFrames, fileFrames } from "./video_sources.js";

// Seconds that a camera's frames may wait before the device counts as too slow.
const MOST_LAG = 3;

const byId = (id) => document.getElementById(id);
const video = byId("video");
const messages = new Messages({
  alert: byId("alert"),
  status: byId("status"),
  note: byId("note"),
  spoken: byId("spoken"),
});
const colors = new ClassColors();
const bars = new ClassBars(byId("classes"));
const timeline = new Timeline(
  {
    svg: byId("timeline"),
    legend: byId("legend"),
    start: byId("timeline-start"),
    end: byId("timeline-end"),
  },
  colors,
);
const pace = new Pace();

let exported = null;
let session = null;
let choices = [{ kind: "cpu", threads: 1 }];
// The source that is running: how it is stopped, when it has ended, its file if it has one.
let running = null;
// A camera's stream starts anew between two frames.
let anew = false;
let latest = null;
let drawing = false;
// Changes of model and source, one after the other.
let queue = Promise.resolve();

/** Does something after all that was asked for before; errors are told. */
function afterAll(task) {
  queue = queue.then(task).catch((error) => {
    messages.status("");
    messages.error(error);
    update();
  });
  return queue;
}

async function openModel(name, read) {
  await stop();
  messages.clearError();
  messages.status(`Opening ${name}…`);
  exported = null;
  closeSession();
  update();
  exported = new ExportedFile(name, new Uint8Array(await read()));
  await openSession();
}

async function openSession() {
  closeSession();
  messages.status("Starting LiteRT…");
  messages.note("");
  update();
  const processor = choices[byId("processor").selectedIndex];
  session = await openStream(exported, processor, { warn: (text) => messages.note(text) });
  forget();
  messages.status("");
  update();
}

function closeSession() {
  session?.close();
  session = null;
  forget();
}

/** Shows a stream that has seen nothing. */
function forget() {
  timeline.restart(
    exported?.labels ?? [],
    (exported?.framesPerStep ?? 1) / (exported?.fps ?? 1),
  );
  pace.restart();
  latest = null;
  messages.forgetAnnounced();
  draw();
}

async function stop() {
  running?.stopping.abort();
  await running?.ended;
}

/** Starts a source in place of another; it runs until it ends or is stopped. */
async function start(makeFrames, file = null) {
  await stop();
  messages.clearError();
  messages.status("");
  session.reset();
  forget();
  const stopping = new AbortController();
  const ended = run(makeFrames(stopping.signal), file !== null).finally(() => {
    running = null;
    byId("progress").hidden = true;
    if (file === null) delete document.body.dataset.video;
    update();
  });
  running = { stopping, ended, file };
  messages.status(file === null ? "Watching the camera." : `Reading ${file.name}.`);
  document.body.dataset.video = file === null ? "camera" : "file";
  update();
}

async function run(frames, isFile) {
  try {
    for await (const frame of frames) {
      if (anew) {
        anew = false;
        session.reset();
        forget();
      }
      await see(frame);
      if (!isFile) checkLag(frame.time);
    }
    await finish(isFile);
  } catch (error) {
    messages.status("");
    messages.error(error);
  }
}

async function see({ pixels, width, height, time }) {
  const { steps } = session;
  const begin = performance.now();
  await session.push(pixels, width, height, time);
  const stepped = session.steps > steps;
  const probabilities = stepped ? await session.classify() : null;
  pace.add(performance.now() - begin, (session.steps - steps) * exported.framesPerStep);
  if (!stepped) return;
  // A frame that was on screen for several steps counts for each.
  for (let step = steps; step < session.steps; step += 1) timeline.add(probabilities);
  latest = probabilities;
  if (!drawing) requestAnimationFrame(draw);
  drawing = true;
}

/** Tells of a device that falls behind for good, and not only after a pause. */
function checkLag(time) {
  const lag = performance.now() / 1000 - time;
  if (lag <= MOST_LAG || pace.median * exported.fps <= 1000) return;
  throw new Error(
    `This device is too slow for a camera: a frame takes it ${inMilliseconds(pace.median)} and` +
      ` the model sees ${exported.fps} a second. Open a video instead, or a smaller model.`,
  );
}

async function finish(isFile) {
  if (!isFile || running.stopping.signal.aborted) {
    messages.status("Stopped.");
    return;
  }
  draw();
  if (session.steps === 0) {
    const { framesPerStep } = exported;
    throw new Error(`The video ended before the ${framesPerStep} frames of a step.`);
  }
  messages.status(`Done: ${running.file.name} gave the model ${framesSeen()} frames.`);
}

function startCamera() {
  return start((signal) => cameraFrames(video, signal));
}

function startFile(file) {
  return start((signal) => {
    const progress = byId("progress");
    progress.value = 0;
    progress.hidden = false;
    return fileFrames(video, file, exported.fps, signal, (share) => {
      progress.value = share;
    });
  }, file);
}

/** A camera goes on; a file begins again. */
async function startAnew() {
  if (running?.file) return startFile(running.file);
  if (running) {
    anew = true;
    return;
  }
  messages.status("");
  session.reset();
  delete document.body.dataset.video;
  forget();
  update();
}

function openFile(file) {
  if (file.name.endsWith(".tflite")) {
    return afterAll(() => openModel(file.name, () => file.arrayBuffer()));
  }
  if (session === null) {
    return afterAll(() => {
      throw new Error("There is no model yet: open an exported .tflite file first.");
    });
  }
  return afterAll(() => startFile(file));
}

function framesSeen() {
  return session === null ? 0 : session.steps * exported.framesPerStep;
}

function inMilliseconds(value) {
  return value === null ? "–" : `${value.toFixed(value < 100 ? 1 : 0)} ms`;
}

/** Draws the results. */
function draw() {
  drawing = false;
  timeline.draw();
  const classes = latest === null ? [] : likeliest(latest);
  bars.show(classes);
  byId("milliseconds").textContent = inMilliseconds(pace.median);
  byId("frames").textContent = framesSeen().toLocaleString("en");
  byId("anew").disabled = session === null || (framesSeen() === 0 && running === null);
  if (classes.length > 0) messages.announce(classes[0].name, percent(classes[0].probability));
}

function likeliest(probabilities) {
  return [...probabilities.keys()]
    .sort((one, other) => probabilities[other] - probabilities[one])
    .slice(0, COLORS)
    .map((index) => ({
      name: exported.labels[index],
      probability: probabilities[index],
      color: colors.of(index),
    }));
}

/** Shows what can be done now. */
function update() {
  const ready = session !== null;
  document.body.dataset.state = running ? "running" : ready ? "ready" : "empty";
  byId("hint").textContent = ready
    ? "Use the camera, or open or drop a video."
    : "Open or drop a .tflite file that grw_tf exported.";
  byId("camera").disabled = !ready || (running !== null && running.file === null);
  byId("video-file").disabled = !ready;
  // Also where LiteRT did not start: another processor may do.
  byId("processor").disabled = exported === null || running !== null;
  byId("stop").disabled = running === null;
  byId("model").hidden = !ready;
  byId("rate").textContent = ready ? `${exported.fps} per s` : "–";
  if (ready) {
    const { name, labels, size, quantization } = exported;
    byId("model-name").textContent = name;
    const weights = quantization === "none" ? "float32" : quantization;
    const facts = [`${labels.length} classes`, `${size} px`, weights];
    byId("model-facts").textContent = facts.filter(Boolean).join(" · ");
  }
  draw();
}

function listen() {
  byId("camera").addEventListener("click", () => afterAll(startCamera));
  byId("stop").addEventListener("click", () => afterAll(stop));
  byId("anew").addEventListener("click", () => afterAll(startAnew));
  byId("processor").addEventListener("change", () => afterAll(openSession));
  for (const id of ["video-file", "model-file"]) {
    byId(id).addEventListener("change", ({ target }) => {
      const [file] = target.files;
      // The same file can be opened again.
      target.value = "";
      if (file) openFile(file);
    });
  }
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.dataset.dragging = "";
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) delete document.body.dataset.dragging;
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    delete document.body.dataset.dragging;
    const [file] = event.dataTransfer.files;
    if (file) openFile(file);
  });
}

async function fetched(name) {
  const response = await fetch(name).catch((error) => ({ status: error.message }));
  if (response.ok) return response;
  throw new Error(
    `${name} cannot be fetched (${response.status}): look whether the site is served whole.`,
  );
}

async function begin() {
  listen();
  choices = await processors();
  byId("processor").replaceChildren(
    ...choices.map(
      ({ kind, threads }) =>
        new Option(
          kind === "gpu"
            ? "GPU (untested)"
            : `CPU, ${threads} thread${threads > 1 ? "s" : ""}`,
        ),
    ),
  );
  const { model, version } = await (await fetched("site.json")).json();
  if (isOutdated(version) && (await keepOffline(version))) {
    location.reload();
    return;
  }
  if (model) {
    const read = async () => (await fetched(encodeURIComponent(model))).arrayBuffer();
    await openModel(model, read);
  }
  byId("offline").hidden = !(await keepOffline(version));
}

update();
afterAll(begin);
