"""The demo on airplanes and on a folder of clips, whole, at toy size."""

import pytest
from drawn_videos import write_class_folders

from grw_tf.streaming import StreamSession


def test_a_missing_folder_is_named_in_one_line(tmp_path, run_program):
    flags = f"--clips={tmp_path / 'nothing'}", f"--output_dir={tmp_path / 'out'}"
    done = run_program("scripts.demo", *flags)
    assert done.returncode == 1
    assert "nothing" in done.stderr.strip().splitlines()[-1]
    assert "ValueError" in done.stderr or "Error" in done.stderr


def _columns(folder):
    """Returns the variants in the header of the table."""
    lines = (folder / "table.txt").read_text().splitlines()
    (rule,) = (number for number, line in enumerate(lines) if not line)
    assert len(lines) > rule + 10
    return lines[rule + 1].split()


@pytest.mark.slow
def test_airplanes_are_drawn_trained_on_and_streamed(tmp_path, run_program):
    folder = tmp_path / "runs"
    override = {
        "task.train_data.tfds_data_dir": tmp_path,
        "task.validation_data.tfds_data_dir": tmp_path,
    }
    done = run_program(
        "scripts.demo",
        "--epochs=1",
        f"--params_override={','.join(f'{k}={v}' for k, v in override.items())}",
        f"--output_dir={folder}",
    )
    assert done.returncode == 0, done.stderr
    assert _columns(folder) == ["baseline", "grw_mean"]
    table = (folder / "table.txt").read_text()
    assert "Straightness" in table and "On 1,500 test clips" in table
    assert (folder / "airplanes.png").read_bytes().startswith(b"\x89PNG")
    with StreamSession(folder / "model.tflite") as session:
        assert session.labels == ["yaw", "pitch", "roll"]
    # A line for each frame of a test video.
    streamed = [line for line in done.stdout.splitlines() if "yaw 0." in line]
    assert len(streamed) == 6


@pytest.mark.slow
def test_table_figures_and_model_are_written(tmp_path, run_program):
    clips = write_class_folders(tmp_path / "clips", train=4, test=2)
    folder = tmp_path / "runs"
    model = '{"task": {"model": {"backbone": {"model_id": "nano"}}}}'
    command = [
        *("scripts.demo", f"--clips={clips}"),
        *("--frames=6", "--size=32", "--epochs=1", "--batch_size=4"),
        f"--params_override={model}",
        f"--output_dir={folder}",
    ]
    done = run_program(*command)
    assert done.returncode == 0, done.stderr
    assert _columns(folder) == ["baseline", "grw"]
    for figure in ("clips.png", "learning_curves.png"):
        assert (folder / figure).read_bytes().startswith(b"\x89PNG")
    with StreamSession(folder / "model.tflite") as session:
        assert session.labels == ["blue", "red"]
    # A line for each frame of a test clip, with all classes.
    streamed = [line for line in done.stdout.splitlines() if "blue 0." in line]
    assert len(streamed) == 6 and all("red 0." in line for line in streamed)
    # Rerun, it trains nothing.
    again = run_program(*command)
    assert again.returncode == 0, again.stderr
    assert "All runs have finished before" in again.stdout
