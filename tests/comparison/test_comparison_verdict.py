"""Tests of what a comparison says of its runs, in words."""

import dataclasses
import re

import pytest
from finished_runs import first_right

from grw_tf.comparison.gather import find
from grw_tf.comparison.report import render
from grw_tf.comparison.verdict import judge
from grw_tf.evaluation.paired_statistics import Interval


def test_a_difference_that_seeds_and_clips_show_is_told(finishing):
    plan = finishing(lambda variant, seed: first_right(8 + variant * (10 + seed)))
    verdict = find(plan, plan.seeds, "").verdict
    assert verdict.headline == "Yes, it helps"
    assert "by +45.8 points with grw" in verdict.sentences[0]
    assert "shown" in verdict.variants["grw"][0]


def test_smoother_embeddings_are_told(findings):
    order = findings.metrics["order_accuracy"]
    interval = dataclasses.replace(order["grw"].difference.interval, mean=0.289)
    changed = order | {
        "baseline": dataclasses.replace(order["baseline"], mean=0.702),
        "grw": dataclasses.replace(
            order["grw"],
            mean=0.991,
            difference=dataclasses.replace(
                order["grw"].difference, shown=True, interval=interval
            ),
        ),
    }
    metrics = findings.metrics | {"order_accuracy": changed}
    smoother = dataclasses.replace(findings, metrics=metrics)
    assert judge(smoother).sentences[-1] == (
        "Embeddings of grw are smoother: they tell the order of frames in 99.1 %"
        " of the windows, the baseline's in 70.2 %."
    )


def test_a_loss_is_told(finishing):
    plan = finishing(lambda variant, seed: first_right(20 - variant * (10 + seed)))
    assert find(plan, plan.seeds, "").verdict.headline == "It harms"


def test_a_difference_of_few_clips_is_not_shown_however_steady(finishing):
    # One clip of 24, with each of 9 seeds but one.
    plan = finishing(lambda v, seed: first_right(12 + v * (1 + (seed == 8))), seeds=9)
    findings = find(plan, plan.seeds, "")
    difference = findings.metrics["accuracy"]["grw"].difference
    assert difference.adjusted_p_value < 0.001
    assert findings.clips["grw"].interval.low == 0
    assert not difference.shown
    verdict = findings.verdict
    assert verdict.headline == "No difference in accuracy shown"
    assert "no variant's accuracy is shown to differ" in verdict.sentences[0]
    assert "a true difference of 1 point takes" in verdict.variants["grw"][-1]


@pytest.mark.slow
def test_the_largest_difference_may_be_of_one_seed(finishing):
    plan = finishing(
        lambda variant, seed: (
            None
            if variant == 2 and seed
            else first_right(8 + variant * (2 + seed * (variant == 1) % 2))
        ),
        variants="grw,rms",
    )
    findings = find(plan, plan.seeds, "")
    assert not findings.metrics["accuracy"]["grw"].difference.shown
    told = findings.verdict.sentences[0]
    assert "is +16.7 points, of rms (of one seed; 95 % interval over clips +4.2" in told
    assert "largest difference" in render(findings)


def test_a_difference_that_all_seeds_share_is_shown_by_many(finishing):
    plan = finishing(lambda variant, seed: first_right(8 + 8 * variant), seeds=6)
    findings = find(plan, plan.seeds, "")
    difference = findings.metrics["accuracy"]["grw"].difference
    assert difference.shown and difference.p_value == 2 / 2**6
    verdict = findings.verdict
    assert verdict.headline == "Yes, it helps"
    assert (
        "(the same with all seeds; 95 % interval over clips" in (verdict.sentences[0])
    )
    assert "+33.3 points with each of 6 seeds" in verdict.variants["grw"][0]
    render(findings)


@pytest.mark.slow
def test_intervals_of_many_variants_are_left_to_the_table(finishing):
    plan = finishing(
        lambda variant, seed: first_right(6 + 4 * variant + seed % 2 * (variant > 1)),
        seeds=8,
        variants="grw,rms,cutmix",
    )
    told = find(plan, plan.seeds, "").verdict.sentences[0]
    assert "by +16.7 points with grw; by +35.4 points with rms; by " in told
    assert "interval" not in told


@pytest.mark.parametrize("seeds", [1, 2])
def test_no_difference_at_all_is_told(finishing, seeds):
    plan = finishing(lambda variant, seed: first_right(8), seeds=seeds)
    told = find(plan, plan.seeds, "").verdict.sentences[0]
    assert "all variants have the baseline's mean accuracy." in told
    assert ("run more by the same command" in told) == (seeds == 1)


def test_no_change_has_no_sign(findings):
    changes = findings.metrics["probability_change"]
    difference = dataclasses.replace(
        changes["grw"].difference, interval=Interval(-0.0004, -0.002, 0.001)
    )
    own = dataclasses.replace(changes["grw"], difference=difference)
    metrics = findings.metrics | {"probability_change": changes | {"grw": own}}
    page = render(dataclasses.replace(findings, metrics=metrics))
    assert "<small>0.000</small><small>\N{MINUS SIGN}0.002 to +0.001</small>" in re.sub(
        r"\s*\n\s*", "", page
    )


def test_one_seed_says_nothing_of_methods(finishing):
    plan = finishing(lambda variant, seed: first_right(8 + 10 * variant), seeds=1)
    findings = find(plan, plan.seeds, "")
    assert findings.verdict.headline == "Too early to say"
    assert "One seed tells two trained models apart" in (findings.verdict.sentences[0])
    assert any(
        "McNemar's exact test of the one seed: p 0.002" in sentence
        for sentence in findings.verdict.variants["grw"]
    )
    assert "1 of 1 seeds" not in render(findings)


def test_models_worse_than_the_majority_are_told(finishing):
    plan = finishing(lambda variant, seed: first_right(2 + variant))
    limits = find(plan, plan.seeds, "").verdict.limits
    assert any("No variant beats that" in told for told in limits)
