"""Behavior of telling videos from other files."""

import os
import shutil

import av
import cv2
import numpy as np
import pytest
from drawn_videos import RED, greys, write_video

from grw_tf.data.listing.file_kinds import (
    EMPTY,
    OTHER,
    PICTURE,
    SOUND,
    TEXT,
    VIDEO,
    file_kind,
)


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "a.mp4", greys(6))


def _sound(path):
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        silence = np.zeros((1, 800), np.int16)
        frame = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("name", ["a", "a.dat", "a.Bin", "a.01", "cam.weird name"])
def test_video_of_any_name_is_one(video, tmp_path, name):
    shutil.copy(video, tmp_path / name)
    assert file_kind(tmp_path / name) == VIDEO


@pytest.mark.parametrize(
    "container, codec",
    [
        *(("mpegts", "mpeg2video"), ("vob", "mpeg2video"), ("asf", "mpeg4")),
        *(("flv", "flv"), ("nut", "mpeg4"), ("ogg", "libvpx"), ("ivf", "libvpx")),
        *(("apng", "apng"), ("gif", "gif"), ("h264", "libx264"), ("hevc", "libx265")),
        ("mjpeg", "mjpeg"),
    ],
)
def test_container_is_recognized_without_a_suffix(tmp_path, container, codec):
    path = tmp_path / "clip"
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=25)
        stream.width, stream.height = 64, 48
        formats = {"gif": "rgb8", "apng": "rgb24", "mjpeg": "yuvj420p"}
        stream.pix_fmt = formats.get(codec, "yuv420p")
        for level in range(8):
            image = np.full((48, 64, 3), 30 * level, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        output.mux(stream.encode())
    assert file_kind(path) == VIDEO


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "tiff", "webp", "jp2"])
def test_picture_is_no_video(tmp_path, suffix):
    named = tmp_path / f"a.{suffix}"
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    cv2.imwrite(str(named), image)
    shutil.copy(named, tmp_path / "bare")
    assert file_kind(named) == file_kind(tmp_path / "bare") == PICTURE


def test_gif_is_a_video_if_it_moves(tmp_path):
    still = write_video(tmp_path / "still.gif", [RED], codec="gif")
    moving = write_video(tmp_path / "moving.gif", greys(3), codec="gif")
    assert file_kind(still) == PICTURE and file_kind(moving) == VIDEO


@pytest.mark.parametrize(
    "name", ["a.txt", "a.csv", "a.ts", "a.nfo", "README", "a.m3u8"]
)
@pytest.mark.parametrize(
    "content",
    [
        "const clip: number = 1;\n" * 300,
        "é" * 5000,
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n#EXT-X-ENDLIST\n",
    ],
)
def test_text_is_no_video(tmp_path, name, content):
    (tmp_path / name).write_text(content, "utf-8")
    assert file_kind(tmp_path / name) == TEXT
    (tmp_path / name).write_text(content, "utf-16")
    assert file_kind(tmp_path / name) == TEXT


def test_raw_video_with_a_header_of_text_is_a_video(tmp_path):
    frame = b"FRAME\n" + b"A" * (64 * 48 * 3 // 2)
    (tmp_path / "a").write_bytes(b"YUV4MPEG2 W64 H48 F25:1 Ip C420jpeg\n" + 3 * frame)
    assert file_kind(tmp_path / "a") == VIDEO


def test_raw_film_of_jpegs_is_a_video_of_any_name(tmp_path):
    rng = np.random.default_rng(0)
    pictures = [
        cv2.imencode(".jpg", rng.integers(0, 256, (48, 64, 3), np.uint8))[1].tobytes()
        for _ in range(5)
    ]
    for name in ("a", "cam.dat"):
        (tmp_path / name).write_bytes(b"".join(pictures))
        assert file_kind(tmp_path / name) == VIDEO
    # Phones keep several pictures in one.
    (tmp_path / "a.jpg").write_bytes(b"".join(pictures[:2]))
    (tmp_path / "one").write_bytes(pictures[0])
    assert file_kind(tmp_path / "a.jpg") == file_kind(tmp_path / "one") == PICTURE


def test_sound_is_no_video(tmp_path):
    assert file_kind(_sound(tmp_path / "a.wav")) == SOUND
    assert file_kind(_sound(tmp_path / "a")) == SOUND


def test_damaged_video_stays_one_to_be_told(tmp_path):
    for name in ("a.mp4", "a.MTS", "a.ts", "a.gif", "a.h264"):
        (tmp_path / name).touch()
        assert file_kind(tmp_path / name) == VIDEO
        (tmp_path / name).write_bytes(bytes(range(256)))
        assert file_kind(tmp_path / name) == VIDEO
    (tmp_path / "empty").touch()
    assert file_kind(tmp_path / "empty") == EMPTY


def test_what_holds_no_video_is_other(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "noise").write_bytes(rng.bytes(50_000))
    np.save(tmp_path / "array.npy", np.zeros((50, 50)))
    image = rng.integers(0, 256, (48, 64, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    # As a file of records looks: pictures within something else.
    (tmp_path / "a.tfrecord").write_bytes((bytes(8) + b"image/encoded" + jpeg) * 5)
    assert file_kind(tmp_path / "noise") == file_kind(tmp_path / "array.npy") == OTHER
    assert file_kind(tmp_path / "a.tfrecord") != VIDEO
    os.mkfifo(tmp_path / "pipe")
    assert file_kind(tmp_path / "pipe") == OTHER
