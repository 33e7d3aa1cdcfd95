"""Tests of the report of a comparison, from runs with given predictions."""

import html.parser
import json
import re

import numpy as np
import pytest
from finished_runs import CLIPS, NAMES, fail, finish, plan_of, write_odd_records

from grw_tf.comparison import charts, row_charts
from grw_tf.comparison.compare import compare
from grw_tf.comparison.findings import find
from grw_tf.comparison.outcomes import ACCURACY, METRICS, read_outcomes
from grw_tf.comparison.report import fairness, render, write_report
from grw_tf.comparison.trajectories import choose_examples
from grw_tf.comparison.verdict import judge

SEEDS = 3


def _right(run, index):
    """Which predictions are right: the third variant's more, the second's as many."""
    rng = np.random.default_rng(run.seed)
    order = rng.permutation(CLIPS)
    right = np.zeros(CLIPS, bool)
    right[order[: (10, 11 - run.seed % 2, 20)[index] + run.seed]] = True
    return right


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write_odd_records(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def plan(records, tmp_path_factory):
    plan = plan_of(records, tmp_path_factory.mktemp("comparison"), seeds=SEEDS)
    names = [variant.name for variant in plan.variants]
    for number, run in enumerate(plan.runs()):
        right = _right(run, names.index(run.variant))
        finish(run, right, seed=number)
    return plan


@pytest.fixture(scope="module")
def findings(plan):
    return find(plan, plan.seeds, "python -m scripts.compare --x='<b>'")


@pytest.fixture(scope="module")
def page(findings):
    return render(findings)


class _Page(html.parser.HTMLParser):
    """What a page consists of."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.texts, self.data = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.data += data
        elif not self.open or self.open[-1] != "style":
            self.texts.append(data)


def test_page_is_whole_and_asks_the_network_for_nothing(page):
    parsed = _Page(page)
    assert not parsed.open
    for tag, attributes in parsed.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "srcset", "data", "action", "xlink:href"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:image/jpeg;base64,")), (tag, value)
        assert not [name for name in attributes if name.startswith("on")]
    style = re.search(r"<style>(.*?)</style>", page, re.S).group(1)
    assert "url(" not in style and "@import" not in style


def test_page_holds_all_numbers_of_the_json(page, findings):
    assert json.loads(_Page(page).data) == json.loads(json.dumps(findings))


def test_names_are_text_and_not_markup(page):
    parsed = _Page(page)
    scripts = [a for tag, a in parsed.elements if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "findings"}]
    assert not [tag for tag, _ in parsed.elements if tag == "i"]
    told = " ".join(parsed.texts)
    for name in (*NAMES, "<i>0</i>.mp4", "--x='<b>'"):
        assert name in told


def test_page_is_for_those_who_cannot_see(page):
    elements = _Page(page).elements
    pictures = [a for tag, a in elements if tag == "svg"]
    assert len(pictures) > 8
    assert all(a["role"] == "img" and a["aria-label"] for a in pictures)
    assert all("alt" in a for tag, a in elements if tag == "img")
    assert all(a.get("scope") for tag, a in elements if tag == "th")
    ids = [a["id"] for _, a in elements if "id" in a]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for tag, a in elements if tag == "a"}
    assert links <= set(ids)


def test_written_page_and_json_are_the_same(plan, findings):
    written = write_report(plan, plan.seeds, findings["command"])
    text = (plan.folder / "report.json").read_text()
    assert json.loads(text) == json.loads(json.dumps(written.findings))
    kept = json.loads(_Page((plan.folder / "report.html").read_text()).data)
    assert kept == json.loads(text)
    assert "grw_intermediate+rms" in written.summary
    assert written.findings["verdict"]["headline"] in written.summary


def test_accuracy_is_compared_by_seeds_and_by_clips(findings):
    metric = findings["metrics"]["accuracy"]
    assert metric["baseline"]["values"] == pytest.approx(
        [(10 + seed) / CLIPS for seed in range(SEEDS)]
    )
    difference = metric["grw_intermediate+rms"]["difference"]
    assert difference["interval"]["mean"] == pytest.approx(10 / CLIPS)
    # All seeds differ by the same: 2 of 8 ways to sign them are as far from 0.
    assert difference["p_value"] == 0.25 and not difference["shown"]
    assert difference["interval"]["low"] is None
    clips = findings["clips"]["grw_intermediate+rms"]
    assert (clips["mended"], clips["broken"]) == (30, 0)
    assert clips["interval"]["low"] > 0


def test_changes_of_classes_add_up_to_the_change_of_accuracy(findings):
    name = "grw_intermediate+rms"
    assert [each["clips"] for each in findings["classes"]] == [4] * 6
    changes = [each["variants"][name] for each in findings["classes"]]
    assert sum(change["change"] for change in changes) == pytest.approx(10)
    assert sum(change["mended"] for change in changes) == 30
    largest = [
        max(abs(v["change"]) for v in each["variants"].values())
        for each in findings["classes"]
    ]
    assert largest == sorted(largest, reverse=True)


def test_curves_are_means_over_seeds(plan, findings):
    outcomes = read_outcomes(plan.runs())
    curves = [outcomes["baseline", seed].curve for seed in plan.seeds]
    found = findings["streaming"]["curves"]["baseline"]
    np.testing.assert_allclose(found["mean"], np.mean(curves, axis=0))
    np.testing.assert_allclose(found["high"], np.max(curves, axis=0))
    loss = findings["training"]["loss"]["train"]["baseline"]
    assert loss["steps"] == [10, 20, 30] and loss["runs"] == SEEDS
    # Without the first loop of each.
    assert findings["costs"]["by_variant"]["baseline"]["clips_per_second"] == 45


@pytest.mark.parametrize(
    ("key", "limit", "warning", "check"),
    [
        (
            "is_validation",
            "all accuracies are flattered",
            "<b>The test clips are the validation’s.</b>",
            "The test clips are those that checkpoints were chosen by.",
        ),
        (
            "is_training",
            "say nothing of new clips",
            "<b>Test clips are trained on.</b>",
            "Test clips are trained on.",
        ),
    ],
)
def test_test_clips_that_had_another_part_are_warned_of(
    findings, key, limit, warning, check
):
    assert findings["test"]["is_training"] and findings["test"]["is_validation"]
    apart = findings["test"] | {"is_training": False, "is_validation": False}
    for found in (False, True):
        changed = findings | {"test": apart | {key: found}}
        limits = judge(changed)["limits"]
        assert any(limit in sentence for sentence in limits) == found
        assert (warning in render(changed)) == found
        assert ((False, check) in fairness(changed)) == found


def test_other_starts_are_told(findings):
    assert all(held for held, told in fairness(findings)[:3])
    runs = [run | {"start": run["start"].copy()} for run in findings["runs"]]
    runs[1]["start"]["weights"] = "another"
    runs[2]["steps"] = 29
    checks = fairness(findings | {"runs": runs})
    assert [held for held, _ in checks[:3]] == [False, True, False]
    assert "Not all variants of the seeds [0] start from the same" in checks[0][1]
    assert checks[2][1] == "All runs took 29 or 30 steps."


@pytest.fixture
def finishing(records, tmp_path):
    """A function that makes a comparison, given which predictions are right."""

    def make(right, seeds=SEEDS, variants="grw_final"):
        plan = plan_of(records, tmp_path, variants, seeds=seeds)
        names = [variant.name for variant in plan.variants]
        for number, run in enumerate(plan.runs()):
            rights = right(names.index(run.variant), run.seed)
            if rights is not None:
                finish(run, rights, seed=number)
            else:
                fail(run, "ValueError: The loss is nan <at> step 3")
        return plan

    return make


def _first(count):
    return np.arange(CLIPS) < count


def test_a_difference_that_seeds_and_clips_show_is_told(finishing):
    plan = finishing(lambda variant, seed: _first(8 + variant * (10 + seed)))
    verdict = find(plan, plan.seeds, "")["verdict"]
    assert verdict["headline"] == "Yes, it helps"
    assert "by +45.8 points with grw_final" in verdict["sentences"][0]
    assert "shown" in verdict["variants"]["grw_final"][0]


def test_smoother_embeddings_are_told(findings):
    metrics = json.loads(json.dumps(findings["metrics"]))
    order = metrics["order_accuracy"]
    order["baseline"]["mean"], order["grw_final"]["mean"] = 0.702, 0.991
    order["grw_final"]["difference"] |= {"shown": True, "interval": {"mean": 0.289}}
    assert judge(findings | {"metrics": metrics})["sentences"][-1] == (
        "Embeddings of grw_final are smoother: they tell the order of frames in 99.1 %"
        " of the windows, the baseline's in 70.2 %."
    )


def test_a_loss_is_told(finishing):
    plan = finishing(lambda variant, seed: _first(20 - variant * (10 + seed)))
    assert find(plan, plan.seeds, "")["verdict"]["headline"] == "It harms"


def test_a_difference_of_few_clips_is_not_shown_however_steady(finishing):
    # One clip of 24, with each of 9 seeds but one.
    plan = finishing(lambda v, seed: _first(12 + v * (1 + (seed == 8))), seeds=9)
    findings = find(plan, plan.seeds, "")
    difference = findings["metrics"]["accuracy"]["grw_final"]["difference"]
    assert difference["adjusted_p_value"] < 0.001
    assert findings["clips"]["grw_final"]["interval"]["low"] == 0
    assert not difference["shown"]
    verdict = findings["verdict"]
    assert verdict["headline"] == "No difference in accuracy shown"
    assert "no variant's accuracy is shown to differ" in verdict["sentences"][0]
    assert "a true difference of 1 point takes" in verdict["variants"]["grw_final"][-1]


def test_the_largest_difference_may_be_of_one_seed(finishing):
    plan = finishing(
        lambda variant, seed: (
            None
            if variant == 2 and seed
            else _first(8 + variant * (2 + seed * (variant == 1) % 2))
        ),
        variants="grw_final,rms",
    )
    findings = find(plan, plan.seeds, "")
    assert not findings["metrics"]["accuracy"]["grw_final"]["difference"]["shown"]
    told = findings["verdict"]["sentences"][0]
    assert "is +16.7 points, of rms (of one seed; 95 % interval over clips +4.2" in told
    assert "largest difference" in render(findings)


def test_a_difference_that_all_seeds_share_is_shown_by_many(finishing):
    plan = finishing(lambda variant, seed: _first(8 + 8 * variant), seeds=6)
    findings = find(plan, plan.seeds, "")
    difference = findings["metrics"]["accuracy"]["grw_final"]["difference"]
    assert difference["shown"] and difference["p_value"] == 2 / 2**6
    verdict = findings["verdict"]
    assert verdict["headline"] == "Yes, it helps"
    assert (
        "(the same with all seeds; 95 % interval over clips"
        in (verdict["sentences"][0])
    )
    assert "+33.3 points with each of 6 seeds" in verdict["variants"]["grw_final"][0]
    render(findings)


def test_intervals_of_many_variants_are_left_to_the_table(finishing):
    plan = finishing(
        lambda variant, seed: _first(6 + 4 * variant + seed % 2 * (variant > 1)),
        seeds=8,
        variants="grw_final,rms,cutmix",
    )
    told = find(plan, plan.seeds, "")["verdict"]["sentences"][0]
    assert "by +16.7 points with grw_final; by +35.4 points with rms; by " in told
    assert "interval" not in told


@pytest.mark.parametrize("seeds", [1, 2])
def test_no_difference_at_all_is_told(finishing, seeds):
    plan = finishing(lambda variant, seed: _first(8), seeds=seeds)
    told = find(plan, plan.seeds, "")["verdict"]["sentences"][0]
    assert "all variants have the baseline's mean accuracy." in told
    assert ("run more by the same command" in told) == (seeds == 1)


def test_no_change_has_no_sign(findings):
    metrics = json.loads(json.dumps(findings["metrics"]))
    found = metrics["probability_change"]["grw_final"]["difference"]["interval"]
    found |= {"mean": -0.0004, "low": -0.002, "high": 0.001}
    page = render(findings | {"metrics": metrics})
    assert "<small>0.000</small><small>−0.002 to +0.001</small>" in re.sub(
        r"\s*\n\s*", "", page
    )


def test_one_seed_says_nothing_of_methods(finishing):
    plan = finishing(lambda variant, seed: _first(8 + 10 * variant), seeds=1)
    findings = find(plan, plan.seeds, "")
    assert findings["verdict"]["headline"] == "Too early to say"
    assert (
        "One seed tells two trained models apart"
        in (findings["verdict"]["sentences"][0])
    )
    assert any(
        "McNemar's exact test of the one seed: p 0.002" in sentence
        for sentence in findings["verdict"]["variants"]["grw_final"]
    )
    assert "1 of 1 seeds" not in render(findings)


def test_failed_runs_are_told_and_left_out_of_differences(finishing):
    plan = finishing(
        lambda variant, seed: None if (variant, seed) == (1, 2) else _first(9 + variant)
    )
    findings = find(plan, plan.seeds, "")
    entry = findings["metrics"]["accuracy"]["grw_final"]
    assert entry["values"][2] is None and entry["difference"]["seeds"] == 2
    assert any("1 run failed" in told for told in findings["verdict"]["limits"])
    page = render(findings)
    assert "5 of 6 runs have finished" in page
    assert "The loss is nan &lt;at&gt; step 3" in page


def test_a_variant_that_always_fails_leaves_the_others_their_tables(finishing):
    plan = finishing(
        lambda variant, seed: None if variant == 2 else _first(9 + variant),
        variants="grw_final,rms",
    )
    findings = find(plan, plan.seeds, "")
    assert findings["clips"]["rms"] is None and findings["clips"]["grw_final"]
    there = {"baseline", "grw_final"}
    assert all(set(each["variants"]) == there for each in findings["classes"])
    assert set(findings["trajectories"]["panels"]) == there
    assert "6 of 9 runs have finished" in render(findings)


def test_one_frame_in_all_has_no_trajectories(finishing):
    plan = finishing(lambda variant, seed: _first(9 + variant), seeds=1)
    for run in plan.runs():
        with np.load(run.folder / "embeddings.npz") as kept:
            one = {"z": kept["z"][:1, :1], "clips": kept["clips"][:1]}
        np.savez_compressed(run.folder / "embeddings.npz", **one)
    findings = find(plan, plan.seeds, "")
    assert findings["trajectories"] is None
    assert "How embeddings move" not in render(findings)


def test_a_comparison_that_is_done_says_so(records, tmp_path, capsys):
    plan = plan_of(records, tmp_path, "rms", seeds=1, timing_rounds=0)
    for run in plan.runs():
        finish(run, _first(9))
    assert compare(plan, "") == []
    told = capsys.readouterr().out
    assert told.startswith("All runs have finished before: the report is written anew.")
    assert (tmp_path / "report.html").exists() and "Run 1" not in told


def test_nothing_finished_is_a_report_too(finishing):
    plan = finishing(lambda variant, seed: None)
    findings = find(plan, plan.seeds, "")
    assert findings["verdict"]["headline"] == "Nothing to compare yet"
    assert "0 of 6 runs have finished" in render(findings)


def test_models_worse_than_the_majority_are_told(finishing):
    plan = finishing(lambda variant, seed: _first(2 + variant))
    limits = find(plan, plan.seeds, "")["verdict"]["limits"]
    assert any("No variant beats that" in told for told in limits)


def test_many_classes_are_folded(findings):
    entry = findings["classes"][0]
    many = [entry | {"name": f"class {k}"} for k in range(600)]
    page = render(findings | {"classes": many})
    assert "The other 580 classes" in page
    shown = page[: page.index("<details><summary>The other 580")]
    assert "class 19<" in shown and "class 20<" not in shown


def test_charts_keep_within_their_pictures(findings):
    made = [
        row_charts.value_chart(findings, ACCURACY),
        row_charts.difference_chart(findings, ACCURACY),
        charts.streaming_chart(findings),
        *charts.training_charts(findings),
        *(row_charts.value_chart(findings, metric) for metric in METRICS),
        *(row_charts.difference_chart(findings, metric) for metric in METRICS),
        *(
            charts.trajectory_chart(findings, variant["name"])
            for variant in findings["variants"]
        ),
    ]
    for chart in made:
        _, _, width, height = map(float, re.search('viewBox="(.*?)"', chart)[1].split())
        for letter, most in (("x", width), ("y", height)):
            found = re.findall(rf' (?:c{letter}|{letter}[12]?)="(.*?)"', chart)
            assert found and all(0 <= float(value) <= most for value in found)
        for points in re.findall('points="(.*?)"', chart):
            for x, y in (map(float, pair.split(",")) for pair in points.split()):
                assert 0 <= x <= width and 0 <= y <= height


def test_axes_of_shares_end_at_a_hundred(findings):
    metrics = json.loads(json.dumps(findings["metrics"]))
    for entry in metrics["order_accuracy"].values():
        entry |= {"values": [1.0] * SEEDS, "mean": 1.0}
    order = next(metric for metric in METRICS if metric.key == "order_accuracy")
    chart = row_charts.value_chart(findings | {"metrics": metrics}, order)
    ticks = re.findall(r'class="tick">(.*?)<', chart)
    assert ticks[-1] == "100" and all(float(tick) <= 100 for tick in ticks)
    curve = {"x": [1, 2], "mean": [1, 1], "low": [1, 1], "high": [1, 1]}
    curves = [curve | {"variant": "baseline", "dashed": False}]
    chart = charts.line_chart(findings, curves, "step", "accuracy", True)
    assert "102" not in re.findall(r'class="tick">(.*?)<', chart)


def test_models_that_are_no_streams_have_no_curve(findings):
    metrics = {
        key: value
        for key, value in findings["metrics"].items()
        if key in ("accuracy", "macro_f1", "order_accuracy")
    }
    streaming = findings["streaming"] | {"curves": {}}
    page = render(findings | {"metrics": metrics, "streaming": streaming})
    assert "there is no stream to measure" in page


def test_runs_on_other_clips_are_refused(finishing):
    plan = finishing(lambda variant, seed: _first(9), seeds=1)
    run = plan.runs()[1]
    text = run.predictions.read_text().replace("&lt;", "").replace("3</i>", "x</i>")
    run.predictions.write_text(text)
    with pytest.raises(ValueError, match="were measured on other clips: remove one"):
        read_outcomes(plan.runs())


def test_examples_are_of_as_many_classes_as_may_be():
    assert choose_examples(["a"] * 5 + ["b", "c"]) == [0, 1, 5, 6]
    assert choose_examples(["a"] * 9) == [0, 1, 2, 3]
    assert choose_examples(["a", "b"]) == [0, 1]
