"""Counts models' costs, and writes the table and the figure."""

import dataclasses
import gc
import sys
import time
from pathlib import Path

import tf_keras

from grw_tf.common.flags import option
from grw_tf.common.output_folder import check_writable
from grw_tf.common.replacing import replacing
from grw_tf.common.text_table import markdown_table
from grw_tf.cost_table.cache import cost_of, known_cost
from grw_tf.cost_table.figure import draw_accuracy_cost
from grw_tf.cost_table.footnotes import COUNTED, footnotes, notes_of
from grw_tf.cost_table.model_choice import choose_models
from grw_tf.cost_table.rows import HEADER, Row, memory_table
from grw_tf.evaluation.predictions import write_results

MARKDOWN_FILE = "model_table.md"
RESULTS_FILE = "model_table.json"
FIGURE_FILE = "accuracy_cost.png"


@dataclasses.dataclass(frozen=True)
class ModelTableConfig:
    """What to count; each is a flag."""

    models: str = option(
        "",
        "Names of models, separated by commas: presets, t0_base, t0_stream. Empty for"
        " the official models, those with published GRW weights, MobileNetV3 and"
        " SlowOnly.",
    )
    output_dir: str = option(
        "", f"Folder for {MARKDOWN_FILE}, {RESULTS_FILE} and {FIGURE_FILE}."
    )


def model_table(config: ModelTableConfig) -> str:
    """Returns the table and its footnotes in Markdown; writes them if a folder is set.

    The count of each model is kept in the user's cache, so another run, also after a
    killed one, counts only the remaining models.

    Raises:
        ValueError: If a model is unknown.
        OSError: If the folder cannot be written to.
    """
    models = choose_models(config.models)
    folder = Path(config.output_dir) if config.output_dir else None
    if folder:
        check_writable(folder)
    costs = _costs(models)
    rows = [Row(name, models[name], cost) for name, cost in costs.items()]
    text = _text(rows)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / MARKDOWN_FILE) as unfinished:
            unfinished.write_text(text + "\n")
        with replacing(folder / FIGURE_FILE) as unfinished:
            draw_accuracy_cost(rows).savefig(unfinished, format="png", dpi=110)
        write_results(folder / RESULTS_FILE, {"models": [r.to_dict() for r in rows]})
    return text


def _costs(models):
    """Returns costs by name, and reports the progress on standard error."""
    costs = {name: known_cost(config) for name, config in models.items()}
    left = [name for name, cost in costs.items() if cost is None]
    start = time.monotonic()
    for number, name in enumerate(left, start=1):
        _say(f"counting {name} ({number} of {len(left)})")
        costs[name] = cost_of(models[name])
        # Graphs of counted models would slow down the next.
        tf_keras.backend.clear_session()
        gc.collect()
        seconds = (time.monotonic() - start) / number * (len(left) - number)
        _say(f"{name} is counted, about {seconds / 60:.1f} min left")
    return costs


def _say(words):
    print(words, file=sys.stderr, flush=True)


def _text(rows):
    table = markdown_table(HEADER, [row.cells(notes_of(row)) for row in rows])
    notes = "\n".join(f"- {note}" for note in footnotes(rows))
    parts = [table, COUNTED, notes, memory_table(rows)]
    return "\n\n".join(part for part in parts if part)
