import { ClassBars, percent } from "./class_bars.js";
import { COLORS, ClassColors } from "./class_colors.js";
import { ExportedFile } from "./exported_file.js";
import { loadRuntime, processors } from "./litert.js";
import { Messages } from "./messages.js";
import { isOutdated, keepOffline } from "./offline.js";
import { openStream } from "./open_stream.js";
import { Pace } from "./pace.js";
import { reaching } from "./stream_session.js";
import { Timeline } from "./timeline.js";
import { cameraFrames, fileFrames } from "./video_sources.js";

// Seconds that a camera's frames may wait before the device counts as too slow.
const MOST_LAG = 3;

const HINTS = {
  loading: "Loading…",
  empty: "Open or drop a .tflite file that grw_tf exported.",
  ready: "Use the camera, or open or drop a video.",
  // A picture is in its place.
  running: "",
};

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
let opening = false;
// The last scores, and the answer of a model that may say "none of these".
let latest = null;
let answer = null;
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
  await closeSession();
  exported = null;
  messages.status(`Opening ${name}…`);
  await whileOpening(async () => {
    exported = new ExportedFile(name, new Uint8Array(await read()));
    await startSession();
  });
}

/** Opens the same model on another processor. */
async function changeProcessor() {
  await closeSession();
  await whileOpening(startSession);
}

async function startSession() {
  messages.status("Starting LiteRT…");
  const processor = choices[byId("processor").selectedIndex];
  session = await openStream(exported, processor, {
    findEvents: namesByThreshold(exported),
    warn: (text) => messages.warn(text),
  });
  messages.status("");
}

async function closeSession() {
  await stop();
  session?.close();
  session = null;
  messages.clear();
  hideVideo();
  forget();
}

/** Lets the page say that it is busy during a task. */
async function whileOpening(task) {
  opening = true;
  update();
  try {
    await task();
  } finally {
    opening = false;
    forget();
    update();
  }
}

function hideVideo() {
  delete document.body.dataset.video;
}

/** Returns whether a file has thresholds, by which its classes are named and have events. */
function namesByThreshold({ thresholds, calibration }) {
  return thresholds !== null || calibration.rules !== null;
}

/** Shows a stream that has seen nothing. */
function forget() {
  timeline.restart(
    exported?.labels ?? [],
    (exported?.framesPerStep ?? 1) / (exported?.fps ?? 1),
    exported?.thresholds ?? null,
  );
  const named = exported !== null && namesByThreshold(exported);
  byId("classes").toggleAttribute("data-named", named);
  pace.restart();
  latest = null;
  answer = null;
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
  if (session === null) {
    throw new Error("There is no model yet: open an exported .tflite file first.");
  }
  messages.clearError();
  messages.status("");
  session.reset();
  forget();
  const stopping = new AbortController();
  const ended = run(makeFrames(stopping.signal), file !== null).finally(() => {
    running = null;
    byId("progress").hidden = true;
    if (file === null) hideVideo();
    update();
  });
  running = { stopping, ended, file };
  messages.status(file === null ? "Opening the camera…" : `Reading ${file.name}.`);
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
      if (!isFile) messages.status("Watching the camera.");
      await see(frame);
      if (!isFile) checkLag(frame.time);
    }
    await finish(isFile);
  } catch (error) {
    hideVideo();
    messages.status("");
    messages.error(error);
  }
}

function see({ pixels, width, height, time }) {
  return advance(() => session.push(pixels, width, height, time));
}

/** Gives something to the session, and shows the steps that the model took. */
async function advance(give) {
  const { steps } = session;
  const begin = performance.now();
  await give();
  const stepped = session.steps > steps;
  const probabilities = stepped ? await session.classify() : null;
  if (stepped && session.maySayNone && exported.thresholds === null) {
    answer = await session.answer();
  }
  pace.add(performance.now() - begin, (session.steps - steps) * exported.framesPerStep);
  if (namesByThreshold(exported)) timeline.addEvents(session.events());
  if (!stepped) return;
  // A frame that was on screen for several steps counts for each.
  const seconds = exported.framesPerStep / exported.fps;
  for (let step = steps; step < session.steps; step += 1) {
    timeline.add(probabilities, step * seconds + session.skipped);
  }
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
      ` the model sees ${rounded(exported.fps)} a second. Open a video instead, or a smaller model.`,
  );
}

async function finish(isFile) {
  await advance(() => session.flush());
  draw();
  if (!isFile || running.stopping.signal.aborted) {
    messages.status("Stopped.");
    return;
  }
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

/** While a source runs, a camera goes on and a file begins again. */
async function startAnew() {
  if (running?.file) return startFile(running.file);
  if (running) {
    anew = true;
    return;
  }
  // A model may have failed to open since the click.
  session?.reset();
  messages.status("");
  hideVideo();
  forget();
  update();
}

function openModelFile(file) {
  return openModel(file.name, () => file.arrayBuffer());
}

function openDropped(file) {
  return file.name.toLowerCase().endsWith(".tflite") ? openModelFile(file) : startFile(file);
}

function framesSeen() {
  return session === null ? 0 : session.steps * exported.framesPerStep;
}

/** Shortens a rate such as 8.333333. */
function rounded(rate) {
  return Number(rate.toPrecision(3));
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
  byId("none").hidden = answer === null || answer.label !== null;
  byId("milliseconds").textContent = inMilliseconds(pace.median);
  byId("frames").textContent = framesSeen().toLocaleString("en");
  byId("anew").disabled = session === null || (framesSeen() === 0 && running === null);
  announce(classes);
}

/** Tells screen readers the likeliest class or that it is none, or all that are named. */
function announce(classes) {
  if (answer !== null) {
    messages.announce(answer.label ?? "none of these", percent(answer.score));
    return;
  }
  const several = exported !== null && exported.thresholds !== null;
  const told = several ? classes.filter(({ named }) => named) : classes.slice(0, 1);
  if (told.length === 0) return;
  messages.announce(
    told.map(({ name }) => name).join(", "),
    told.map(({ probability }) => percent(probability)).join(", "),
  );
}

function likeliest(probabilities) {
  const { labels, thresholds } = exported;
  const named = new Set(thresholds === null ? [] : reaching(probabilities, thresholds));
  if (answer !== null && answer.label !== null) named.add(labels.indexOf(answer.label));
  return [...probabilities.keys()]
    .sort((one, other) => probabilities[other] - probabilities[one])
    // All that are named, however many.
    .slice(0, Math.max(COLORS, named.size))
    .map((index) => ({
      named: named.has(index),
      name: labels[index],
      probability: probabilities[index],
      color: colors.of(index),
    }));
}

/** Shows what can be done now. */
function update() {
  const focused = document.activeElement;
  const ready = session !== null && !opening;
  const state = running ? "running" : opening ? "loading" : ready ? "ready" : "empty";
  document.body.dataset.state = state;
  byId("hint").textContent = HINTS[state];
  byId("camera").disabled = !ready || (running !== null && running.file === null);
  byId("video-file").disabled = !ready;
  // Also where LiteRT did not start: another processor may do.
  byId("processor").disabled = exported === null || opening || running !== null;
  byId("stop").disabled = running === null;
  byId("model").hidden = !ready;
  byId("rate").textContent = ready ? `${rounded(exported.fps)} per s` : "–";
  if (ready) {
    const { name, labels, size, quantization } = exported;
    byId("model-name").textContent = name;
    const weights = quantization === "none" ? "float32" : quantization;
    const facts = [`${labels.length} classes`, `${size} px`, weights];
    byId("model-facts").textContent = facts.filter(Boolean).join(" · ");
  }
  draw();
  // Browsers take the focus from what is disabled, and keyboards would begin at the top.
  if (focused?.disabled) byId("controls").focus({ preventScroll: true });
}

function listen() {
  byId("camera").addEventListener("click", () => afterAll(startCamera));
  byId("stop").addEventListener("click", () => afterAll(stop));
  byId("anew").addEventListener("click", () => afterAll(startAnew));
  byId("processor").addEventListener("change", () => afterAll(changeProcessor));
  for (const [id, open] of [
    ["video-file", startFile],
    ["model-file", openModelFile],
  ]) {
    byId(id).addEventListener("change", ({ target }) => {
      const [file] = target.files;
      // The same file can be opened again.
      target.value = "";
      if (file) afterAll(() => open(file));
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
    if (file) afterAll(() => openDropped(file));
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
  } else {
    // Before the page says that it works offline.
    await loadRuntime(choices[0]);
  }
  // Not awaited: on a slow network, users need not wait for it.
  keepOffline(version).then((kept) => {
    byId("offline").hidden = !kept;
  });
}

listen();
afterAll(() => whileOpening(begin));
