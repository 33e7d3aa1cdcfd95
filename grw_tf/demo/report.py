"""The demo's last part: table, figures, export, stream."""

import pathlib

from grw_tf.demo.cost import measure_step_cost
from grw_tf.demo.figures import draw_learning_curves, draw_trajectories
from grw_tf.export.export import ExportConfig, export_run
from grw_tf.weights.run_directory import Run


def report(results, train, test, config, figure_name, title, clips=""):
    """Prints one table, writes the figures, and exports the model with smoothing.

    Args:
      results: the two `Result`s of `compare`.
      train, test: the videos.
      config: the demo's; `<figure_name>.png`, `learning_curves.png`, `table.txt` and
        `model.tflite` go to its `output_dir`.
      figure_name: of the trajectories' figure.
      title: of that figure.
      clips: folder of videos to check the exported file on; by default drawn scenes.
    """
    output_dir = pathlib.Path(config.output_dir)
    baseline, grw = results
    draw_trajectories(output_dir / f"{figure_name}.png", test, results, title)
    draw_learning_curves(output_dir / "learning_curves.png", results)

    exported = output_dir / "model.tflite"
    run = Run(grw.model, test.class_names, checkpoint=str(output_dir / "grw"))
    export = ExportConfig(output=str(exported), quantization="none", clips=clips)
    parity = export_run(run, export).parity

    batch = next(iter(train.batches(config.batch_size)))
    cost = measure_step_cost(baseline.model, grw.model, batch)
    table = _table(
        ("", "test accuracy", "|a|/|v|", "order accuracy", "s/step", "GRW's share"),
        [
            _row(baseline, cost.without, 0.0),
            _row(grw, cost.with_grw, cost.share),
        ],
    )
    (output_dir / "table.txt").write_text(table + "\n")
    print(f"\n{table}\n")
    print(
        f"Streamed frame by frame, {exported} gives the model's logits to"
        f" {parity.largest_difference:.1e} of the largest, over {parity.streams} x"
        f" {parity.frames} frames; {parity.milliseconds:.2f} ms a frame, one thread."
    )
    print(f"Figures: {output_dir}/{figure_name}.png, {output_dir}/learning_curves.png")


def _row(result, seconds, share):
    return (
        result.name,
        f"{result.accuracy:.3f}",
        f"{result.smoothness.acceleration_ratio:.2f}",
        f"{result.smoothness.order_accuracy:.2f}",
        f"{seconds:.3f}",
        f"{share:.1%}",
    )


def _table(header, rows):
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, tuple("-" * width for width in widths), *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
