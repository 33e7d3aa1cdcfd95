"""Tests of the report of a comparison, from runs with given predictions."""

import dataclasses
import html.parser
import json
import re

import numpy as np
import pytest
from finished_runs import CLIPS, NAMES, SEEDS, finish, first_right, plan_of

from grw_tf.comparison import charts, row_charts
from grw_tf.comparison.compare import compare
from grw_tf.comparison.findings import Band
from grw_tf.comparison.gather import find
from grw_tf.comparison.outcomes import ACCURACY, METRICS, read_outcomes
from grw_tf.comparison.report import fairness, render, summarize, write_report
from grw_tf.comparison.trajectories import choose_examples
from grw_tf.comparison.verdict import judge
from grw_tf.evaluation.perturbations import PERTURBATIONS
from grw_tf.export.clip_export import ClipReport
from grw_tf.export.clip_parity import ClipParity
from grw_tf.export.operations import Partitions
from grw_tf.export.regret import Regret


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
    assert json.loads(_Page(page).data) == json.loads(json.dumps(findings.to_json()))


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
    written = write_report(plan, plan.seeds, findings.command)
    text = (plan.folder / "report.json").read_text()
    assert json.loads(text) == json.loads(json.dumps(written.to_json()))
    kept = json.loads(_Page((plan.folder / "report.html").read_text()).data)
    assert kept == json.loads(text)
    summary = summarize(written)
    assert "grw_intermediate+rms" in summary and written.verdict.headline in summary


def test_measures_of_directions_are_told_and_undefined_ones_are_not(findings, page):
    told, summary = " ".join(_Page(page).texts), summarize(findings)
    rows = dict(re.split(r"  +", line, maxsplit=1) for line in summary.splitlines()[2:])
    for metric in METRICS:
        assert metric.title in told and metric.title_with_unit in rows
    undefined = rows["Displacement explained"].split()
    assert undefined == [*("\N{MINUS SIGN}0.100", "±", "0.000") * 2, "-"]


def test_accuracy_is_compared_by_seeds_and_by_clips(findings):
    metric = findings.metrics["accuracy"]
    assert metric["baseline"].values == pytest.approx(
        [(10 + seed) / CLIPS for seed in range(SEEDS)]
    )
    difference = metric["grw_intermediate+rms"].difference
    assert difference.interval.mean == pytest.approx(10 / CLIPS)
    # All seeds differ by the same: 2 of 8 ways to sign them are as far from 0.
    assert difference.p_value == 0.25 and not difference.shown
    assert difference.interval.low is None
    clips = findings.clips["grw_intermediate+rms"]
    assert (clips.mended, clips.broken) == (30, 0)
    assert clips.interval.low > 0


def test_changes_of_classes_add_up_to_the_change_of_accuracy(findings):
    name = "grw_intermediate+rms"
    assert [each.clips for each in findings.classes] == [4] * 6
    changes = [each.variants[name] for each in findings.classes]
    assert sum(change.change for change in changes) == pytest.approx(10)
    assert sum(change.mended for change in changes) == 30
    largest = [
        max(abs(v.change) for v in each.variants.values()) for each in findings.classes
    ]
    assert largest == sorted(largest, reverse=True)


def test_curves_are_means_over_seeds(plan, findings):
    outcomes = read_outcomes(plan.runs())
    curves = [outcomes["baseline", seed].curve for seed in plan.seeds]
    found = findings.streaming.curves["baseline"]
    np.testing.assert_allclose(found.mean, np.mean(curves, axis=0))
    np.testing.assert_allclose(found.high, np.max(curves, axis=0))
    loss = findings.training["loss"]["train"]["baseline"]
    assert loss.steps == (10, 20, 30) and loss.runs == SEEDS
    # Without the first loop of each.
    assert findings.costs.by_variant["baseline"].clips_per_second == 45


def test_accuracy_after_shares_of_the_clip_is_the_curves(plan, findings):
    outcomes = read_outcomes(plan.runs())
    curve = outcomes["baseline", 0].curve
    assert len(curve) == 8
    for name, frames in (("a_quarter", 2), ("half", 4), ("three_quarters", 6)):
        found = findings.metrics[f"accuracy_after_{name}"]["baseline"]
        assert found.values[0] == curve[frames - 1]
    of_three = dataclasses.replace(
        outcomes["baseline", 0],
        results={"streaming": {"accuracy_after_each_frame": [0.1, 0.2, 0.3]}},
    )
    shares = "a_quarter", "half", "three_quarters"
    after = [of_three.value(f"accuracy_after_{name}") for name in shares]
    assert after == [0.1, 0.2, 0.3]
    whole = dataclasses.replace(of_three, results={"top_1": 0.5})
    assert whole.value("accuracy_after_half") is None


def test_accuracy_on_perturbed_clips_is_a_metric(plan, findings):
    for perturbation in PERTURBATIONS:
        expected = [
            json.loads((run.folder / "robustness.json").read_text())[perturbation.key]
            for run in plan.runs()
            if run.variant == "grw"
        ]
        assert findings.metrics[perturbation.key]["grw"].values == tuple(expected)


def test_log_loss_and_calibration_are_the_results_own(plan, findings):
    for key in ("negative_log_likelihood", "calibration_error"):
        results = [run.results()[key] for run in plan.runs() if run.variant == "grw"]
        assert findings.metrics[key]["grw"].values == tuple(results)


@pytest.mark.parametrize(
    ("key", "limit", "warning", "check"),
    [
        (
            "is_validation",
            "all accuracies are flattered",
            "<b>The test clips are the validation\N{RIGHT SINGLE QUOTATION MARK}s.</b>",
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
    assert findings.test.is_training and findings.test.is_validation
    apart = dataclasses.replace(findings.test, is_training=False, is_validation=False)
    for found in (False, True):
        test = dataclasses.replace(apart, **{key: found})
        changed = dataclasses.replace(findings, test=test)
        limits = judge(changed).limits
        assert any(limit in sentence for sentence in limits) == found
        assert (warning in render(changed)) == found
        assert ((False, check) in fairness(changed)) == found


def test_other_starts_are_told(findings):
    assert all(held for held, told in fairness(findings)[:3])
    first, second, third, *others = findings.runs
    start = second.start | {"weights": "another"}
    runs = (
        first,
        dataclasses.replace(second, start=start),
        dataclasses.replace(third, steps=29),
        *others,
    )
    checks = fairness(dataclasses.replace(findings, runs=runs))
    assert [held for held, _ in checks[:3]] == [False, True, False]
    assert "Not all variants of the seeds [0] start from the same" in checks[0][1]
    assert checks[2][1] == "All runs took 29 or 30 steps."


def test_failed_runs_are_told_and_left_out_of_differences(finishing):
    plan = finishing(
        lambda variant, seed: (
            None if (variant, seed) == (1, 2) else first_right(9 + variant)
        )
    )
    findings = find(plan, plan.seeds, "")
    entry = findings.metrics["accuracy"]["grw"]
    assert entry.values[2] is None and entry.difference.seeds == 2
    assert any("1 run failed" in told for told in findings.verdict.limits)
    page = render(findings)
    assert "5 of 6 runs have finished" in page
    assert "The loss is nan &lt;at&gt; step 3" in page


def test_file_that_classifies_clips_is_described_as_such(finishing):
    plan = finishing(lambda variant, seed: first_right(12), seeds=1)
    parity = ClipParity(
        count=20,
        frames=8,
        clips="real",
        largest_logit=3.0,
        conversion_difference=2e-6,
        largest_difference=1e-3,
        regret=Regret(0.0, 0.0, 0.0, 1.0, 0.95, 1.0),
        preparation_difference=0,
        milliseconds=12.5,
        passed=True,
        failures=(),
    )
    exported = ClipReport(
        file="model.tflite",
        quantization={"mode": "dynamic"},
        megabytes=3.4,
        operations={"ADD": 2, "CONV_2D": 3},
        partitions=Partitions(5, 1, 0),
        parity=parity,
    )
    path = plan.run(plan.variants[1], 0).folder / "measures.json"
    measures = json.loads(path.read_text()) | {"export": exported.to_dict()}
    path.write_text(json.dumps(measures))
    page = render(find(plan, plan.seeds, ""))
    assert "the same class at 95.0 % of 20 real clips" in page
    assert "12.50 a clip" in page and "5 operations, dynamic" in page


def test_a_variant_that_always_fails_leaves_the_others_their_tables(finishing):
    plan = finishing(
        lambda variant, seed: None if variant == 2 else first_right(9 + variant),
        variants="grw,rms",
    )
    findings = find(plan, plan.seeds, "")
    assert findings.clips["rms"] is None and findings.clips["grw"]
    there = {"baseline", "grw"}
    assert all(set(each.variants) == there for each in findings.classes)
    assert set(findings.trajectories.panels) == there
    assert "6 of 9 runs have finished" in render(findings)


def test_one_frame_in_all_has_no_trajectories(finishing):
    plan = finishing(lambda variant, seed: first_right(9 + variant), seeds=1)
    for run in plan.runs():
        with np.load(run.folder / "embeddings.npz") as kept:
            one = {"z": kept["z"][:1, :1], "clips": kept["clips"][:1]}
        np.savez_compressed(run.folder / "embeddings.npz", **one)
    findings = find(plan, plan.seeds, "")
    assert findings.trajectories is None
    assert "How embeddings move" not in render(findings)


def test_a_comparison_that_is_done_says_so(records, tmp_path, capsys):
    plan = plan_of(records, tmp_path, "rms", seeds=1, timing_rounds=0)
    for run in plan.runs():
        finish(run, first_right(9))
    assert not compare(plan, "").failures()
    told = capsys.readouterr().out
    assert told.startswith("All runs have finished before: the report is written anew.")
    assert (tmp_path / "report.html").exists() and "Run 1" not in told


def test_nothing_finished_is_a_report_too(finishing):
    plan = finishing(lambda variant, seed: None)
    findings = find(plan, plan.seeds, "")
    assert findings.verdict.headline == "Nothing to compare yet"
    assert "0 of 6 runs have finished" in render(findings)


def test_many_classes_are_folded(findings):
    entry = findings.classes[0]
    many = [dataclasses.replace(entry, name=f"class {k}") for k in range(600)]
    page = render(dataclasses.replace(findings, classes=many))
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
            charts.trajectory_chart(findings, findings.trajectories, variant.name)
            for variant in findings.variants
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
    order = next(metric for metric in METRICS if metric.key == "order_accuracy")
    perfect = {
        name: dataclasses.replace(entry, values=(1.0,) * SEEDS, mean=1.0)
        for name, entry in findings.metrics[order.key].items()
    }
    metrics = findings.metrics | {order.key: perfect}
    chart = row_charts.value_chart(
        dataclasses.replace(findings, metrics=metrics), order
    )
    ticks = re.findall(r'class="tick">(.*?)<', chart)
    assert ticks[-1] == "100" and all(float(tick) <= 100 for tick in ticks)
    band = Band(mean=(1, 1), low=(1, 1), high=(1, 1), runs=1)
    curves = [charts.Curve("baseline", band)]
    chart = charts.line_chart(findings, curves, "step", "accuracy", True, "accuracy")
    assert "102" not in re.findall(r'class="tick">(.*?)<', chart)


def test_models_that_are_no_streams_have_no_curve(findings):
    metrics = {
        key: value
        for key, value in findings.metrics.items()
        if key in ("accuracy", "macro_f1", "order_accuracy")
    }
    streaming = dataclasses.replace(findings.streaming, curves={})
    page = render(dataclasses.replace(findings, metrics=metrics, streaming=streaming))
    assert "there is no stream to measure" in page


def test_runs_on_other_clips_are_refused(finishing):
    plan = finishing(lambda variant, seed: first_right(9), seeds=1)
    run = plan.runs()[1]
    text = run.predictions.read_text().replace("&lt;", "").replace("3</i>", "x</i>")
    run.predictions.write_text(text)
    with pytest.raises(ValueError, match="were measured on other clips: remove one"):
        read_outcomes(plan.runs())


def test_examples_are_of_as_many_classes_as_may_be():
    assert choose_examples(["a"] * 5 + ["b", "c"]) == [0, 1, 5, 6]
    assert choose_examples(["a"] * 9) == [0, 1, 2, 3]
    assert choose_examples(["a", "b"]) == [0, 1]
