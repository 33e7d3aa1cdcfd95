"""Tests of the page: what users see and do, in Chromium."""

import re
import threading

import av
import cv2
import numpy as np
import pytest
from drawn_videos import write_video
from everyday import slow_but
from exported_files import CLASSES, VECTORS, manifest_of, with_manifest

from grw_tf.frames.clock import FrameClock
from grw_tf.streaming.exported_file import read_exported_file
from grw_tf.web.site import write_site

# Milliseconds.
PATIENCE = 30_000
STEP = VECTORS / "step.tflite"
FPS = read_exported_file(STEP).manifest["fps"]


@pytest.fixture(scope="module")
def site(serve):
    return serve(STEP)


@pytest.fixture
def context(browser):
    context = browser.new_context(permissions=["camera"])
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def page(context, site):
    """The page with its model open."""
    page = context.new_page()
    page.goto(site.url)
    _wait_for_state(page, "ready")
    return page


def _wait_for_state(page, state):
    page.locator(f'body[data-state="{state}"]').wait_for()


def _wait_for_text(page, role, text):
    page.get_by_role(role).filter(has_text=text).wait_for()


def _frames_seen(page):
    return int(page.locator("#frames").inner_text().replace(",", ""))


def _gray_video(path, rate, count):
    """Writes a video whose frames are lighter by 4 each."""
    grays = [(4 * k, 4 * k, 4 * k) for k in range(count)]
    return write_video(path, grays, rate, codec="libvpx", crf="4", **{"b:v": "2M"})


def _frames_read(page, video, fps):
    """Returns the indices of the frames that the page reads of a gray video."""
    page.evaluate(
        """async () => {
          const sources = await import("/video_sources.js");
          const input = document.createElement("input");
          Object.assign(input, { type: "file", id: "probe" });
          document.body.append(input);
          globalThis.levels = async (fps) => {
            const { signal } = new AbortController();
            const video = document.getElementById("video");
            const found = [];
            const frames = sources.fileFrames(video, input.files[0], fps, signal);
            for await (const { pixels, time } of frames) found.push([pixels[0], time]);
            return found;
          };
        }"""
    )
    page.set_input_files("#probe", video)
    found = page.evaluate("(fps) => levels(fps)", fps)
    assert all(time is None for _, time in found)
    return np.rint(np.array([level for level, _ in found]) / 4).astype(int).tolist()


def _frames_of_clock(times, fps):
    """Returns the indices of the frames that training takes of a video."""
    clock, indices = FrameClock(fps), []
    for index, time in enumerate(times):
        indices += [index - 1] * clock.arrive(time)
    return indices + [len(times) - 1] * clock.end()


@pytest.mark.parametrize("rate", slow_but([24], [10, 24, 3]))
def test_video_is_read_at_the_frames_that_training_takes(page, tmp_path, rate):
    video = _gray_video(tmp_path / "gray.webm", rate, 40)
    expected = _frames_of_clock(np.arange(40) / rate, 7.5)
    assert _frames_read(page, video, 7.5) == expected


def _write_with_sound(path, times, seconds):
    """Writes gray frames, lighter by 4 each, at times in seconds, and silence."""
    rate = 48_000
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libvpx", rate=1000, options={"crf": "4"})
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        pictures.bit_rate = 2_000_000
        sound = container.add_stream("libopus", rate=rate, layout="mono")
        for index, time in enumerate(times):
            image = np.full((48, 64, 3), 4 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = round(1000 * time)
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode())
        silence = np.zeros((1, int(rate * seconds)), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = rate
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path


@pytest.mark.slow
def test_pictures_that_come_after_their_seek_are_waited_for(page, tmp_path):
    page.evaluate(
        """() => {
          const video = document.getElementById("video");
          const { drawImage } = CanvasRenderingContext2D.prototype;
          const Frame = globalThis.VideoFrame;
          // What a busy Chromium does: the former picture stays, or there is none yet.
          let [late, former] = [3, null];
          video.addEventListener("seeking", () => { late = 3; });
          globalThis.VideoFrame = function (video) {
            late -= 1;
            if (late <= 0) former = new Frame(video).timestamp;
            if (former === null) throw new DOMException("", "InvalidStateError");
            return { timestamp: former, close: () => {} };
          };
          CanvasRenderingContext2D.prototype.drawImage = function (...given) {
            if (late <= 0) drawImage.apply(this, given);
          };
        }"""
    )
    video = _gray_video(tmp_path / "gray.webm", 10, 10)
    assert _frames_read(page, video, 5) == _frames_of_clock(np.arange(10) / 10, 5)


@pytest.mark.slow
@pytest.mark.parametrize("begin, seconds", [(0.5, 1.0), (0.0, 4.0)])
def test_sound_before_or_after_the_pictures_changes_no_frame(
    page, tmp_path, begin, seconds
):
    times = begin + np.arange(40) / 20
    video = _write_with_sound(tmp_path / "sound.webm", times, seconds)
    assert _frames_read(page, video, 7.5) == _frames_of_clock(times, 7.5)


@pytest.mark.slow
def test_frames_at_uneven_times_are_at_most_an_interval_early(page, tmp_path):
    steps = np.random.default_rng(0).integers(20, 80, 40)
    times = 0.3 + np.cumsum(steps) / 1000
    video = _write_with_sound(tmp_path / "uneven.webm", times, 1.0)
    found = _frames_read(page, video, 7.5)
    assert len(found) == pytest.approx(len(_frames_of_clock(times, 7.5)), abs=1)
    # Chromium seeks as if frames lasted equally long: see docs/browser.md.
    early = times[0] + np.arange(len(found)) / 7.5 - times[found]
    assert early.min() >= -1e-3 and early.max() <= 0.08 + steps.mean() / 1000


@pytest.mark.slow
def test_recording_of_a_browser_that_lacks_its_length_is_read_whole(page, tmp_path):
    content = page.evaluate(
        """async () => {
          const canvas = document.createElement("canvas");
          Object.assign(canvas, { width: 64, height: 48 });
          const context = canvas.getContext("2d");
          const recorder = new MediaRecorder(canvas.captureStream(20));
          const parts = [];
          recorder.ondataavailable = ({ data }) => parts.push(data);
          const stopped = new Promise((resolve) => { recorder.onstop = resolve; });
          recorder.start();
          for (let k = 0; k < 20; k += 1) {
            context.fillStyle = `rgb(${4 * k} ${4 * k} ${4 * k})`;
            context.fillRect(0, 0, 64, 48);
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
          recorder.stop();
          await stopped;
          return [...new Uint8Array(await new Blob(parts).arrayBuffer())];
        }"""
    )
    path = tmp_path / "recorded.webm"
    path.write_bytes(bytes(content))
    found = _frames_read(page, path, 7.5)
    assert len(found) >= 6 and found == sorted(found) and found[-1] > found[0]


def test_video_is_classified_and_drawn(page, tmp_path):
    page.get_by_label("Open video").set_input_files(
        _gray_video(tmp_path / "clip.webm", 10, 30)
    )
    _wait_for_text(page, "status", "Done: clip.webm gave the model")
    frames = _frames_seen(page)
    assert frames == pytest.approx(3 * FPS, abs=1)
    names = page.locator("#classes .bar-name").all_inner_texts()
    assert sorted(names) == CLASSES
    shares = [
        float(share.removesuffix(" %"))
        for share in page.locator("#classes .bar-share").all_inner_texts()
    ]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=2)
    assert re.fullmatch(r"\d+\.?\d* ms", page.locator("#milliseconds").inner_text())
    lines = page.locator("#timeline polyline")
    assert lines.count() == len(CLASSES)
    points = lines.first.get_attribute("points").split()
    assert len(points) == frames
    told = page.get_by_role("img", name="Likeliest class over the last")
    assert names[0] in told.get_attribute("aria-label")


def test_classes_that_reach_their_thresholds_are_named(context, serve, tmp_path):
    output = manifest_of(STEP)["output"] | {
        "activation": "sigmoid",
        "thresholds": [0.0, 0.0, 1.0, 0.0, 1.0],
    }
    model = tmp_path / "several.tflite"
    with_manifest(STEP, model, format_version=3, output=output)
    page = context.new_page()
    page.goto(serve(model).url)
    _wait_for_state(page, "ready")
    page.get_by_label("Open video").set_input_files(
        _gray_video(tmp_path / "clip.webm", 10, 10)
    )
    _wait_for_text(page, "status", "Done")
    named = page.locator("#classes li.named .bar-name").all_inner_texts()
    others = page.locator("#classes li:not(.named) .bar-name").all_inner_texts()
    # Sigmoids of the random model's large logits are 0 or 1.
    assert {"a", "b", "d"} <= set(named) and len(named) + len(others) == 5
    shares = page.locator("#classes .bar-share").all_inner_texts()
    assert {float(share.removesuffix(" %")) for share in shares} <= {0.0, 100.0}
    told = page.get_by_role("img", name="Named classes over the last")
    assert "a 100 %" in told.get_attribute("aria-label")
    spoken = page.locator("#spoken").inner_text()
    # It is told now and then only.
    assert {"a", "b", "d"} <= set(spoken.split(", "))


COLORS = ["red", "green", "blue"]


def _colors_page(context, serve, model):
    page = context.new_page()
    page.goto(serve(model).url)
    _wait_for_state(page, "ready")
    return page


def _watch(page, path, *parts):
    """Lets the page read a video of (color, frames) at 5 frames a second."""
    colors = [color for color, count in parts for _ in range(count)]
    page.get_by_label("Open video").set_input_files(
        write_video(path, colors, 5, codec="libvpx", crf="4", **{"b:v": "2M"})
    )
    _wait_for_text(page, "status", "Done")


RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)


def test_calibrated_file_says_none_of_these_and_shows_events(context, serve, tmp_path):
    page = _colors_page(context, serve, VECTORS / "colors.tflite")
    # Blue is the class background.
    _watch(page, tmp_path / "a.webm", (RED, 15), (BLUE, 15))
    assert page.get_by_text("None of these", exact=True).is_visible()
    assert page.locator("#classes li.named").count() == 0
    first, *_ = page.locator("#classes .bar-name").all_inner_texts()
    assert first == "background"
    spoken = page.locator("#spoken").inner_text()
    assert spoken.startswith(("red, ", "none of these, "))
    (event,) = page.locator("#timeline rect").all()
    label, span, score = event.locator("title").text_content().split(", ")
    start, end = map(float, re.fullmatch(r"(.*) to (.*) s", span).groups())
    assert label == "red" and start <= 0.6 and 2.8 <= end <= 4
    assert float(score.removesuffix(" %")) > 60
    # It is drawn where it was.
    x, width = (float(event.get_attribute(name)) for name in ("x", "width"))
    assert x / 1000 == pytest.approx(start / 6, abs=0.05)
    assert width / 1000 == pytest.approx((end - start) / 6, abs=0.05)
    told = page.get_by_role("img", name="Last events: red from 0:00 to 0:0")
    assert told.count() == 1
    # Another stream has none of this.
    _watch(page, tmp_path / "b.webm", (GREEN, 10))
    assert not page.get_by_text("None of these", exact=True).is_visible()
    assert page.locator("#classes li.named .bar-name").all_inner_texts() == ["green"]
    (event,) = page.locator("#timeline rect").all()
    assert event.locator("title").text_content().startswith("green, ")


def test_events_of_several_labels_are_drawn_beside_each_other(context, serve, tmp_path):
    plain = VECTORS / "colors.tflite"
    output = manifest_of(plain)["output"]
    output |= {"activation": "sigmoid", "thresholds": [0.95, 0.95, 0.95]}
    changes = {"format_version": 3, "output": output, "none_of_these": None}
    model = with_manifest(plain, tmp_path / "several.tflite", COLORS, **changes)
    page = _colors_page(context, serve, model)
    _watch(page, tmp_path / "a.webm", (YELLOW, 15))
    events = page.locator("#timeline rect").all()
    titles = [event.locator("title").text_content() for event in events]
    assert sorted(title.split(",")[0] for title in titles) == ["green", "red"]
    assert len({event.get_attribute("y") for event in events}) == 2
    assert page.locator("#none").is_hidden()


@pytest.mark.slow
def test_start_anew_forgets_all(page, tmp_path):
    page.get_by_label("Open video").set_input_files(
        _gray_video(tmp_path / "clip.webm", 10, 10)
    )
    _wait_for_text(page, "status", "Done")
    page.get_by_role("button", name="Start anew").click()
    page.locator("#frames", has_text=re.compile("^0$")).wait_for()
    assert page.locator("#classes li").count() == 0
    assert page.locator("#timeline polyline").count() == 0
    assert page.get_by_role("button", name="Start anew").is_disabled()


def test_file_that_is_no_video_is_told_in_a_line(page, tmp_path):
    path = tmp_path / "notes.webm"
    path.write_bytes(b"no video" * 100)
    page.get_by_label("Open video").set_input_files(path)
    _wait_for_text(page, "alert", "notes.webm cannot be played by this browser")
    _wait_for_state(page, "ready")
    # What to do next is shown in place of a picture.
    assert page.get_by_text("Use the camera, or open or drop a video.").is_visible()


@pytest.mark.slow
def test_stop_ends_a_video_that_the_browser_does_not_seek(page, tmp_path):
    page.evaluate(
        """() => {
          const video = document.getElementById("video");
          Object.defineProperty(video, "currentTime", { get: () => 0, set: () => {} });
        }"""
    )
    page.get_by_label("Open video").set_input_files(
        _gray_video(tmp_path / "clip.webm", 10, 10)
    )
    page.get_by_role("button", name="Stop").click()
    _wait_for_text(page, "status", "Stopped.")
    _wait_for_state(page, "ready")


@pytest.mark.slow
def test_foreign_model_is_refused_in_a_line_and_another_can_be_opened(page, tmp_path):
    path = tmp_path / "foreign.tflite"
    path.write_bytes(b"hello" * 100)
    page.get_by_label("Open model").set_input_files(path)
    _wait_for_text(
        page, "alert", "foreign.tflite carries no labels and manifest: it is not an"
    )
    _wait_for_state(page, "empty")
    assert page.get_by_role("button", name="Use camera").is_disabled()
    page.get_by_role("button", name="Dismiss the error").click()
    assert page.get_by_role("alert").count() == 0
    page.get_by_label("Open model").set_input_files(VECTORS / "classify.tflite")
    _wait_for_state(page, "ready")
    assert page.locator("#model-name").inner_text() == "classify.tflite"
    assert page.locator("#model-facts").inner_text() == "5 classes · 32 px"


@pytest.mark.slow
def test_model_with_8_bit_states_is_told_in_a_line(page):
    page.get_by_label("Open model").set_input_files(VECTORS / "counter.tflite")
    _wait_for_text(page, "alert", "states in int8, which LiteRT does not take")
    _wait_for_text(page, "alert", "another --quantization than int8")


def _transfer(page, name, content):
    """Returns what is dropped with a file."""
    return page.evaluate_handle(
        """([name, bytes]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([Uint8Array.from(bytes)], name));
          return transfer;
        }""",
        [name, list(content)],
    )


@pytest.mark.slow
def test_dropped_model_is_opened(page):
    content = (VECTORS / "classify.tflite").read_bytes()
    transfer = _transfer(page, "DROPPED.TFLITE", content)
    page.dispatch_event("body", "dragover", {"dataTransfer": transfer})
    assert page.get_by_text("Drop a model or a video").is_visible()
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    page.get_by_text("DROPPED.TFLITE", exact=True).wait_for()
    _wait_for_state(page, "ready")
    assert not page.get_by_text("Drop a model or a video").is_visible()


@pytest.mark.slow
def test_video_dropped_after_a_foreign_model_is_told_that_there_is_none(page):
    for name in ("foreign.tflite", "clip.webm"):
        transfer = _transfer(page, name, b"hello" * 100)
        page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    _wait_for_text(page, "alert", "There is no model yet: open an exported .tflite")


@pytest.mark.slow
def test_model_of_any_name_is_opened_as_a_model(page, tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes((VECTORS / "classify.tflite").read_bytes())
    page.get_by_label("Open model").set_input_files(path)
    page.get_by_text("model.bin", exact=True).wait_for()
    _wait_for_state(page, "ready")


@pytest.mark.slow
def test_other_model_hides_the_former_picture_and_error(page, tmp_path):
    page.get_by_label("Open video").set_input_files(
        _gray_video(tmp_path / "clip.webm", 10, 10)
    )
    _wait_for_text(page, "status", "Done")
    page.get_by_label("Open model").set_input_files(VECTORS / "counter.tflite")
    _wait_for_text(page, "alert", "states in int8")
    assert page.get_by_text("Open or drop a .tflite file").is_visible()
    page.get_by_label("Open model").set_input_files(STEP)
    _wait_for_state(page, "ready")
    assert page.get_by_role("alert").count() == 0


@pytest.mark.slow
def test_page_says_that_it_loads_and_users_need_not_wait_for_offline_use(
    context, site, tmp_path
):
    page = context.new_page()
    page.add_init_script(
        "navigator.serviceWorker.register = () => new Promise(() => {});"
    )
    asked, answer = threading.Event(), []
    page.route("**/step.tflite", lambda route: (answer.append(route), asked.set()))
    page.goto(site.url)
    page.get_by_text("Opening step.tflite…").wait_for()
    assert page.get_by_text("Loading…").is_visible()
    _wait_for_state(page, "loading")
    while not asked.is_set():
        page.wait_for_timeout(10)
    answer[0].continue_()
    _wait_for_state(page, "ready")
    page.get_by_label("Open video").set_input_files(
        _gray_video(tmp_path / "clip.webm", 10, 10)
    )
    _wait_for_text(page, "status", "Done")
    assert not page.get_by_text("Works offline").is_visible()


@pytest.mark.slow
def test_site_without_a_model_asks_for_one(context, serve):
    page = context.new_page()
    page.goto(serve().url)
    page.get_by_text("Open or drop a .tflite file that grw_tf exported.").wait_for()
    assert page.get_by_role("alert").count() == 0
    page.get_by_label("Open model").set_input_files(STEP)
    _wait_for_state(page, "ready")


@pytest.mark.slow
def test_file_that_failed_its_check_is_told(page, tmp_path):
    taken = dict(manifest_of(STEP)["input"])
    del taken["frame_fit"]
    changes = {"format_version": 1, "input": taken, "fps": 25 / 3}
    path = with_manifest(
        STEP, tmp_path / "failed.tflite", parity={"passed": False}, **changes
    )
    page.get_by_label("Open model").set_input_files(path)
    _wait_for_text(page, "status", "although it does not give its model's numbers")
    _wait_for_text(page, "status", "exported before frame_fit was recorded")
    _wait_for_state(page, "ready")
    assert page.locator("#rate").inner_text() == "8.33 per s"
    # Another file's are not told of this one.
    page.get_by_label("Open model").set_input_files(STEP)
    page.get_by_text("step.tflite", exact=True).wait_for()
    assert page.locator("#note").inner_text() == ""


@pytest.fixture(scope="module")
def camera(launch, tmp_path_factory):
    """A browser whose camera gives 30 frames a second."""
    path = tmp_path_factory.mktemp("camera") / "camera.y4m"
    height, width, rate = 48, 64, 30
    with path.open("wb") as file:
        file.write(
            f"YUV4MPEG2 W{width} H{height} F{rate}:1 Ip A1:1 C420jpeg\n".encode()
        )
        for index in range(60):
            frame = np.full((height, width, 3), 4 * index, np.uint8)
            file.write(
                b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes()
            )
    return launch(f"--use-file-for-fake-video-capture={path}")


def test_camera_is_seen_at_the_models_rate(camera, site):
    context = camera.new_context(permissions=["camera"])
    page = context.new_page()
    page.goto(site.url)
    _wait_for_state(page, "ready")
    page.get_by_role("button", name="Use camera").click()
    page.locator("#frames", has_not_text=re.compile("^0$")).wait_for()
    begin, first = page.evaluate("() => performance.now()"), _frames_seen(page)
    page.wait_for_timeout(3000)
    seconds = (page.evaluate("() => performance.now()") - begin) / 1000
    assert _frames_seen(page) - first == pytest.approx(FPS * seconds, abs=2)
    # It goes on, with another stream.
    page.get_by_role("button", name="Start anew").click()
    page.locator("#frames", has_text=re.compile("^[1-3]$")).wait_for()
    page.get_by_role("button", name="Stop").click()
    _wait_for_state(page, "ready")
    stopped = _frames_seen(page)
    page.wait_for_timeout(500)
    assert _frames_seen(page) == stopped
    context.close()


@pytest.mark.slow
def test_device_that_cannot_follow_a_camera_is_told_in_a_line(page):
    page.evaluate(
        """async () => {
          const { LiteRtRunner } = await import("/litert_runner.js");
          const { step } = LiteRtRunner.prototype;
          LiteRtRunner.prototype.step = async function () {
            await new Promise((resolve) => setTimeout(resolve, 600));
            return step.apply(this);
          };
        }"""
    )
    page.get_by_role("button", name="Use camera").click()
    _wait_for_text(page, "alert", "This device is too slow for a camera: a frame takes")
    _wait_for_state(page, "ready")


def test_site_without_its_files_is_told_in_a_line(context, serve):
    server = serve(STEP)
    (server.folder / "step.tflite").unlink()
    page = context.new_page()
    page.goto(server.url)
    _wait_for_text(page, "alert", "step.tflite cannot be fetched (404)")


@pytest.mark.slow
def test_refused_camera_is_told_in_a_line(page):
    page.evaluate(
        """() => {
          navigator.mediaDevices.getUserMedia = async () => {
            throw new DOMException("", "NotAllowedError");
          };
        }"""
    )
    page.get_by_role("button", name="Use camera").click()
    _wait_for_text(page, "alert", "The camera was refused: allow it for this page")
    _wait_for_state(page, "ready")


@pytest.mark.slow
def test_stop_does_not_wait_for_an_answer_about_the_camera_and_releases_it(page):
    page.evaluate(
        """() => {
          const devices = navigator.mediaDevices;
          const ask = devices.getUserMedia.bind(devices);
          devices.getUserMedia = async (wanted) => {
            await new Promise((resolve) => { globalThis.allow = resolve; });
            globalThis.stream = await ask(wanted);
            return globalThis.stream;
          };
        }"""
    )
    page.get_by_role("button", name="Use camera").press("Enter")
    _wait_for_text(page, "status", "Opening the camera…")
    # The next Tab goes on from the controls, though the button is disabled now.
    assert page.evaluate("() => document.activeElement.id") == "controls"
    page.get_by_role("button", name="Stop").click()
    _wait_for_text(page, "status", "Stopped.")
    page.evaluate("() => allow()")
    page.wait_for_function(
        "() => globalThis.stream?.getTracks().every((t) => t.readyState === 'ended')"
    )
    _wait_for_state(page, "ready")


@pytest.mark.slow
def test_page_asks_no_other_address_and_works_without_its_host(
    context, serve, tmp_path, monkeypatch
):
    # An open connection would be served after the end.
    monkeypatch.setattr("grw_tf.web.server._Handler.protocol_version", "HTTP/1.0")
    server = serve(STEP)
    page = context.new_page()
    asked = []
    context.on("request", lambda request: asked.append(request.url))
    page.goto(server.url)
    page.get_by_text("Works offline").wait_for()
    server.shutdown()
    server.server_close()
    page.reload()
    _wait_for_state(page, "ready")
    page.get_by_label("Open video").set_input_files(
        _gray_video(tmp_path / "clip.webm", 10, 10)
    )
    _wait_for_text(page, "status", "Done")
    page.get_by_text("Works offline").wait_for()
    assert len(asked) > 20
    own = (server.url, f"blob:{server.url}", "data:")
    assert [url for url in asked if not url.startswith(own)] == []


@pytest.mark.slow
def test_site_without_a_model_works_when_its_host_has_it_no_more(context, serve):
    server = serve()
    page = context.new_page()
    page.goto(server.url)
    page.get_by_text("Works offline").wait_for()
    server.folder.rename(server.folder.with_name("away"))
    page.reload()
    page.get_by_text("Open or drop a .tflite file").wait_for()
    page.get_by_label("Open model").set_input_files(STEP)
    _wait_for_state(page, "ready")


@pytest.mark.slow
def test_part_of_a_site_is_not_said_to_work_offline(context, serve):
    server = serve(STEP)
    (server.folder / "runtime" / "LICENSE.txt").unlink()
    page = context.new_page()
    page.goto(server.url)
    _wait_for_state(page, "ready")
    kept = page.evaluate(
        """async () => {
          const { keepOffline } = await import("/offline.js");
          const { version } = await (await fetch("site.json")).json();
          return keepOffline(version);
        }"""
    )
    assert kept is False
    assert not page.get_by_text("Works offline").is_visible()


@pytest.mark.slow
def test_pages_of_others_below_the_site_are_left_alone(context, serve, monkeypatch):
    headers = {"Cache-Control": "no-store"}
    monkeypatch.setattr("grw_tf.web.server._HEADERS", headers)
    server = serve(STEP)
    other = server.folder / "other.html"
    page = context.new_page()
    page.goto(server.url)
    page.get_by_text("Works offline").wait_for()
    for content in ("first", "second"):
        other.write_text(content)
        response = page.goto(f"{server.url}other.html")
        assert page.locator("body").inner_text() == content
        assert "cross-origin-embedder-policy" not in response.headers


@pytest.mark.slow
def test_another_export_is_seen_at_the_next_visit(context, serve, runtime, tmp_path):
    model = tmp_path / "model.tflite"
    model.write_bytes(STEP.read_bytes())
    server = serve(model)
    page = context.new_page()
    page.goto(server.url)
    page.get_by_text("Works offline").wait_for()
    labels = ["other", "b", "c", "d", "e"]
    write_site(server.folder, with_manifest(STEP, model, labels), runtime)
    page.reload()
    _wait_for_state(page, "ready")
    page.get_by_label("Open video").set_input_files(
        _gray_video(tmp_path / "clip.webm", 10, 10)
    )
    page.locator("#classes").get_by_text("other", exact=True).wait_for()
    page.get_by_text("Works offline").wait_for()
    kept = page.evaluate(
        """async () => {
          const [name, ...others] = await caches.keys();
          const requests = await (await caches.open(name)).keys();
          const paths = requests.map(({ url }) => new URL(url).pathname);
          return [others.length, paths.filter((path) => path.endsWith(".wasm"))];
        }"""
    )
    # The former version is forgotten, and one build of LiteRT is enough.
    assert kept == [0, ["/runtime/wasm/litert_wasm_internal.wasm"]]


@pytest.mark.slow
def test_host_without_headers_gets_threads_from_the_second_visit_on(
    context, serve, monkeypatch
):
    monkeypatch.setattr("grw_tf.web.server._HEADERS", {})
    page = context.new_page()
    page.goto(serve(STEP).url)
    page.get_by_text("Works offline").wait_for()
    assert not page.evaluate("() => crossOriginIsolated")
    page.reload()
    _wait_for_state(page, "ready")
    assert page.evaluate("() => crossOriginIsolated")


@pytest.mark.slow
def test_other_processor_gives_the_same_classes(page, tmp_path):
    video = _gray_video(tmp_path / "clip.webm", 10, 20)

    def classify():
        page.get_by_label("Open video").set_input_files(video)
        _wait_for_text(page, "status", "Done")
        return page.locator("#classes").inner_text()

    first = classify()
    choice = page.get_by_label("Runs on")
    names = choice.locator("option").all_inner_texts()
    assert names[0] == "CPU, 1 thread"
    if len(names) == 1:
        pytest.skip("this machine has one core")
    choice.select_option(names[1])
    page.locator("#frames", has_text=re.compile("^0$")).wait_for()
    _wait_for_state(page, "ready")
    assert classify() == first


@pytest.mark.slow
def test_all_can_be_done_by_keyboard(page):
    names = []
    for _ in range(12):
        page.keyboard.press("Tab")
        names.append(
            page.evaluate(
                """() => {
                  const at = document.activeElement;
                  const own = at.labels?.[0]?.innerText ?? at.innerText;
                  return own.trim();
                }"""
            )
        )
    wanted = ["Skip to the controls", "Use camera", "Open video", "Open model"]
    assert names[:4] == wanted
    assert "Runs on" in names
    # A focused button that is not a button's element shows it.
    page.get_by_label("Open video").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    outline = page.locator('label[data-for="video-file"]').evaluate(
        "(label) => getComputedStyle(label).outlineStyle"
    )
    assert outline == "solid"


@pytest.mark.slow
def test_everything_has_a_name_for_screen_readers(page):
    snapshot = page.locator("body").aria_snapshot()
    for line in (
        'heading "Video classifier" [level=1]',
        'button "Use camera"',
        'button "Open video"',
        'button "Open model"',
        'button "Start anew" [disabled]',
        'button "Stop" [disabled]',
        'combobox "Runs on"',
        'heading "Likeliest classes" [level=2]',
        'heading "Timeline" [level=2]',
        'img "Nothing has been classified."',
    ):
        assert line in snapshot
    unnamed = re.findall(r"^\s*- (button|img|combobox|link|textbox)\b(?! \")", snapshot)
    assert unnamed == []


@pytest.mark.parametrize(
    "width, height, scheme",
    slow_but(
        [(390, 844, "dark")],
        [(*size, x) for size in ((390, 844), (1280, 800)) for x in ("light", "dark")],
    ),
)
def test_page_fits_its_screen_with_readable_text(browser, site, scheme, width, height):
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": height}
    )
    page = context.new_page()
    page.goto(site.url)
    _wait_for_state(page, "ready")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    # The contrast that WCAG asks of text, for all texts on their backgrounds.
    worst = page.evaluate(
        """() => {
          const parse = (color) => color.match(/[\\d.]+/g).map(Number);
          const light = (color) => {
            const [r, g, b] = parse(color).map((value) => {
              const x = value / 255;
              return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const background = (element) => {
            for (let at = element; at; at = at.parentElement) {
              const color = getComputedStyle(at).backgroundColor;
              if ((parse(color)[3] ?? 1) === 1) return color;
            }
            return "rgb(255, 255, 255)";
          };
          let least = Infinity;
          const texts = "h1, h2, p, dt, dd, button, a";
          for (const element of document.querySelectorAll(texts)) {
            if (element.disabled || !element.checkVisibility()) continue;
            const [one, other] = [
              light(getComputedStyle(element).color),
              light(background(element)),
            ].sort((a, b) => b - a);
            least = Math.min(least, (one + 0.05) / (other + 0.05));
          }
          return least;
        }"""
    )
    assert worst >= 4.5
    context.close()


# A GPU in software takes half a second a step.
@pytest.mark.slow
def test_gpu_in_software_agrees_and_takes_over(launch, site, tmp_path):
    browser = launch("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
    page = browser.new_context().new_page()
    page.goto(site.url)
    _wait_for_state(page, "ready")
    choice = page.get_by_label("Runs on")
    if "GPU (untested)" not in choice.locator("option").all_inner_texts():
        pytest.skip("this Chromium has no WebGPU in software")
    choice.select_option("GPU (untested)")
    _wait_for_state(page, "ready")
    page.get_by_label("Open video").set_input_files(
        _gray_video(tmp_path / "clip.webm", 5, 20)
    )
    _wait_for_text(page, "status", "Done")
    _wait_for_text(page, "status", "The GPU gave the CPU's logits in the first 8")
    assert page.get_by_role("alert").count() == 0
