"""Tests of the page: what users see and do, in Chromium."""

import re

import cv2
import numpy as np
import pytest
from drawn_videos import write_video
from exported_files import CLASSES, VECTORS, with_manifest

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


@pytest.mark.parametrize("rate", [10, 24, 3])
def test_video_is_read_at_the_frames_that_training_takes(page, tmp_path, rate):
    """Compares the frames that are sought with those that the clock chooses."""
    count = 40
    video = _gray_video(tmp_path / "gray.webm", rate, count)
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
    fps = 7.5
    clock, expected = FrameClock(fps), []
    for index in range(count):
        expected += [index - 1] * clock.arrive(index / rate)
    expected += [count - 1] * clock.end(count / rate)
    found = page.evaluate("(fps) => levels(fps)", fps)
    assert all(time is None for _, time in found)
    indices = np.rint(np.array([level for level, _ in found]) / 4).astype(int)
    assert indices.tolist() == expected


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


def test_model_with_8_bit_states_is_told_in_a_line(page):
    page.get_by_label("Open model").set_input_files(VECTORS / "counter.tflite")
    _wait_for_text(page, "alert", "states in int8, which LiteRT does not take")
    _wait_for_text(page, "alert", "another --quantization than int8")


def test_dropped_model_is_opened(page):
    content = (VECTORS / "classify.tflite").read_bytes()
    transfer = page.evaluate_handle(
        """(bytes) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([Uint8Array.from(bytes)], "dropped.tflite"));
          return transfer;
        }""",
        list(content),
    )
    page.dispatch_event("body", "dragover", {"dataTransfer": transfer})
    assert page.get_by_text("Drop a model or a video").is_visible()
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    page.get_by_text("dropped.tflite", exact=True).wait_for()
    _wait_for_state(page, "ready")
    assert not page.get_by_text("Drop a model or a video").is_visible()


def test_site_without_a_model_asks_for_one(context, serve):
    page = context.new_page()
    page.goto(serve().url)
    page.get_by_text("Open or drop a .tflite file that grw_tf exported.").wait_for()
    assert page.get_by_role("alert").count() == 0
    page.get_by_label("Open model").set_input_files(STEP)
    _wait_for_state(page, "ready")


def test_file_that_failed_its_check_is_told(page, tmp_path):
    path = with_manifest(STEP, tmp_path / "failed.tflite", parity={"passed": False})
    page.get_by_label("Open model").set_input_files(path)
    _wait_for_text(page, "status", "although it does not give its model's numbers")
    _wait_for_state(page, "ready")


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


def test_page_asks_no_other_address_and_works_without_its_host(
    context, serve, tmp_path
):
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width, height", [(390, 844), (1280, 800)])
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
