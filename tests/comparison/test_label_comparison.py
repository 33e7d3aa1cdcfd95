"""Tests of comparisons of models with several labels a clip."""

import numpy as np
import pytest
from finished_runs import (
    CLIPS,
    NAMES,
    SEEDS,
    finish_with_labels,
    label_lists,
    plan_of,
    write_odd_records,
)
from sklearn.metrics import average_precision_score

from grw_tf.comparison.gather import find
from grw_tf.comparison.report import render, summarize
from grw_tf.evaluation.paired_statistics import compare_scores

SIGMOID = {"task": {"model": {"output_activation": "sigmoid"}}}


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """Those of a noisy baseline and a clearly better variant."""
    records = write_odd_records(tmp_path_factory.mktemp("clips"), several_labels=True)
    folder = tmp_path_factory.mktemp("comparison")
    plan = plan_of(records, folder, "grw", override=SIGMOID, seeds=SEEDS)
    for number, run in enumerate(plan.runs()):
        noise = 2.5 if run.variant == "baseline" else 0.4
        finish_with_labels(run, noise, seed=number)
    return find(plan, plan.seeds, "python -m scripts.compare")


def test_map_decides(findings):
    assert "accuracy" not in findings.metrics
    metric = findings.metrics["mean_average_precision"]
    difference = metric["grw"].difference
    assert difference.shown and difference.interval.mean > 0
    assert findings.verdict.headline == "Yes, it helps"
    assert "mAP differs from the baseline's" in findings.verdict.sentences[0]
    told = " ".join(findings.verdict.variants["grw"])
    assert told.startswith("mAP +") and "of all classes of a clip mended" in told
    # The interval over clips is about the same mean.
    assert findings.clips["grw"].interval.mean == pytest.approx(
        difference.interval.mean, abs=1e-9
    )


def test_chance_is_the_mean_share_of_clips_of_a_class(findings):
    share = label_lists().mean(axis=0).mean()
    assert findings.test.majority is None
    assert findings.test.majority_share == pytest.approx(share)
    limits = " ".join(findings.verdict.limits)
    assert f"Random scores have an mAP of about {100 * share:.1f} %" in limits


def test_classes_are_compared_by_their_own_clips(findings):
    assert {each.name for each in findings.classes} == set(NAMES)
    counts = dict(zip(NAMES, label_lists().sum(axis=0), strict=True))
    for each in findings.classes:
        assert each.clips == counts[each.name]
        assert 0 <= each.variants["grw"].right <= each.clips


def test_report_and_summary_tell_of_map(findings):
    page, summary = render(findings), summarize(findings)
    assert "mAP on the test clips" in page and "mAP after each frame" in page
    assert "dashed: random scores" in page and "always “" not in page
    for title in ("mAP, %", "Micro-F1, %", "All classes right, %", "mAP, noise, %"):
        assert title in summary
    assert "Accuracy" not in summary


def test_interval_over_clips_is_a_bootstrap_of_map():
    rng = np.random.default_rng(0)
    labels = rng.random((CLIPS, 3)) < 0.4
    scores, baseline = (
        np.round(rng.normal(labels * shift, 1, (2, CLIPS, 3)), 1) for shift in (2, 1)
    )
    right = np.zeros((2, CLIPS), bool)
    found = compare_scores(labels, scores, baseline, right, ~right)
    assert (found.mended, found.broken, found.p_value) == (0, 2 * CLIPS, None)

    def precision(own, drawn):
        each = [
            average_precision_score(labels[drawn, k], own[drawn, k])
            for k in range(3)
            if labels[drawn, k].any()
        ]
        return np.mean(each)

    def difference(drawn):
        pairs = zip(scores, baseline, strict=True)
        return np.mean([precision(o, drawn) - precision(b, drawn) for o, b in pairs])

    everything = np.arange(CLIPS)
    assert found.interval.mean == pytest.approx(difference(everything))
    draws = [difference(rng.integers(0, CLIPS, CLIPS)) for _ in range(120)]
    low, high = np.quantile(draws, [0.025, 0.975])
    assert found.interval.low == pytest.approx(low, abs=0.08)
    assert found.interval.high == pytest.approx(high, abs=0.08)
