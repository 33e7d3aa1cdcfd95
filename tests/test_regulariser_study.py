"""The study of regularisers, whole, at toy size."""

import json

import pytest

from grw_tf.demo import airplanes, regularisers
from grw_tf.demo.study import run_study, shared_settings


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return regularisers.RegulariserStudyConfig(
        data_dir=str(folder / "data"),
        output_dir=str(folder / "runs"),
        train_videos=4,
        test_videos=3,
        frames=4,
        epochs=1,
        batch_size=4,
    )


@pytest.mark.slow
def test_program_goes_on_after_finished_runs(config, tmp_path, run_program):
    train, test = airplanes.load(config)

    def run(name, seed, title):
        return regularisers.run(config, name, train, test, title)

    settings = shared_settings(config, varied=("seed",))
    folder = tmp_path.joinpath(config.output_dir)
    file = folder / "results.json"
    run_study(file, settings, ["none"], [0], run, regularisers.table)
    before = json.loads(file.read_text())["runs"]["none"]

    flags = [f"--{name}={value}" for name, value in settings.items()]
    done = run_program(
        "scripts.regulariser_study",
        *flags,
        f"--data_dir={config.data_dir}",
        f"--output_dir={config.output_dir}",
        "--variants=cutmix",
        "--seeds=1",
    )
    assert done.returncode == 0, done.stderr
    assert "cutmix, seed 0 (1 of 1) has ended" in done.stdout
    runs = json.loads(file.read_text())["runs"]
    assert runs["none"] == before
    table = (folder / "table.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in table[2:]] == ["none", "cutmix"]
    assert (folder / "regularisers.png").read_bytes().startswith(b"\x89PNG")

    one, other = (
        json.loads((folder / f"{name}_seed_0" / "config.json").read_text())
        for name in ("none", "cutmix")
    )
    assert one.pop("model") != other.pop("model")
    assert one == other  # Data, training and initial weights.


def test_each_variant_changes_its_regulariser_alone(config):
    plain = regularisers.model_config(config, "none")
    for name, changes in regularisers.variants(config).items():
        model = regularisers.model_config(config, name)
        assert (model.backbone, model.head) == (plain.backbone, plain.head)
        assert (model != plain) == bool(changes)


def test_unknown_variant_is_named(config):
    with pytest.raises(ValueError, match="Unknown variant 'rsm'; known: none, rms"):
        regularisers.choose_variants(config, ["rsm"])


def test_results_of_other_settings_are_refused(tmp_path):
    def run(name, seed, title):
        return {"x": seed}

    arguments = ["none"], [0, 1], run, str
    file = tmp_path / "results.json"
    assert run_study(file, {"epochs": 1}, *arguments) == {"none": [{"x": 0}, {"x": 1}]}
    with pytest.raises(ValueError, match="a study with other settings: choose another"):
        run_study(file, {"epochs": 2}, *arguments)


def test_table_pairs_seeds():
    def runs(*accuracies):
        return [
            {"test accuracy": a, "training accuracy": 1.0, "gap": 1 - a}
            for a in accuracies
        ]

    results = {
        "none": runs(0.5, 0.7, 0.9),
        "rms": runs(0.6, 0.9, 0.95),
        "cutmix": runs(0.6, 0.8, 1.0),
    }
    none, rms, cutmix = regularisers.table(results).splitlines()[2:]
    assert none == "| none | 0.700 ± 0.200 | 1.000 ± 0.000 | 0.300 ± 0.200 |  |  |"
    # Student's t of 2 degrees of freedom, 4.303, times 0.0764 / sqrt(3).
    assert rms.endswith("| +0.117 ± 0.190 | -0.117 ± 0.190 |")
    # An interval of no width would say that there is no doubt.
    assert cutmix.endswith("| +0.100 | -0.100 |")
