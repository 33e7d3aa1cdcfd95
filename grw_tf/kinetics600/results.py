"""Writes the results of the published evaluation: numbers, tables and figures."""

import collections
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.special
from scipy import stats

from grw_tf.common.csv_file import write_csv
from grw_tf.common.replacing import replacing
from grw_tf.data.listing.video_list import Video
from grw_tf.evaluation.evaluate import CONFUSION_FILE, PREDICTIONS_FILE, RESULTS_FILE
from grw_tf.evaluation.measures import measure
from grw_tf.evaluation.predictions import write_predictions, write_results
from grw_tf.figures.confusion_matrix import draw_confusion
from grw_tf.kinetics600.class_table import class_text, write_class_table
from grw_tf.kinetics600.prediction_files import PredictedClips

CLASSES_FILE = "per_class.csv"
CLASSES_TEXT = "per_class.txt"
UNREADABLE_FILE = "unreadable.csv"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of a run.

    Attributes:
        results: Content of results.json.
        text: The results as text.
        unreadable: Number of videos that cannot be read.
        left_out: Number of videos without a class or that cannot be examined.
    """

    results: dict
    text: str
    unreadable: int
    left_out: int = 0


def write_outcome(
    folder: Path,
    settings: dict,
    predicted: PredictedClips,
    videos: Sequence[Video],
    labels: Sequence[int],
    names: Sequence[str],
    published: float | None,
) -> Outcome:
    """Measures the predictions of all videos and writes the results.

    `names` are those of the classes, and `published` is the published top-1, if any.

    Raises:
        ValueError: If no video has a clip.
        OSError: If something cannot be written.
    """
    _write_unreadable(folder / UNREADABLE_FILE, predicted, videos)
    of_clips = np.asarray(labels)[predicted.videos]
    if not of_clips.size:
        raise ValueError(_nothing(predicted, videos, settings))
    probabilities = scipy.special.softmax(predicted.logits.astype(np.float64), axis=1)
    measures = measure(of_clips, probabilities, names)
    results = _results(settings, predicted, videos, of_clips, measures)
    results["published_top_1"] = published
    write_predictions(
        folder / PREDICTIONS_FILE,
        _clip_names(predicted, videos),
        of_clips,
        probabilities,
        names,
    )
    write_class_table(folder / CLASSES_FILE, measures)
    text = _text(results)
    with replacing(folder / CLASSES_TEXT) as unfinished:
        unfinished.write_text(
            f"{text}\n\n{class_text(measures, None)}\n", "utf-8", "surrogateescape"
        )
    # Classes without clips or predictions would hide the others.
    counts = measures.confusion
    occurring = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    figure = draw_confusion(
        counts[np.ix_(occurring, occurring)],
        [names[index] for index in occurring.tolist()],
    )
    with replacing(folder / CONFUSION_FILE) as unfinished:
        figure.savefig(unfinished, format="png", dpi=110)
    write_results(folder / RESULTS_FILE, results)
    return Outcome(
        results, f"{text}\n\n{class_text(measures)}", len(predicted.unreadable)
    )


def _results(settings, predicted, videos, labels, measures):
    right = predicted.logits.argmax(axis=1) == labels
    results = {
        "settings": settings | {"rule": _rule(settings)},
        "videos": len(videos),
        "clips": len(labels),
        "too_short": len(predicted.dropped) + int(predicted.too_short.sum()),
        "unreadable": len(predicted.unreadable),
        **_accuracy(right),
        "top_5": measures.top_5,
        "macro_f1": measures.macro_f1,
    }
    if settings["short_clips"] == "repeat":
        whole = right[~predicted.too_short]
        results["without_too_short"] = {"clips": len(whole), **_accuracy(whole)}
    return results


def _accuracy(right):
    """Returns the share of right clips and its 95 % Wilson interval."""
    if not right.size:
        return {"top_1": None, "top_1_interval_95": None}
    test = stats.binomtest(int(right.sum()), right.size)
    interval = test.proportion_ci(method="wilson")
    return {"top_1": float(right.mean()), "top_1_interval_95": list(interval)}


def _rule(settings):
    short = {
        "drop": "videos that fill no window dropped, as published",
        "repeat": "videos that fill no window give one, with their last frame repeated",
    }
    return (
        f"all windows of {settings['frames']} frames at {settings['fps']:g} a second,"
        " from the first frame on, by index, each a clip;"
        f" {short[settings['short_clips']]}"
    )


def _text(results):
    lines = [
        f"{results['clips']} clips of {results['videos']} videos"
        f" ({results['settings']['rule']})",
        f"too short: {results['too_short']} videos; unreadable:"
        f" {results['unreadable']}",
        f"top-1  {_percent(results)}",
    ]
    if (published := results["published_top_1"]) is not None:
        lines[-1] += f"; published for this model's GRW weights: {published:.1%}"
    lines += [f"top-5  {results['top_5']:.1%}", f"macro-F1  {results['macro_f1']:.3f}"]
    if whole := results.get("without_too_short"):
        lines.append(
            f"top-1 of the {whole['clips']} clips as published, without those too"
            f" short: {_percent(whole)}"
        )
    return "\n".join(lines)


def _percent(results):
    if results["top_1"] is None:
        return "-"
    low, high = results["top_1_interval_95"]
    return f"{results['top_1']:.1%} (95 % interval {low:.1%} to {high:.1%})"


def _nothing(predicted, videos, settings):
    reason = next(iter(predicted.unreadable.values()), None)
    return (
        f"None of {len(videos)} videos has a clip: {len(predicted.dropped)} have fewer"
        f" than {settings['frames']} frames at {settings['fps']:g} a second"
        f" (--short_clips=repeat takes them too), {len(predicted.unreadable)} cannot be"
        f" read{f', as {reason!r}' if reason else ''}."
    )


def _clip_names(predicted, videos):
    """Returns the name of the video of each clip, with #2 for a second clip."""
    seen, names = collections.Counter(), []
    for position in predicted.videos.tolist():
        seen[position] += 1
        number = seen[position]
        name = videos[position].name
        names.append(name if number == 1 else f"{name}#{number}")
    return names


def _write_unreadable(path, predicted, videos):
    if not predicted.unreadable:
        path.unlink(missing_ok=True)
        return
    rows = sorted(predicted.unreadable.items())
    reasons = ([videos[position].name, reason] for position, reason in rows)
    write_csv(path, ["path", "reason"], reasons)
