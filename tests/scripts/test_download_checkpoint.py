"""Tests of the program that downloads checkpoints, with what lies in the cache."""

import pytest

from grw_tf.weights.official import GRW_MODELS, OFFICIAL


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GRW_TF_CACHE", str(tmp_path))
    return tmp_path


def test_list_tells_what_is_in_the_cache(cache, run_program):
    (cache / "movinet_a3_base").mkdir()
    lines = run_program("scripts.download_checkpoint", "--list").stdout.splitlines()
    assert len(lines) == 1 + len(OFFICIAL) + len(GRW_MODELS)
    cells = {line.split()[0]: " ".join(line.split()[1:]) for line in lines}
    kaggle = "google/movinet/tensorFlow2/a{}-kinetics-600-classification/{}"
    assert cells["movinet_a3_base"] == (
        f"120 x 256 px 81.79 29 movinet_a3_base {kaggle.format('3-base', 3)}"
    )
    assert cells["movinet_a0_stream"] == (
        f"50 x 172 px 72.05 12 no {kaggle.format('0-stream', 2)}"
    )
    assert cells["a0s_grw"] == "no DrGil/grw-smoothing-movinet"


def test_all_tells_how_to_use_each(cache, run_program):
    for name in OFFICIAL:
        (cache / name).mkdir()
    done = run_program("scripts.download_checkpoint", "--name=all")
    for name in OFFICIAL:
        assert f"{name} is in {cache / name}" in done.stdout
        assert f"--init_checkpoint={name}\n" in done.stdout


def test_wrong_name_ends_in_a_line(run_program):
    done = run_program("scripts.download_checkpoint", "--name=a0_steam")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert "There are no published weights 'a0_steam'" in line
    assert "Did you mean movinet_a0_stream?" in line
