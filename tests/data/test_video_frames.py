"""Tests that videos are read as ffmpeg shows them, and by a clock that runs on."""

import pathlib
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition
from drawn_videos import greys, write_video

from grw_tf.data.listing.file_kinds import is_video
from grw_tf.data.listing.video_list import Video
from grw_tf.data.preparation.jpeg_clips import read_jpegs
from grw_tf.data.videos.clips import read_clip, stream_frames
from grw_tf.data.videos.orientation import UprightPictures
from grw_tf.data.videos.sampling import sample_pictures
from grw_tf.data.videos.stream_choice import moving_stream, open_video
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.kinetics600.clips import ClipRule, ClipTask, read_published_clips

CASES = pathlib.Path(__file__).resolve().parents[2] / "../shared/data/cases"
UNIT = 1 << 16
GEOMETRY = FrameGeometry(32, "square")
# What is shown of frames of four quarters, rows of 1 2 and 3 4.
MATRICES = {
    "as stored": ((1, 0, 0, 1), (1, 2, 3, 4)),
    "hflip": ((-1, 0, 0, 1), (2, 1, 4, 3)),
    "vflip": ((1, 0, 0, -1), (3, 4, 1, 2)),
    "half turn": ((-1, 0, 0, -1), (4, 3, 2, 1)),
    "clockwise": ((0, 1, -1, 0), (3, 1, 4, 2)),
    "anticlockwise": ((0, -1, 1, 0), (2, 4, 1, 3)),
    "transpose": ((0, 1, 1, 0), (1, 3, 2, 4)),
    "transverse": ((0, -1, -1, 0), (4, 2, 3, 1)),
}


def _case(name):
    path = CASES / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


def _quarters(matrix):
    (a, b, c, d) = (round(UNIT * value) for value in matrix)
    return [a, b, 0, c, d, 0, 0, 0, 1 << 30]


def _write(path, matrix=None, levels=None, count=3, first=0, size=(64, 48), **options):
    """Writes frames of four quarters of levels 50 to 200, or each of one level.

    `first` is the time of the first, in frames.
    """
    width, height = size
    rows, columns = 2 * np.arange(height) // height, 2 * np.arange(width) // width
    quarters = 50 + 100 * rows[:, None] + 50 * columns
    pictures = [quarters[..., None]] * count if levels is None else levels[:count]
    return write_video(
        path,
        pictures,
        rate=30,
        pts=range(first, first + count),
        matrix=matrix and _quarters(matrix),
        size=size,
        **{"codec": "libx264", "bf": "2"} | options,
    )


def _quarter_numbers(picture):
    """Returns which quarter of the stored frame each of a picture's is."""
    height, width = picture.shape[:2]
    return tuple(
        round(float(picture[y * height // 4, x * width // 4].mean()) / 50)
        for y in (1, 3)
        for x in (1, 3)
    )


def _shown_by_ffmpeg(path, matrix):
    """Returns the frames as the filters that the ffmpeg tool inserts make them."""
    a, b, c, d = matrix
    # Degrees of fftools' get_rotation.
    theta = round(np.degrees(np.arctan2(b, a))) % 360
    if theta == 90:
        filters = [("transpose", "cclock_flip" if c > 0 else "clock")]
    elif theta == 270:
        filters = [("transpose", "clock_flip" if c < 0 else "cclock")]
    elif theta == 180:
        filters = [("hflip", None)] * (a < 0) + [("vflip", None)] * (d < 0)
    else:
        filters = [("vflip", None)] * (d < 0)
    return _filtered(path, filters)


def _filtered(path, filters):
    """Returns the frames as ffmpeg's filters (name, arguments) make them."""
    shown = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        graph = av.filter.Graph()
        nodes = [graph.add_buffer(template=stream)]
        nodes += [graph.add(name, arguments) for name, arguments in filters]
        nodes.append(graph.add("buffersink"))
        graph.link_nodes(*nodes).configure()
        for frame in container.decode(stream):
            graph.push(frame)
            shown.append(graph.pull().to_ndarray(format="rgb24"))
    return np.stack(shown)


@pytest.mark.parametrize("name", MATRICES)
def test_frames_are_those_that_ffmpeg_shows(tmp_path, name):
    matrix, quarters = MATRICES[name]
    path = _write(tmp_path / "a.mp4", matrix)
    pictures = np.stack([picture for _, picture in sample_pictures(path, 30)])
    np.testing.assert_array_equal(pictures, _shown_by_ffmpeg(path, matrix))
    assert _quarter_numbers(pictures[0]) == quarters


@pytest.mark.parametrize("name", MATRICES)
def test_every_reader_turns_and_mirrors(tmp_path, name):
    matrix, quarters = MATRICES[name]
    path = _write(tmp_path / "a.mp4", matrix)
    clip = read_jpegs(path, 30, short_side=32, quality=95)
    stored = cv2.imdecode(np.frombuffer(clip.frames[0], np.uint8), 1)
    assert stored.shape[:2] == (clip.height, clip.width)
    assert (clip.width > clip.height) == (matrix[0] != 0)
    streamed = next(stream_frames(path, 30, GEOMETRY))[1]
    for picture in (stored, streamed, read_clip(path, 2, 30, GEOMETRY)[0]):
        assert _quarter_numbers(picture) == quarters


@pytest.mark.parametrize("degrees", [-30, 2, 80])
def test_slanted_frames_are_those_that_ffmpeg_shows(tmp_path, degrees):
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    path = _write(tmp_path / "a.mp4", (cosine, sine, -sine, cosine))
    pictures = np.stack([picture for _, picture in sample_pictures(path, 30)])
    expected = _filtered(path, [("rotate", f"{degrees % 360}*PI/180")])
    np.testing.assert_array_equal(pictures, expected)


@pytest.mark.parametrize("name", MATRICES)
def test_frames_of_odd_sides_are_those_that_ffmpeg_shows(tmp_path, name):
    matrix, _ = MATRICES[name]
    path = _write(tmp_path / "a.mp4", matrix, size=(65, 49), codec="mpeg4")
    pictures = np.stack([picture for _, picture in sample_pictures(path, 30)])
    np.testing.assert_array_equal(pictures, _shown_by_ffmpeg(path, matrix))


@pytest.mark.parametrize("matrix", [(0, 0, 0, 0), (1, 0, 1, 0)])
def test_matrix_that_shows_nothing_is_ignored(tmp_path, matrix):
    path = _write(tmp_path / "a.mp4", matrix)
    ((_, picture), *_) = sample_pictures(path, 30)
    assert _quarter_numbers(picture) == (1, 2, 3, 4)


def test_case_of_a_selfie_is_mirrored():
    base, mirrored = (
        list(sample_pictures(_case(f"mirrored_matrix/{name}.mp4"), 5))
        for name in ("base", "m_hflip")
    )
    assert len(base) == len(mirrored) == 15
    for (_, plain), (_, flipped) in zip(base, mirrored, strict=True):
        np.testing.assert_array_equal(flipped, plain[:, ::-1])


def _write_with_cover(path, sound=False):
    """Writes ten frames, or sound, and a cover; in the file the cover comes last."""
    with av.open(str(path), "w") as container:
        if sound:
            stream = container.add_stream("aac", rate=16000)
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 16000), np.float32), format="fltp", layout="mono"
            )
            frame.rate, frame.pts = 16000, 0
            frames = [frame]
        else:
            stream = container.add_stream("libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            frames = []
            for index, color in enumerate(greys(10)):
                image = np.full((48, 64, 3), color, np.uint8)
                frames.append(av.VideoFrame.from_ndarray(image, format="rgb24"))
                frames[-1].pts = index
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        picture = np.full((32, 32, 3), 255, np.uint8)
        container.mux(cover.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(cover.encode())
        for frame in frames:
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _boxes(content):
    while content:
        length = int.from_bytes(content[:4], "big")
        yield content[4:8], content[:length]
        content = content[length:]


def _put_cover_first(path):
    """Puts the tags of an MP4 before its tracks, as taggers do."""
    content = b""
    for kind, box in _boxes(path.read_bytes()):
        if kind == b"moov":
            inner = sorted(
                _boxes(box[8:]), key=lambda b: b[0] not in (b"mvhd", b"udta")
            )
            box = box[:8] + b"".join(each for _, each in inner)
        content += box
    path.write_bytes(content)
    with av.open(str(path)) as container:
        first = container.streams.video[0]
        assert first.disposition == Disposition.attached_pic


@pytest.mark.parametrize("first", [False, True], ids=["last", "first"])
def test_cover_is_not_the_video(tmp_path, first):
    path = _write_with_cover(tmp_path / "a.mp4")
    if first:
        _put_cover_first(path)
    levels = [picture.mean() for _, picture in sample_pictures(path, 10)]
    assert levels == pytest.approx([20 * i for i in range(10)], abs=3)
    # Far enough for the file to be sought or read anew.
    ((_, late), *_) = sample_pictures(path, 10, start=0.8)
    assert late.mean() == pytest.approx(160, abs=3)


def test_sound_with_a_cover_holds_no_video(tmp_path):
    path = _write_with_cover(tmp_path / "a.mp4", sound=True)
    with pytest.raises(ValueError, match="a.mp4 holds no video"):
        next(sample_pictures(path, 10))


@pytest.mark.parametrize("kind", ["attached_pic", "timed_thumbnails", "still_image"])
def test_streams_of_pictures_are_not_videos(kind):
    class Stream:
        def __init__(self, disposition):
            self.disposition = disposition

    class Container:
        class streams:
            video = [Stream(Disposition[kind]), Stream(Disposition.default)]

    assert moving_stream(Container) is Container.streams.video[1]
    Container.streams.video = Container.streams.video[:1]
    assert moving_stream(Container) is None


def _write_tracks(path, *tracks):
    """Writes tracks of (size, level, frames, codec, disposition), from time 0 on."""
    with av.open(str(path), "w") as container:
        streams = []
        for size, _, _, codec, disposition in tracks:
            stream = container.add_stream(codec, rate=10)
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.disposition = disposition
            streams.append(stream)
        packets = []
        for stream, (size, level, count, _, _) in zip(streams, tracks, strict=True):
            picture = np.full((size[1], size[0], 3), level, np.uint8)
            for index in range(count):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts = index
                packets += stream.encode(frame)
            packets += stream.encode()
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path


_SMALL, _LARGE = (64, 48), (128, 96)
_NO_FLAG, _DEFAULT = Disposition(0), Disposition.default


@pytest.mark.parametrize(
    "first, second",
    [
        ((_SMALL, 50, 20, "libx264", _NO_FLAG), (_LARGE, 200, 20, "libx264", _NO_FLAG)),
        ((_LARGE, 50, 20, "libx264", _NO_FLAG), (_SMALL, 200, 20, "libx264", _DEFAULT)),
        ((_LARGE, 50, 1, "mjpeg", _NO_FLAG), (_SMALL, 200, 20, "libx264", _NO_FLAG)),
        ((_LARGE, 50, 1, "mjpeg", _DEFAULT), (_SMALL, 200, 20, "libx264", _NO_FLAG)),
        ((_SMALL, 50, 20, "libx264", _NO_FLAG), (_LARGE, 200, 20, "mjpeg", _NO_FLAG)),
    ],
    ids=["larger", "default", "cover", "default cover", "mjpeg"],
)
@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
def test_of_several_tracks_that_of_ffmpeg_is_read(
    tmp_path, caplog, first, second, turned
):
    tracks = (second, first) if turned else (first, second)
    path = _write_tracks(tmp_path / "a.mkv", *tracks)
    for _ in range(2):
        levels = _levels(sample_pictures(path, 10))
        assert levels == pytest.approx([200] * 20, abs=4)
    assert is_video(path)
    told = [record.getMessage() for record in caplog.records]
    if first[2] == 1:
        assert not told
    else:
        (message,) = told
        number = 0 if turned else 1
        assert message.startswith(f"{path}: it has 2 video tracks: track {number}, ")


def test_case_of_a_cover_before_the_track_has_all_frames():
    path = _case("cover_art_first/cover_first.mp4")
    assert len(list(sample_pictures(path, 30))) == 90


def _concatenate(path, *parts):
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def _levels(pictures):
    return [round(float(picture.mean())) for _, picture in pictures]


@pytest.mark.parametrize("seconds", [0.4, 1, 3])
def test_clock_that_is_set_back_loses_no_frames(tmp_path, caplog, seconds):
    count = round(30 * seconds)
    rising = np.linspace(10, 100, count)
    once = _write(tmp_path / "once.ts", count=count, levels=rising)
    again = _write(tmp_path / "again.ts", count=count, levels=rising + 100)
    path = _concatenate(tmp_path / "a.ts", once, again)
    levels = _levels(sample_pictures(path, 5))
    # As many as `ffmpeg -vf fps=5` gives.
    assert len(levels) == pytest.approx(10 * seconds, abs=0.5)
    whole = np.concatenate([rising, rising + 100])[::6]
    # The frame at which the clock is set back may take the place of the one before.
    assert levels == pytest.approx(whole, abs=5)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{path}: Time jumps from ")


def test_many_parts_are_as_long_as_all_of_them(tmp_path):
    parts = [_write(tmp_path / "part.ts", count=9)] * 20
    path = _concatenate(tmp_path / "a.ts", *parts)
    assert len(list(sample_pictures(path, 10))) == pytest.approx(60, abs=1)


def test_segment_after_the_clock_was_set_back_is_that_of_the_whole(tmp_path):
    levels = np.linspace(10, 240, 60)
    parts = [
        _write(tmp_path / f"{part}.ts", count=30, levels=levels[30 * part :])
        for part in range(2)
    ]
    path = _concatenate(tmp_path / "a.ts", *parts)
    whole = _levels(sample_pictures(path, 10))
    for first, last in ((0, 7), (3, 9), (8, 13), (14, 20)):
        segment = sample_pictures(path, 10, start=first / 10, end=last / 10)
        assert _levels(segment) == whole[first:last]


def _write_set_back_far(path):
    """Writes two seconds of which the first begins at 300 s and the second at 0 s."""
    levels = np.linspace(10, 240, 60)
    late = _write(path.with_name("b.ts"), count=30, levels=levels, first=9000)
    early = _write(path.with_name("a.ts"), count=30, levels=levels[30:])
    return _concatenate(path, late, early)


def _write_wrapped(path):
    """Writes two seconds in which the 33 bits of the clock overflow."""
    levels = np.linspace(10, 240, 60)
    first = 2**33 // 3000 - 30
    path = _write(path, count=60, levels=levels, first=first)
    with open_video(path, 1) as (container, stream):
        times = [frame.time for frame in container.decode(stream)]
    assert times[0] > 95_000 and times[-1] < 10
    return path


@pytest.mark.parametrize("write", [_write_set_back_far, _write_wrapped])
def test_clock_set_back_by_any_time_loses_and_adds_no_frames(tmp_path, caplog, write):
    path = write(tmp_path / "c.ts")
    whole = _levels(sample_pictures(path, 5))
    assert whole == pytest.approx(np.linspace(10, 240, 60)[::6], abs=5)
    (record,) = caplog.records
    assert "backwards" in record.getMessage()
    for first, last in ((0, 4), (2, 7), (5, 8), (6, 10)):
        segment = sample_pictures(path, 5, start=first / 5, end=last / 5)
        assert _levels(segment) == whole[first:last]


@pytest.mark.parametrize("suffix", ["mkv", "flv", "ts", "mpg"])
@pytest.mark.parametrize("fps", [5, 10, 30])
def test_files_joined_are_as_long_as_both(tmp_path, suffix, fps):
    levels = np.linspace(10, 240, 60)
    codec = "mpeg2video" if suffix == "mpg" else "libx264"
    parts = [
        _write(tmp_path / f"{part}.{suffix}", None, half, 30, codec=codec)
        for part, half in enumerate(np.split(levels, 2))
    ]
    if suffix == "flv":
        # FFmpeg skips what follows a second header.
        parts[1].write_bytes(parts[1].read_bytes()[13:])
    path = _concatenate(tmp_path / f"both.{suffix}", *parts)
    assert len(list(sample_pictures(path, fps))) == 2 * fps


def _write_gap(path, gap):
    pts = [*range(10), *range(10 * gap, 10 * gap + 10)]
    return write_video(path, greys(10) + greys(10)[::-1], pts=pts, codec="libx264")


def test_gap_of_an_hour_is_not_filled(tmp_path, caplog):
    path = _write_gap(tmp_path / "a.mkv", 3600)
    levels = _levels(sample_pictures(path, 5))
    # A second of the frame before it, and then the rest.
    assert len(levels) == 15
    assert levels[-5:] == pytest.approx([160, 120, 80, 40, 0], abs=3)
    assert "Time jumps from 0.900 to 3600.000 s" in caplog.text


def test_still_of_some_seconds_lasts_as_long(tmp_path, caplog):
    path = _write_gap(tmp_path / "a.mkv", 8)
    assert len(list(sample_pictures(path, 5))) == 45
    assert not caplog.records


def test_segment_after_a_gap_is_where_players_show_it(tmp_path):
    path = _write_gap(tmp_path / "a.mkv", 3600)
    levels = _levels(sample_pictures(path, 10, start=3600.2, end=3600.5))
    assert levels == pytest.approx([140, 120, 100], abs=3)
    across = _levels(sample_pictures(path, 10, start=0.5, end=3600.5))
    # Frames 5 to 8, a second of frame 9, and those after the gap.
    assert len(across) == 4 + 10 + 5
    assert across[-5:] == pytest.approx([180, 160, 140, 120, 100], abs=3)


@pytest.mark.parametrize("rate", [10, 24])
def test_file_without_times_runs_at_the_rate_of_its_codec(tmp_path, rate):
    path = write_video(tmp_path / "a.h264", greys(12) * 4, rate=rate, codec="libx264")
    with open_video(path, 1) as (container, stream):
        assert all(frame.pts is None for frame in container.decode(stream))
    assert len(list(sample_pictures(path, rate))) == 48
    assert len(list(sample_pictures(path, rate / 2))) == 24
    whole = _levels(sample_pictures(path, rate))
    assert _levels(sample_pictures(path, rate, start=12 / rate)) == whole[12:]


def test_case_of_a_clock_set_back_has_the_frames_of_ffmpeg():
    assert len(list(sample_pictures(_case("clock_set_back/tsreset.ts"), 5))) == 10


@pytest.mark.parametrize("interlaced", [False, True], ids=["", "interlaced"])
@pytest.mark.parametrize("sizes", [((64, 48), (48, 64)), ((64, 48), (32, 24))])
def test_frames_keep_the_size_of_the_first(tmp_path, caplog, sizes, interlaced):
    options = {"flags": "+ilme+ildct", "x264-params": "tff=1"} if interlaced else {}
    first, second = (
        _write(tmp_path / f"{index}.ts", size=size, count=30, **options)
        for index, size in enumerate(sizes)
    )
    path = _concatenate(tmp_path / "a.ts", first, second)
    pictures = [picture for _, picture in sample_pictures(path, 5)]
    assert {picture.shape for picture in pictures} == {(48, 64, 3)}
    assert [_quarter_numbers(picture) for picture in pictures] == [(1, 2, 3, 4)] * 10
    clip = read_jpegs(path, 5, short_side=24, quality=95)
    stored = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1) for jpeg in clip.frames]
    assert {picture.shape for picture in stored} == {(24, 32, 3)}
    assert len(list(stream_frames(path, 5, GEOMETRY))) == 10
    told = [r.getMessage() for r in caplog.records]
    told = [message for message in told if "the size of frames" in message]
    (width, height), (_, changed) = sizes[0], sizes
    assert told == [
        f"{path}: the size of frames changes from {width} x {height} to {changed[0]} x"
        f" {changed[1]} pixels: they are resized."
    ]


def test_published_protocol_tells_that_sizes_change(tmp_path, caplog):
    parts = [_write(tmp_path / f"{w}.ts", size=(w, 48), count=30) for w in (64, 32)]
    path = _concatenate(tmp_path / "a.ts", *parts)
    rule = ClipRule(frames=4, fps=5, geometry=GEOMETRY)
    video = Video(path, path.name, "a", "", path.name)
    assert len(read_published_clips(ClipTask(video, rule)).clips) == 2
    assert "changes from 64 x 48 to 32 x 48 pixels" in caplog.text


def test_resized_frames_are_turned_too(tmp_path):
    upright = UprightPictures(tmp_path)
    clockwise = MATRICES["clockwise"][0]
    shown = []
    for size, matrix in (((64, 48), None), ((32, 64), None), ((96, 64), clockwise)):
        path = _write(tmp_path / "a.mp4", matrix, size=size)
        with av.open(str(path)) as container:
            shown += [upright(frame) for frame in container.decode(video=0)]
    assert {picture.shape for picture in shown} == {(48, 64, 3)}
    assert [_quarter_numbers(picture) for picture in shown] == (
        [(1, 2, 3, 4)] * 6 + [MATRICES["clockwise"][1]] * 3
    )


def test_frames_stored_out_of_order_cost_no_time(tmp_path):
    path = write_video(
        tmp_path / "a.avi", greys(12) * 5, codec="libx264", bf="3", g="60"
    )
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times != sorted(times)
    assert len(list(sample_pictures(path, 10))) == 60


def test_times_are_fractions_of_a_second(tmp_path):
    path = _write(tmp_path / "a.mp4", count=6)
    seconds = [Fraction(s).limit_denominator(60) for s, _ in sample_pictures(path, 15)]
    assert seconds == [0, Fraction(1, 15), Fraction(2, 15)]
