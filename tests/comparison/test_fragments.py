"""Tests of what the names of variants mean."""

import pytest
import yaml

from grw_tf.comparison.fragments import (
    LAYERS,
    METHODS,
    named_variants,
    read_fragments,
)
from grw_tf.training.experiments.config_files import configs_folder


def _names(variants):
    return [fragment.name for fragment in read_fragments(variants)]


def _values(variant):
    return read_fragments(variant)[1].values


def test_baseline_is_first_and_always_there():
    assert _names(" grw + rms ,") == ["baseline", "grw+rms"]
    assert _names("rms, grw") == ["baseline", "rms", "grw"]
    assert _names("rms,baseline") == ["baseline", "rms"]


def test_shipped_variants_are_the_overlays_that_change_the_model_alone():
    known = named_variants()
    assert {"grw", "grw_intermediate", "rms", "rms_gf", "cutmix", "mixup"} <= {*known}
    assert "smoke" not in known and "airplanes" not in known
    for path in known.values():
        assert path.parent == configs_folder()
        assert [*yaml.safe_load(path.read_text())] == ["task"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("grww", "'grww' is no part of one and no YAML file; did you mean 'grw'"),
        ("grw_final", "grw_final is called grw now, use that"),
        ("rms+baseline", "'baseline' is no part of one"),
        ("x", "known: cutmix, grw, .*, shake_drop"),
        ("rms,rms", "'rms' is given twice"),
        ("grw+rms,rms+grw", "'rms\\+grw' is given twice"),
        ("rms+rms", "'rms\\+rms' names rms twice"),
        ("baseline", "name at least one beside the baseline"),
        ("", "name at least one beside the baseline"),
        ("rms+rms_gf", "rms sets .*rms.filter to 'mean', and rms_gf to 'gaussian'"),
        (
            "grw+rms:smoothing.weight=1",
            "Leave one out; what follows ':' is set for the",
        ),
        ("grw:weight", "'weight' sets nothing; write a key below task.model"),
        ("grw:frames=9", "sets task.model.frames, which all variants must share"),
        ("nowhere.yaml", "There is no config file 'nowhere.yaml'"),
    ],
)
def test_names_that_make_no_sense_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        read_fragments(names)


def test_values_after_the_name_replace_the_overlays():
    assert _values("grw")["task.model.smoothing.weight"] == 0.1
    values = _values("grw:smoothing.weight=0.01:smoothing.window=4+rms")
    assert values["task.model.smoothing.weight"] == 0.01
    assert values["task.model.smoothing.window"] == 4
    assert values[METHODS] == ["rms"]


def test_joined_variants_act_at_all_places_by_all_methods():
    values = _values("grw+rms+grw_intermediate+cutmix")
    assert values[LAYERS] == ["final", "last_block"]
    assert values[METHODS] == ["rms", "cutmix"]


def test_a_yaml_file_is_a_variant_of_its_name(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("task: {losses: {label_smoothing: 0.2}}")
    (fragment,) = read_fragments(f"{path}+rms")[1:]
    assert fragment.name == "mine+rms"
    assert fragment.values["task.losses.label_smoothing"] == 0.2
    path.write_text("just words")
    with pytest.raises(ValueError, match="mine.yaml is no mapping of keys: 'just wo"):
        read_fragments(str(path))


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("task.train_data.input_path", "task: {train_data: {input_path: x}}"),
        ("task.seed", "task: {seed: 3}"),
        ("task.init_checkpoint", "task: {init_checkpoint: x}"),
        ("trainer.train_steps", "trainer: {train_steps: 9}"),
        ("task.model.size", "task: {model: {size: 32}}"),
        ("runtime", "runtime: null"),
    ],
)
def test_keys_that_make_comparisons_unfair_are_refused(tmp_path, key, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"mine.yaml' sets {key}, which all variants"):
        read_fragments(str(path))
