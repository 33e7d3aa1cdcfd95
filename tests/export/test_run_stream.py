"""Tests of running an exported file on videos and cameras."""

import contextlib
import functools
import http.server
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from unittest import mock

import av
import cv2
import numpy as np
import pytest
from drawn_videos import BLUE, RED, write_video
from everyday import slow_but
from exported_streams import write_clip_classifier, write_counter, write_stream
from toy_backbones import BACKBONES
from toy_heads import HEADS

from grw_tf.data.videos import video_sources
from grw_tf.data.videos.annotated_video import AnnotatedVideo, draw_classes
from grw_tf.data.videos.clips import stream_frames
from grw_tf.data.videos.video_sources import file_frames, live_frames
from grw_tf.streaming import ClipClassifier, StreamSession

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("run_stream")


@pytest.fixture(scope="module")
def model(folder):
    """A tiny model of 5 frames a second and classes n, mean, level."""
    return write_counter(folder / "model.tflite")


@pytest.fixture(scope="module")
def on_demand(nano, folder):
    model = nano(head=HEADS["transformer"])
    return write_stream(folder / "on_demand.tflite", model, frames_per_step=2)


@pytest.fixture(scope="module")
def of_clips(nano, folder):
    """A tiny model of clips of 8 frames, 5 a second."""
    model = nano(backbone=BACKBONES["slowonly_nano"])
    return write_clip_classifier(folder / "clips.tflite", model)


@pytest.fixture(scope="module")
def video(folder):
    """Three seconds at 10 frames a second, each brighter than the one before."""
    colors = [(8 * index,) * 3 for index in range(30)]
    return write_video(folder / "video.mp4", colors, rate=10)


@pytest.fixture
def run(run_bare_program, model):
    def run(source, *flags, model=model):
        flags = f"--model={model}", f"--source={source}", *flags
        return run_bare_program("export.run_stream", *flags)

    return run


def _decode(path):
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def _results(done):
    """Returns the JSON objects that a successful run printed."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _one_line(done):
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


def test_each_of_the_models_frames_has_a_line(run, video):
    done = run(video)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 15
    assert lines[0].split()[:2] == ["0.00", "s"]
    for line in lines:
        assert all(name in line for name in ("n ", "mean ", "level ", " ms)"))
    assert "15 frames, median " in done.stderr
    assert " ms a frame; " in done.stderr and " frames/s" in done.stderr


def test_probabilities_are_those_of_frames_read_as_in_training(run, model, video):
    results = _results(run(video, "--json", "--top=2"))
    with StreamSession(model) as session:
        frames = list(stream_frames(video, session.fps, session.geometry))
        for index, (result, (seconds, frame)) in enumerate(
            zip(results, frames, strict=True)
        ):
            session.push_prepared(frame)
            assert result["ms"] > 0
            assert (result["frame"], result["time"]) == (index, pytest.approx(seconds))
            names, probabilities = zip(*session.top(2), strict=True)
            assert [each["class"] for each in result["top"]] == list(names)
            likeliest = result["top"][0]["probability"]
            assert likeliest == pytest.approx(probabilities[0], abs=1e-5)


@pytest.mark.slow
def test_head_on_demand_classifies_after_each_step(run, on_demand, video):
    lines = _results(run(video, "--json", model=on_demand))
    # 5 frames a second make 15, of which a step takes 2.
    assert [line["frame"] for line in lines] == [1, 3, 5, 7, 9, 11, 13]
    assert all(len(line["top"]) == 3 for line in lines)


def test_video_is_classified_clip_by_clip(run, of_clips, video, tmp_path):
    output = tmp_path / "annotated.mp4"
    done = run(video, "--json", f"--output={output}", model=of_clips)
    results = _results(done)
    # Of 15 frames a clip takes 8, and the last clip ends where the video does.
    assert [result["frame"] for result in results] == [7, 14]
    with ClipClassifier(of_clips) as classifier:
        read = list(stream_frames(video, classifier.fps, classifier.geometry))
        frames = [frame for _, frame in read]
        for result, end in zip(results, (8, 15), strict=True):
            assert result["time"] == pytest.approx(read[end - 1][0])
            ((name, probability),) = classifier.top(
                frames[end - 8 : end], 1, prepared=True
            )
            assert result["top"][0]["class"] == name
            assert result["top"][0]["probability"] == pytest.approx(
                probability, abs=1e-5
            )
    assert "2 clips, median " in done.stderr and " ms a clip; " in done.stderr
    assert len(_decode(output)) == 30


def test_live_source_of_a_classifier_of_clips_is_refused(run, of_clips):
    line = _one_line(run(0, model=of_clips))
    assert "classifies whole clips, and 0 is live: use a video file" in line


def test_gaps_of_a_classifier_of_clips_are_refused(run, of_clips, video):
    line = _one_line(run(video, "--max_gap=20", model=of_clips))
    assert "--max_gap=20: " in line and "classifies whole clips, and repeats no" in line


def test_annotated_video_has_all_frames_at_their_times(run, video, tmp_path):
    done = run(video, f"--output={tmp_path / 'annotated.mp4'}")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 15
    frames, originals = _decode(tmp_path / "annotated.mp4"), _decode(video)
    assert len(frames) == len(originals) == 30
    for frame, original in zip(frames, originals, strict=True):
        assert frame.time == pytest.approx(original.time, abs=2e-3)
        # Below the classes the picture is as it was.
        drawn, picture = (f.to_ndarray(format="rgb24") for f in (frame, original))
        assert drawn.shape == picture.shape
        assert np.abs(drawn[-8:].mean() - picture[-8:].mean()) < 4
    bright = frames[-1].to_ndarray(format="rgb24")
    assert bright[:20, :60].mean() < bright[-8:].mean() - 50


def test_likeliest_class_has_the_longest_bar():
    picture = np.full((240, 320, 3), 200, np.uint8)
    drawn = draw_classes(picture, [("much", 0.9), ("little", 0.1)])
    assert picture.min() == 200 and drawn.shape == picture.shape
    greenish = (drawn[..., 1] > drawn[..., 0].astype(int) + 50).sum(axis=1)
    first, second = greenish[:14].max(), greenish[18:28].max()
    assert first > 4 * second > 0
    assert (drawn.max(axis=(1, 2)) == 255).any()


def test_odd_sides_and_equal_times_are_written(tmp_path):
    path = tmp_path / "odd.mp4"
    with contextlib.closing(AnnotatedVideo(str(path))) as video:
        for seconds in (0.0, 0.0, 0.1):
            video.write(seconds, np.full((47, 63, 3), 90, np.uint8), [])
    frames = _decode(path)
    assert len(frames) == 3
    assert (frames[0].width, frames[0].height) == (62, 46)


@pytest.mark.parametrize(
    "name", ["video.foo", "a.gif", "a.webm", "nowhere/video.mp4", "again"]
)
def test_output_that_cannot_be_written_is_named(run, video, tmp_path, name):
    output = video if name == "again" else tmp_path / name
    done = run(video, f"--output={output}")
    line = _one_line(done)
    # Before the first frame.
    assert str(output) in line and not done.stdout
    assert "cannot be written" in line or "would be overwritten" in line
    assert len(_decode(video)) == 30


def _unreadable(folder, video):
    content = video.read_bytes()
    yield "nothing.mp4", None, "is not a file, a camera's index or a URL"
    yield "empty.mp4", b"", "cannot be read as a video"
    yield "text.mp4", b"hello " * 100, "cannot be read as a video"
    yield "part.mp4", content[: len(content) // 2], "cannot be read as a video"
    with av.open(str(folder / "zero.avi"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    yield "zero.avi", (folder / "zero.avi").read_bytes(), "has no frames|cannot be read"


def test_video_that_cannot_be_read_is_named_in_one_line(run, folder, video, tmp_path):
    for name, content, message in _unreadable(folder, video):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        line = _one_line(run(path, f"--output={tmp_path / 'out.mp4'}"))
        assert str(path) in line
        assert any(part in line for part in message.split("|")), line
        assert not (tmp_path / "out.mp4").exists()


_SLOW = """
import runpy
import numpy as np
from grw_tf.data.videos import video_sources
frame = np.zeros((48, 64, 3), np.uint8)
video_sources.live_frames = lambda _: ((8.0 * k, frame) for k in range(5))
runpy.run_module("export.run_stream", run_name="__main__")
"""


def test_slow_stream_runs_with_a_longer_gap(run_code, model):
    run = functools.partial(run_code, _SLOW, f"--model={model}", "--source=0")
    assert "every 8 s, open the session with a max_gap" in _one_line(run())
    done = run("--max_gap=9")
    assert done.returncode == 0, done.stderr
    assert "max_gap is 0.0: it must be above 0" in _one_line(run("--max_gap=0"))


def test_missing_model_is_named_in_one_line(run, video):
    done = run(video, model="nothing.tflite")
    assert "No such file or directory: 'nothing.tflite'" in _one_line(done)


def test_video_shorter_than_a_step_is_named(run, on_demand, tmp_path):
    done = run(write_video(tmp_path / "short.mp4", [RED], rate=10), model=on_demand)
    assert "ended before the 2 frames of a step" in _one_line(done)


def test_camera_that_cannot_be_is_named_in_one_line(run, monkeypatch):
    for source in ("9" * 20, str(2**31)):
        assert f"There is no camera {source}" in _one_line(run(source))

    error = cv2.error("broken")
    # Its class keeps that of the last error in this process.
    error.err = "broken"
    broken = mock.Mock(**{"return_value.isOpened.side_effect": error})
    monkeypatch.setattr(cv2, "VideoCapture", broken)
    with pytest.raises(OSError, match="Camera 3 cannot be read: broken"):
        next(live_frames("3"))


def test_missing_camera_and_stream_are_named_in_one_line(run):
    for source in ("99", "rtsp://127.0.0.1:1/x"):
        assert f"{source} gives no frames: is it there" in _one_line(run(source))


def test_stream_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(video_sources, "_TIMEOUT_MS", 500)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        start = time.monotonic()
        with pytest.raises(OSError, match="gives no frames"):
            next(live_frames(f"rtsp://127.0.0.1:{port}/x"))
        assert time.monotonic() - start < 8


@pytest.fixture
def server(folder):
    """URL of the folder."""
    with _served(functools.partial(_Quiet, directory=str(folder))) as (_, url):
        yield url


@contextlib.contextmanager
def _served(handler):
    """Yields a running server and its URL."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_live_frames_are_timed_as_they_come(run, stream, tmp_path):
    # By their own times they last 3.6 s, 18 of the model's frames. All come as fast as
    # they are read: within some of them.
    url = stream(_transport_stream(tmp_path / "a.ts", levels=[0] * 90))
    assert 1 <= len(_results(run(url, "--json"))) < 15


class _Pipe:
    """A file without a way back, in which an encoder leaves out the duration."""

    def __init__(self, file):
        self.write = file.write


def _encode(container, codec, pictures, rate, **options):
    """Writes a video into an open container."""
    stream = container.add_stream(codec, rate=rate, options=options)
    height, width, _ = pictures[0].shape
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    for picture in pictures:
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


@pytest.mark.parametrize("name", ["recorded.ts", "recorded.webm", "recorded.h264"])
def test_file_at_a_url_that_tells_no_duration_is_no_stream(folder, server, name):
    path = folder / name
    levels = range(0, 240, 8)
    if path.suffix == ".webm":
        pictures = [np.full((48, 64, 3), level, np.uint8) for level in levels]
        with open(path, "wb") as file:
            with av.open(_Pipe(file), "w", format="webm") as container:
                _encode(container, "libvpx", pictures, 10)
        with av.open(str(path)) as container:
            assert not container.duration
    else:
        write_video(path, [(level,) * 3 for level in levels], codec="libx264")
    url = f"{server}/{name}"
    assert not video_sources.is_live(url)
    seen = [picture.mean() for _, picture, _ in file_frames(url, 5)]
    expected = [picture.mean() for _, picture, _ in file_frames(str(path), 5)]
    assert seen == expected
    assert len(seen) >= 6


def test_live_playlist_of_a_known_size_is_a_stream(folder, server):
    write_video(folder / "part.ts", [RED] * 30, codec="libx264")
    playlist = folder / "live.m3u8"
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n"
    playlist.write_text(f"{head}#EXTINF:3.0,\npart.ts\n")
    assert video_sources.is_live(f"{server}/live.m3u8")
    playlist.write_text(f"{head}#EXTINF:3.0,\npart.ts\n#EXT-X-ENDLIST\n")
    assert not video_sources.is_live(f"{server}/live.m3u8")


def test_files_by_url_have_their_own_times(run, video, server, tmp_path):
    spaced = tmp_path / "a video.mp4"
    spaced.write_bytes(video.read_bytes())
    for source in (
        f"file://{video}",
        f"file://localhost{tmp_path}/a%20video.mp4",
        f"{server}/{video.name}",
    ):
        times = [result["time"] for result in _results(run(source, "--json"))]
        assert times == pytest.approx([index / 5 for index in range(15)])
    line = _one_line(run(f"file://{video}", f"--output={video}"))
    assert "would be overwritten" in line


@pytest.mark.parametrize(
    "number", slow_but([signal.SIGTERM], [signal.SIGINT, signal.SIGTERM])
)
def test_signal_ends_it_with_a_playable_file(model, tmp_path, number):
    output = tmp_path / "annotated.mp4"
    long = write_video(tmp_path / "long.mp4", [RED, BLUE] * 5000, rate=10)
    flags = f"--model={model}", f"--source={long}", f"--output={output}"
    process = subprocess.Popen(
        [sys.executable, "-m", "export.run_stream", *flags],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = [process.stdout.readline() for _ in range(5)]
    process.send_signal(number)
    rest, errors = process.communicate(timeout=30)
    told = len(lines) + len(rest.splitlines())
    assert process.returncode == 128 + number
    (line,) = errors.strip().splitlines()
    assert line.startswith(f"{told} frames, median ")
    # Two frames of the video for each of the model's.
    assert told < 5000
    assert 0 <= 2 * told - len(_decode(output)) <= 1


class _Streamed(_Quiet):
    """Sends the parts of a stream without telling how long it is."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.end_headers()
        with contextlib.suppress(OSError):
            for part in self.server.parts:
                self.wfile.write(part)
                time.sleep(0.002)
            self.server.stalled.wait()


@pytest.fixture
def stream():
    """Serves bytes as a live stream that ends, or stalls, and returns its URL."""
    with _served(_Streamed) as (server, url):
        server.stalled = threading.Event()

        def serve(content, stalls=False):
            starts = range(0, len(content), 1880)
            server.parts = [content[start : start + 1880] for start in starts]
            server.stalled.clear() if stalls else server.stalled.set()
            return f"{url}/live.ts"

        yield serve
        server.stalled.set()


def _transport_stream(path, size=(64, 48), levels=range(0, 240, 4), interlaced=True):
    """Returns a stream of frames of these levels, interlaced unless told otherwise."""
    options = {"bf": "0", "g": "10"}
    if interlaced:
        options |= {"flags": "+ilme+ildct", "x264-params": "tff=1"}
    write_video(
        path,
        [(level,) * 3 for level in levels],
        rate=25,
        codec="libx264",
        size=size,
        **options,
    )
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame == interlaced
    return path.read_bytes()


@pytest.mark.parametrize("interlaced", [False, True], ids=["progressive", "interlaced"])
def test_live_frames_are_those_of_the_stream(stream, tmp_path, interlaced):
    url = stream(_transport_stream(tmp_path / "a.ts", interlaced=interlaced))
    assert video_sources.is_live(url)
    seconds, pictures = zip(*live_frames(url), strict=True)
    levels = [picture.mean() for picture in pictures]
    assert levels == pytest.approx(list(range(0, 240, 4)), abs=4)
    assert seconds[0] == 0 and list(seconds) == sorted(seconds)


def test_run_on_an_interlaced_stream_sees_its_frames(run, stream, tmp_path):
    url = stream(_transport_stream(tmp_path / "a.ts", levels=[200] * 60))
    done = run(url, f"--output={tmp_path / 'seen.mp4'}")
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 1
    seen = _decode(tmp_path / "seen.mp4")
    assert len(seen) == 60
    for frame in seen:
        # Below the classes.
        assert frame.to_ndarray(format="gray")[-8:].mean() == pytest.approx(200, abs=4)


def test_run_on_a_stream_that_stalls_tells_what_it_saw(
    run_code, model, stream, tmp_path
):
    url = stream(_transport_stream(tmp_path / "a.ts"), stalls=True)
    program = (
        "import runpy; from grw_tf.data.videos import video_sources;"
        " video_sources._TIMEOUT_MS = 700;"
        " runpy.run_module('export.run_stream', run_name='__main__')"
    )
    done = run_code(program, f"--model={model}", f"--source={url}")
    assert f"{url} broke off after 60 frames: nothing came for 0.7 s" in _one_line(done)
    assert done.stdout


def test_live_frames_keep_the_size_of_the_first(stream, tmp_path, caplog):
    content = _transport_stream(tmp_path / "a.ts")
    content += _transport_stream(tmp_path / "b.ts", size=(32, 48))
    url = stream(content)
    pictures = [picture for _, picture in live_frames(url)]
    told = [record.getMessage() for record in caplog.records]
    message = "the size of frames changes from 64 x 48 to 32 x 48 pixels"
    assert sum(f"{url}: {message}" in each for each in told) == 1
    assert {picture.shape for picture in pictures} == {(48, 64, 3)}
    assert len(pictures) == 120
    assert pictures[-1].mean() == pytest.approx(236, abs=4)


def test_live_frames_are_mirrored_as_the_stream_says(server, folder):
    path = folder / "turned.mp4"
    write_video(path, [RED] * 4, right=BLUE, rotation=180)
    (_, first), *_ = live_frames(f"{server}/{path.name}")
    assert first[:, :28, 2].min() > 200 and first[:, -28:, 0].min() > 200


def test_stream_that_stalls_is_given_up(stream, tmp_path, monkeypatch):
    monkeypatch.setattr(video_sources, "_TIMEOUT_MS", 700)
    url = stream(_transport_stream(tmp_path / "a.ts"), stalls=True)
    count = 0
    with pytest.raises(
        OSError, match=r"broke off after \d+ frames: nothing came for 0.7"
    ):
        for _ in live_frames(url):
            count += 1
    assert count >= 55


def _damaged_stream(path, count):
    """Returns a stream of noisy frames, of which many in the middle are damaged."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (count, 64, 96, 3), np.uint8)
    with av.open(str(path), "w") as container:
        _encode(container, "libx264", pictures, 25, bf="0", g="5")
    content = bytearray(path.read_bytes())
    third = len(content) // 188 // 3
    for at in range(188 * third, 2 * 188 * third, 5 * 188):
        # Headers stay as they were: else frames would be lost, not damaged.
        if not content[at + 1] & 0x40:
            content[at + 20 : at + 180] = rng.bytes(160)
    return bytes(content)


def test_damaged_frames_are_left_out_and_counted(stream, tmp_path, caplog):
    count = 60
    url = stream(_damaged_stream(tmp_path / "a.ts", count))
    pictures = [picture for _, picture in live_frames(url)]
    (told,) = (r.getMessage() for r in caplog.records if "damaged" in r.getMessage())
    damaged, total = map(int, re.search(r"(\d+) of (\d+) frames", told).groups())
    assert (total, damaged) == (count, count - len(pictures))
    assert 10 < damaged < 30


def test_stream_that_is_no_video_is_told(stream):
    for content in (b"hello " * 5000, b"<!doctype html><p>hello", b""):
        with pytest.raises(OSError, match="gives no frames: what is there is not a vi"):
            next(live_frames(stream(content)))


def test_source_without_video_says_what_is_so(run, folder, server):
    (folder / "page.html").write_text("<!doctype html><html>" + "hello " * 500)
    (folder / "empty.ts").write_bytes(b"")
    for source, told in (
        (f"{server}/page.html", "what is there is not a video"),
        (f"{server}/empty.ts", "what is there is not a video"),
        (f"{server}/nothing.mp4", "the server answered 404 Not Found"),
        ("http://no-such-host.invalid/a.mp4", "there is no host no-such-host.invalid"),
        ("rtsp://no-such-host.invalid/a", "there is no host no-such-host.invalid"),
        ("foo://a/b", "FFmpeg knows no protocol foo"),
    ):
        with pytest.raises(OSError, match=re.escape(told)) as refused:
            assert video_sources.is_live(source)
            next(live_frames(source))
        assert "switched on" not in str(refused.value)
    assert f"{server}/nothing.mp4 gives no frames: the server answered 404" in (
        _one_line(run(f"{server}/nothing.mp4"))
    )


def test_case_of_an_interlaced_stream_is_seen(stream, tmp_path):
    path = REPOSITORY / "../shared/data/cases/interlaced_live/interlaced.mp4"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with av.open(str(path)) as source, av.open(str(tmp_path / "a.ts"), "w") as target:
        video = source.streams.video[0]
        copy = target.add_stream_from_template(video)
        for packet in source.demux(video):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    recorded = [f.to_ndarray(format="rgb24") for f in _decode(path)]
    live = [p for _, p in live_frames(stream((tmp_path / "a.ts").read_bytes()))]
    np.testing.assert_array_equal(live, recorded)


def test_file_at_a_url_that_stalls_is_named(folder, monkeypatch):
    monkeypatch.setattr(video_sources, "_TIMEOUT_MS", 700)
    path = write_video(folder / "long.mkv", [RED, BLUE] * 200, size=(320, 240))
    content = path.read_bytes()
    released = threading.Event()

    class Half(_Quiet):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(content[: len(content) // 2])
                released.wait()

    with _served(Half) as (_, url):
        url += "/long.mkv"
        assert not video_sources.is_live(url)
        message = f"{url} cannot be read as a video: nothing came for 0.7 s"
        with pytest.raises(ValueError, match=re.escape(message)):
            list(file_frames(url, 5))
        released.set()
