"""Contents of exported files, changed and damaged, and frames for them."""

import io
import json
import pathlib
import zipfile

import numpy as np

CLASSES = ["a", "b", "c", "d", "e"]
VECTORS = pathlib.Path(__file__).parent / "vectors"


def manifest_of(path):
    """Returns the manifest in an exported file."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("manifest.json"))


def model_of(path):
    """Returns the bytes of the model in an exported file."""
    with zipfile.ZipFile(path) as archive:
        size = min(entry.header_offset for entry in archive.infolist())
    return path.read_bytes()[:size]


def with_manifest(path, target, labels=CLASSES, text=None, **changes):
    """Writes a copy of an exported file with another manifest, or another text."""
    manifest = manifest_of(path) | changes
    content = io.BytesIO(model_of(path))
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("labels.txt", "\n".join(labels) + "\n")
        archive.writestr("manifest.json", text or json.dumps(manifest))
    target.write_bytes(content.getvalue())
    return target


def foreign_files(path):
    """Yields names and contents of files that are no whole exported file."""
    content = path.read_bytes()
    model = model_of(path)
    yield "empty", b""
    yield "text", b"hello" * 100
    yield "plain", model
    yield "truncated", content[: len(content) // 2]
    yield "end lost", content[:-10]
    yield "zip alone", content[len(model) :]


def misleading_archives(path):
    """Yields an exported file's content with an archive that points nowhere."""
    content = path.read_bytes()
    end, entry = content.rindex(b"PK\5\6"), content.index(b"PK\1\2")
    # The size and the place of the directory, and the place of a file in it.
    for place in (end + 12, end + 16, entry + 42):
        damaged = bytearray(content)
        damaged[place : place + 4] = (2**31).to_bytes(4, "little")
        yield bytes(damaged)


def hostile_files(folder):
    """Writes damaged and foreign files; returns paths and words of the errors.

    The words are "opens" for those that are good.
    """
    path = VECTORS / "counter.tflite"
    labels = ["n", "mean", "level"]
    hostile = {}

    def write(content, words):
        name = folder / f"{len(hostile)}.tflite"
        name.write_bytes(content)
        hostile[name] = words

    for _, content in foreign_files(path):
        write(content, "it is not an export of grw_tf")
    for content in misleading_archives(path):
        write(content, "carries no labels and manifest")
    content = path.read_bytes()
    model = len(model_of(path))
    # A damaged model, label and manifest.
    for place, words in (
        (model // 2, "is damaged: copy it again"),
        (content.index(b"level\n"), "carries no labels and manifest"),
        (content.rindex(b'"fps"'), "carries no labels and manifest"),
    ):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        write(damaged, words)
    for case in json.loads((VECTORS / "manifests.json").read_text()):
        name = folder / f"{len(hostile)}.tflite"
        with_manifest(path, name, labels, **json.loads(case["manifest"]))
        hostile[name] = case["error"] or "opens"
    name = folder / "labels.tflite"
    hostile[with_manifest(path, name, ["a", "b"])] = "does not describe a stream"
    # JSON that is none, is not closed, or is deep.
    for text in (
        '{"a": 01}',
        '{"a": "\\x"}',
        '{"a": "',
        "[" * 100_000,
        '{"a" 1}',
        "1 2",
    ):
        name = folder / f"{len(hostile)}.tflite"
        with_manifest(path, name, labels, text=text)
        hostile[name] = "carries no labels and manifest"
    for text in ('{"a": 1e999}', "[]", '"\\ud83d\\ude00"'):
        name = folder / f"{len(hostile)}.tflite"
        with_manifest(path, name, labels, text=text)
        hostile[name] = "does not describe a stream"
    hostile[folder] = "is a folder"
    hostile[folder / "nothing"] = "there is no such file"
    hostile["/dev/zero"] = "is not a file"
    return hostile


def random_frames(count, height=32, width=32):
    """Returns uint8 frames of noise."""
    shape = (count, height, width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)
