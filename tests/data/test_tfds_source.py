"""Tests of the sources of clips: TFDS data sets, of a toy one made here."""

import concurrent.futures
import dataclasses
import importlib.resources
import json
import pathlib
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from etils import epath
from official.core.train_utils import ParseConfigOptions
from tensorflow_datasets.video.ucf101 import Ucf101

from grw_tf.common.file_lock import locked
from grw_tf.data.clip_set import ClipSet
from grw_tf.data.evaluation_tfds import EvaluationTfds
from grw_tf.data.records.record_labels import label_lists_of
from grw_tf.data.records.record_source import record_name
from grw_tf.data.records.record_stream import Share, in_order
from grw_tf.data.tfds_source import TfdsSource
from grw_tf.frames.opencv_preparation import prepare_frame
from grw_tf.models import ModelConfig
from grw_tf.training.driver import run_experiment
from grw_tf.training.experiments.parsing import parse_experiment
from grw_tf.training.tasks.video_classification import Task

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
SIZE = 40
CLASSES = ("left", "right")


def _video(index, length=12):
    """Draws a video [length, height, width, 3] whose frames are all different."""
    video = np.random.default_rng(index).integers(0, 256, (1, SIZE, SIZE, 3))
    return (video + 5 * np.arange(length)[:, None, None, None]).astype(np.uint8)


class ToyVideos(tfds.core.GeneratorBasedBuilder):
    """Videos of two classes and of different lengths."""

    # TFDS 4.9.10 looks this up with importlib_resources, which it does not install.
    code_path = epath.Path(__file__)
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "video": tfds.features.Video(shape=(None, SIZE, SIZE, 3)),
            "label": tfds.features.ClassLabel(names=CLASSES),
            "filename": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features)
        )

    def _split_generators(self, dl_manager):
        counts = {"train": 14, "test": 4}
        return {name: self._generate_examples(n) for name, n in counts.items()}

    def _generate_examples(self, count):
        for index in range(count):
            example = {
                "video": _video(index, 10 + index % 3),
                "filename": f"{index}.avi",
            }
            yield index, example | {"label": CLASSES[index % 2]}


class ToyPictures(ToyVideos):
    """Videos of one length, or no set of labeled videos, by config."""

    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name=name)
        for name in ("one_length", "no_video", "numbers", "texts", "lists")
    ]

    def _info(self):
        video = tfds.features.Video(shape=(None, SIZE, SIZE, 3))
        label = tfds.features.ClassLabel(names=CLASSES)
        fixed = tfds.features.Video(shape=(2, SIZE, SIZE, 3))
        features = {
            "one_length": {"video": fixed, "label": label},
            "no_video": {"image": tfds.features.Image(), "label": label},
            "numbers": {"video": video, "label": np.int64},
            "texts": {"video": tfds.features.Text(), "label": label},
            "lists": {"video": video, "label": tfds.features.Sequence(label)},
        }[self.builder_config.name]
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features)
        )

    def _generate_examples(self, count):
        video = np.zeros((2, SIZE, SIZE, 3), np.uint8)
        example = {"image": video[0], "video": video, "label": 0}
        if self.builder_config.name == "texts":
            example["video"] = "a film"
        for index in range(count):
            if self.builder_config.name == "lists":
                example["label"] = [[], [0], [1], [0, 1]][index % 4]
            yield index, {key: example[key] for key in self.info.features}


def _prepare(builder):
    """Makes a data set, of three shards a split."""
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(num_shards=3)
    )


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """The folder in which the toy data set is, in three shards a split."""
    folder = str(tmp_path_factory.mktemp("tensorflow_datasets"))
    _prepare(ToyVideos(data_dir=folder))
    return folder


def test_evaluation_takes_the_middle_of_each_video(data_dir):
    config = ModelConfig(num_classes=2, frames=4, size=SIZE)
    clips = ClipSet(tfds_name="toy_videos", tfds_split="test", tfds_data_dir=data_dir)
    assert clips.count == 4 and str(clips) == "toy_videos, split test"
    found = list(clips.open(config, progress=False))
    assert sorted(clip.name for clip in found) == [f"{k}.avi" for k in range(4)]
    for clip in found:
        index = int(clip.name.removesuffix(".avi"))
        video = _video(index, length=10 + index % 3)
        start = (len(video) - 4) // 2
        taken = video[start : start + 4]
        prepared = [prepare_frame(frame, config.frame_geometry) for frame in taken]
        np.testing.assert_array_equal(clip.frames, prepared)
        assert clip.label == index % 2
    some = clips.open(config, progress=False).clips({1, 3})
    assert [clip.name for clip in some] == [found[1].name, found[3].name]
    strided = dataclasses.replace(clips, temporal_stride=3).open(config, False)
    assert {clip.stride for clip in strided.videos()} == {3}
    with pytest.raises(ValueError, match="split test has 2 classes, and the model 5"):
        clips.open(ModelConfig(num_classes=5))


def test_splits_overlap_where_they_share_a_clip(data_dir):
    def clips(split):
        return ClipSet(tfds_name="toy_videos", tfds_split=split, tfds_data_dir=data_dir)

    assert clips("train[:50%]").overlaps(clips("train[3:5]"))
    assert not clips("train[:50%]").overlaps(clips("train[50%:]"))
    assert not clips("train").overlaps(clips("test"))
    sizes = clips("test").sizes()
    assert len(sizes) == 3 and all(size > 0 for size in sizes.values())


def _records(source):
    return in_order(Share(source.files))


@pytest.mark.parametrize("split", ["train", "train[:50%]", "train[3:5]", "train+test"])
def test_clips_are_those_that_tfds_reads(data_dir, split):
    source = TfdsSource("toy_videos", split, data_dir)
    assert source.class_names == CLASSES
    one_file_at_a_time = tfds.ReadConfig(interleave_cycle_length=1)
    wanted = tfds.load(
        "toy_videos", split=split, data_dir=data_dir, read_config=one_file_at_a_time
    )
    assert sum(file.count for file in source.files) == len(wanted)
    decode = source.decoder("frames", "label")
    for record, example in zip(_records(source), wanted, strict=True):
        decoded = decode(record)
        assert decoded["frames"].dtype == tf.string
        frames = [tf.io.decode_image(frame, 3) for frame in decoded["frames"]]
        np.testing.assert_array_equal(frames, example["video"])
        assert decoded["label"] == example["label"]
        assert record_name(record.numpy()) == example["filename"].numpy().decode()


def test_videos_of_one_length_are_read(data_dir):
    source = TfdsSource("toy_pictures/one_length", "train[:2]", data_dir)
    for record in _records(source):
        frames = source.decoder("frames", "label")(record)["frames"]
        assert frames.shape == (2,)
        assert tf.io.decode_image(frames[1], 3).shape == (SIZE, SIZE, 3)


def _override(data_dir, **overrides):
    """Returns what makes the smoke config one of the toy data set."""
    data = {"input_path": "", "tfds_name": "toy_videos", "tfds_data_dir": data_dir}
    task = {
        "model": {"num_classes": 2},
        "train_data": data | {"tfds_split": "train", "temporal_stride": 2},
        "validation_data": data | {"tfds_split": "test", "temporal_stride": 2},
    }
    for name, values in overrides.items():
        task[name] |= values
    trainer = {"train_steps": 2, "steps_per_loop": 1, "summary_interval": 1}
    trainer |= {"checkpoint_interval": 2, "validation_interval": 2}
    return json.dumps({"task": task, "trainer": trainer})


def _options(params_override, config="smoke", **options):
    return ParseConfigOptions(
        experiment="movinet_a0_stream",
        config_file=[str(CONFIGS / f"{name}.yaml") for name in (config, "grw")],
        params_override=params_override,
        **options,
    )


def _task(data_dir, **overrides):
    return Task(parse_experiment(_options(_override(data_dir, **overrides))).task)


def _batches(task, count, first_step=0):
    task.first_step = first_step
    data = task.build_inputs(task.task_config.train_data)
    return list(data.take(count).as_numpy_iterator())


def _assert_equal(batches, others):
    for (features, labels), (other_features, other_labels) in zip(
        batches, others, strict=True
    ):
        np.testing.assert_array_equal(features["image"], other_features["image"])
        np.testing.assert_array_equal(labels, other_labels)


def test_sequences_of_classes_are_several_labels(data_dir):
    name = "toy_pictures/lists"
    source = TfdsSource(name, "test", data_dir, several_labels=True)
    assert source.class_names == CLASSES
    lists = label_lists_of(source, Share(source.files), 2, "video", "label")
    assert sorted(map(tuple, lists)) == [(), (0,), (0, 1), (1,)]
    config = ModelConfig(
        num_classes=2, frames=2, size=SIZE, output_activation="sigmoid"
    )
    clips = list(EvaluationTfds(source, config, progress=False))
    found = sorted(tuple(clip.label.tolist()) for clip in clips)
    assert found == [(False, False), (False, True), (True, False), (True, True)]
    with pytest.raises(ValueError, match="a sequence of labels a clip, and a softmax"):
        TfdsSource(name, "test", data_dir)


def test_training_stream_is_the_seeds_and_begins_at_any_step(data_dir):
    task = _task(data_dir)
    whole = _batches(task, 6)
    tf.random.set_seed(8)
    _assert_equal(_batches(_task(data_dir), 6), whole)
    _assert_equal(_batches(task, 2, first_step=4), whole[4:])
    assert whole[0][0]["image"].shape == (4, 8, 32, 32, 3)
    assert (whole[0][0]["image"] != whole[1][0]["image"]).any()


def test_clips_of_a_step_have_names(data_dir):
    names = _task(data_dir).names_of_step(3)
    assert len(names) == 4 and all(name.endswith(".avi") for name in names)


def test_validation_is_every_clip_once_in_order(data_dir):
    task = _task(data_dir, validation_data={"global_batch_size": 3})
    labels = [
        np.argmax(labels, axis=-1)
        for _, labels in task.build_inputs(task.task_config.validation_data)
    ]
    read = tfds.load("toy_videos", split="test", data_dir=data_dir)
    assert [len(batch) for batch in labels] == [3, 1]
    assert np.concatenate(labels).sum() == sum(example["label"] for example in read)


@pytest.mark.slow
def test_training_runs_on_a_tfds_data_set(data_dir, tmp_path):
    options = _options(_override(data_dir))
    options.mode, options.model_dir = "train_and_eval", str(tmp_path)
    _, results = run_experiment(options)
    assert np.isfinite(results["validation_loss"])
    assert (tmp_path / "labels.txt").read_text().split() == list(CLASSES)


def test_balanced_class_weights_count_the_labels(data_dir):
    task = _task(data_dir, train_data={"tfds_split": "train[:4]"})
    task.task_config.losses.class_weights = "balanced"
    read = tfds.load("toy_videos", split="train[:4]", data_dir=data_dir)
    labels = [int(example["label"]) for example in read]
    counts = np.bincount(labels, minlength=2)
    shares = 4 / np.count_nonzero(counts) / np.maximum(counts, 1)
    wanted = np.where(counts > 0, shares, 0)
    np.testing.assert_allclose(task.class_weights, wanted)


WRONG = {
    "data set": ("toy_vidoes", "train", "cannot open .*not found.*mean 'toy_videos'"),
    "config": ("toy_pictures/number", "train", "did you mean 'toy_pictures/numbers'"),
    "no name": ("toy videos", "train", "cannot open the data set 'toy videos'"),
    "version": ("toy_videos:3.0.0", "train", "cannot open the data set 'toy_videos:3"),
    "split": ("toy_videos", "trian", r"no split 'trian'.*\['test', 'train'\]"),
    "slice": ("toy_videos", "train[:-900]", "toy_videos has no (split|clips)"),
    "empty": ("toy_videos", "train[:0]", "toy_videos has no (split|clips)"),
    "no video": ("toy_pictures/no_video", "train", "lacks 'video': it is not a set"),
    "no class": ("toy_pictures/numbers", "train", "'label' that is a .*not a ClassLab"),
    "no frames": ("toy_pictures/texts", "train", "'video' that is a Text, not a Video"),
}


@pytest.mark.parametrize("name, split, message", WRONG.values(), ids=WRONG)
def test_wrong_data_set_is_refused_in_one_line(data_dir, name, split, message):
    with pytest.raises(ValueError, match=message) as refused:
        TfdsSource(name, split, data_dir)
    assert str(refused.value).isprintable()


def test_nothing_is_downloaded_that_cannot_be_read(data_dir, monkeypatch):
    monkeypatch.setattr(ToyPictures, "download_and_prepare", None)
    with pytest.raises(ValueError, match="lacks 'video'"):
        TfdsSource("toy_pictures/no_video", "train", data_dir)


def test_number_of_classes_must_be_the_models(data_dir):
    task = _task(data_dir, model={"num_classes": 3})
    with pytest.raises(ValueError, match="toy_videos, split train has 2 classes, .*3"):
        _batches(task, 1)


def test_data_set_that_cannot_be_prepared_is_named_in_one_line(tmp_path, monkeypatch):
    def refused(self, dl_manager):
        raise ConnectionError("no network\nand more")

    monkeypatch.setattr(ToyVideos, "_split_generators", refused)
    message = (
        f"{tmp_path}/toy_videos/1.0.0.*ConnectionError: no network and more.: make"
    )
    message += ".*tfds build toy_videos.*tfds_data_di"
    with pytest.raises(OSError, match=message) as error:
        TfdsSource("toy_videos", "train", tmp_path)
    assert str(error.value).isprintable()


def test_two_processes_prepare_a_data_set_once(tmp_path, monkeypatch, caplog):
    prepared = []
    split_generators = ToyVideos._split_generators

    def counted(self, dl_manager):
        prepared.append(self)
        return split_generators(self, dl_manager)

    monkeypatch.setattr(ToyVideos, "_split_generators", counted)
    (tmp_path / "toy_videos").mkdir()
    with (
        concurrent.futures.ThreadPoolExecutor() as pool,
        locked(tmp_path / "toy_videos" / ".1.0.0.lock"),
    ):
        waiting = pool.submit(TfdsSource, "toy_videos", "train", tmp_path)
        # It found no data set, and begins to prepare it.
        while "Waiting for another process" not in caplog.text:
            assert not waiting.done()
            time.sleep(0.01)
        _prepare(ToyVideos(data_dir=tmp_path))
    assert len(waiting.result().files) == 3
    assert len(prepared) == 1


def test_files_of_another_format_are_refused(tmp_path):
    _prepare(ToyVideos(data_dir=tmp_path, file_format="array_record"))
    with pytest.raises(ValueError, match="array_record files.* --file_format=tfrecord"):
        TfdsSource("toy_videos", "train", tmp_path)


def test_lost_file_is_named(tmp_path):
    _prepare(ToyVideos(data_dir=tmp_path))
    lost = sorted(tmp_path.glob("toy_videos/1.0.0/*train*"))[1]
    lost.unlink()
    with pytest.raises(OSError, match=f"lacks its file {lost}"):
        TfdsSource("toy_videos", "train", tmp_path)


def test_config_of_ucf101_reads_a_set_of_its_form(tmp_path, monkeypatch):
    def split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in ("train", "test")}

    def examples(self, split):
        for index in range(2):
            video = np.zeros((60, 24, 32, 3), np.uint8)
            yield index, {"video": video, "label": "ApplyEyeMakeup"}

    with monkeypatch.context() as patch:
        patch.setattr(Ucf101, "_split_generators", split_generators)
        patch.setattr(Ucf101, "_generate_examples", examples)
        # See ToyVideos.
        patch.setitem(sys.modules, "importlib_resources", importlib.resources)
        tfds.builder("ucf101/ucf101_1", data_dir=tmp_path).download_and_prepare()
    smaller = {"tfds_data_dir": str(tmp_path), "global_batch_size": 2}
    override = {"task": {"train_data": smaller, "validation_data": smaller}}
    options = _options(json.dumps(override), config="ucf101")
    params = parse_experiment(options).task
    task = Task(params)
    for data in (params.train_data, params.validation_data):
        assert data.temporal_stride * params.model.fps == 25
        features, labels = next(iter(task.build_inputs(data)))
        config = params.model
        shape = (2, config.frames, config.size, config.size, 3)
        assert features["image"].shape == shape
        assert labels.shape == (2, 101)
