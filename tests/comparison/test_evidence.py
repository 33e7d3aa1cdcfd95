"""Tests of kept evidence: reports made slim, joined over seeds, shown in pages."""

import json

import cv2
import numpy as np
import pytest
from finished_runs import CLIPS, finish, plan_of, write_odd_records

from grw_tf.comparison.evidence import keep, read_evidence
from grw_tf.comparison.evidence_tables import EvidenceConfig, filled, write_evidence
from grw_tf.comparison.gather import find
from grw_tf.comparison.report import write_report
from grw_tf.comparison.right_clips import pack, unpack

PAGE = """Before.

    <!-- table: of an example -->
    <!-- end -->

<!-- table: odd accuracy order_accuracy -->
<!-- end -->

Between.

<!-- table: odd -->
| old |

<!-- end -->
"""


def _finish_all(plan):
    names = [variant.name for variant in plan.variants]
    for run in plan.runs():
        index = names.index(run.variant)
        rng = np.random.default_rng([run.seed, index])
        finish(run, rng.random(CLIPS) < 0.4 + 0.2 * index, seed=10 * run.seed + index)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write_odd_records(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def reported(records, tmp_path_factory):
    """A function that makes a comparison of some seeds, and returns its report."""

    def make(first, count, override=None, **fields):
        folder = tmp_path_factory.mktemp("comparison")
        override = {"task": {"seed": first}} | (override or {})
        plan = plan_of(records, folder, override=override, seeds=count, **fields)
        _finish_all(plan)
        return write_report(plan, plan.seeds, ""), folder / "report.json"

    return make


@pytest.fixture(scope="module")
def parts(reported):
    """The reports of seeds 0 and 1, and of seed 2."""
    return reported(0, 2)[1], reported(2, 1)[1]


@pytest.fixture
def docs(tmp_path, parts):
    """A folder of pages with the evidence of both parts."""
    docs = tmp_path / "docs"
    for part in parts:
        keep(part, docs, "odd")
    (docs / "evidence.md").write_text(PAGE)
    return docs


def test_parts_joined_are_the_comparison_made_at_once(docs, reported):
    whole, _ = reported(0, 3)
    found = read_evidence(docs)["odd"]
    assert found.seeds == (0, 1, 2) and found.test_clips == CLIPS
    assert found.variants == ("baseline", "grw", "grw_intermediate+rms")
    assert found.metrics == whole.metrics
    assert found.clips == whole.clips
    assert [path.name for path in found.files] == ["seeds_0_1.json", "seeds_2.json"]


def test_kept_report_is_small_and_tells_nothing_of_the_machine(docs, records):
    path = docs / "evidence" / "odd" / "seeds_0_1.json"
    text = path.read_text()
    assert len(text) < 30_000
    folder = records.rsplit("/", 2)[0]
    assert folder not in text and "trajectories" not in text
    test = json.loads(text)["test"]
    assert test["records"] == "/".join(records.rsplit("/", 2)[1:])


def test_runs_that_did_not_finish_are_no_evidence(records, tmp_path):
    plan = plan_of(records, tmp_path / "compared", seeds=2)
    plan.folder.mkdir()
    write_report(plan, plan.seeds, "")
    report = tmp_path / "compared" / "report.json"
    with pytest.raises(ValueError, match="has no finished run: there is nothing to"):
        keep(report, tmp_path / "docs", "odd")
    for run in plan.runs()[:2]:
        finish(run, np.arange(CLIPS) < 9)
    expected = write_report(plan, plan.seeds, "")
    assert keep(report, tmp_path / "docs", "odd").name == "seeds_0.json"
    found = read_evidence(tmp_path / "docs")["odd"]
    assert found.clips == expected.clips
    assert found.metrics["accuracy"]["grw_intermediate+rms"].mean is None


def test_a_report_kept_again_replaces_the_first(docs, parts):
    before = (docs / "evidence" / "odd" / "seeds_2.json").read_text()
    path = keep(parts[1], docs, "odd")
    assert path.read_text() == before
    assert len(read_evidence(docs)["odd"].files) == 2


@pytest.mark.slow
def test_other_comparisons_and_seeds_twice_are_refused(docs, reported):
    _, other = reported(3, 1, variants="grw,rms")
    with pytest.raises(ValueError, match="seeds_3.json is of another comparison than"):
        keep(other, docs, "odd")
    assert keep(other, docs, "other").exists()
    _, longer = reported(5, 1, override={"trainer": {"max_to_keep": 2}})
    with pytest.raises(ValueError, match="trainer.max_to_keep is 2, not .*; keep it"):
        keep(longer, docs, "odd")
    _, again = reported(1, 3)
    with pytest.raises(ValueError, match="both have seed 1 of baseline: remove one"):
        keep(again, docs, "odd")
    assert sorted(read_evidence(docs)) == ["odd", "other"]


def test_other_test_clips_are_refused(docs, parts, tmp_path):
    changed = json.loads(parts[1].read_text())
    for run in changed["runs"]:
        run["seed"] += 10
    changed["test"]["fingerprint"] = "0" * 16
    (tmp_path / "report.json").write_text(json.dumps(changed))
    with pytest.raises(ValueError, match="test.fingerprint is '0000000000000000', not"):
        keep(tmp_path / "report.json", docs, "odd")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a/b", "", "name is 'a/b': give a word, as utd"),
        ("odd", "{", "is broken: keep the report again"),
        ("odd", '{"runs": []}', "is no report of grw-compare, as it lacks config,"),
        ("odd", "[]", "is no report of grw-compare"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path, name, text, message):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        keep(tmp_path / "report.json", tmp_path / "docs", name)
    assert not (tmp_path / "docs").exists()


def test_tables_are_the_numbers_of_the_report(docs, reported):
    whole, _ = reported(0, 3)
    write_evidence(EvidenceConfig(docs=str(docs)))
    text = (docs / "evidence.md").read_text()
    assert text.startswith(PAGE[: PAGE.index("-->\n<!-- end")])
    assert text.endswith("<!-- end -->\n") and "Between." in text and "old" not in text
    lines = text.splitlines()
    header, _, baseline, grw, both = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines[7:12]
    )
    assert header == [
        *("", "Accuracy, %", "difference, over seeds", "over clips"),
        *("Order accuracy, %", "difference, over seeds"),
    ]
    found = whole.metrics["accuracy"]["baseline"]
    assert baseline == [
        "baseline",
        f"{100 * found.mean:.1f} ± {100 * found.deviation:.1f}",
        *("", ""),
        *(baseline[4], ""),
    ]
    difference = whole.metrics["accuracy"]["grw"].difference.interval
    expected = [100 * v for v in (difference.mean, difference.low, difference.high)]
    shown = grw[2].replace("\N{MINUS SIGN}", "-").replace("*", "")
    assert shown == "{:+.1f} ({:+.1f} to {:+.1f})".format(*expected)
    clips = whole.clips["grw_intermediate+rms"].interval
    shown = both[3].replace("\N{MINUS SIGN}", "-")
    assert shown == f"({100 * clips.low:+.1f} to {100 * clips.high:+.1f})"
    assert (
        f"{CLIPS} test clips, seeds 0, 1, 2; from"
        " [seeds_0_1.json](evidence/odd/seeds_0_1.json),"
        " [seeds_2.json](evidence/odd/seeds_2.json)."
    ) in text
    # Without names of metrics the table has all, a row each.
    table = lines[lines.index("<!-- table: odd -->") + 2 :]
    rows = table[2 : table.index("")]
    assert len(rows) == len(whole.metrics)
    assert rows[0].startswith("| Accuracy, % ")


def test_tables_written_again_are_the_same(docs):
    write_evidence(EvidenceConfig(docs=str(docs)))
    page = docs / "evidence.md"
    assert filled(page, read_evidence(docs)) == page.read_text()
    # Other numbers make another page.
    file = docs / "evidence" / "odd" / "seeds_2.json"
    changed = json.loads(file.read_text())
    changed["runs"][1]["accuracy"] += 0.2
    file.write_text(json.dumps(changed))
    assert filled(page, read_evidence(docs)) != page.read_text()


def test_figure_shows_the_differences(docs, capfd):
    written = write_evidence(EvidenceConfig(docs=str(docs)))
    assert written == [docs / "evidence.md", docs / "evidence_accuracy.png"]
    picture = cv2.imread(str(written[1]))
    assert picture.min() < 100 and picture.max() == 255
    assert "warn" not in capfd.readouterr().err.lower()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("ood accuracy", "asks for a table of 'ood': did you mean 'odd'"),
        ("odd accurcy", "of the metric 'accurcy': did you mean 'accuracy'"),
        ("", "asks for a table of ''"),
    ],
)
def test_pages_that_ask_for_what_is_not_there_stay(docs, asked, message):
    page = docs / "evidence.md"
    page.write_text(PAGE + f"\n<!-- table: {asked} -->\n<!-- end -->\n")
    before = page.read_text()
    with pytest.raises(ValueError, match=message):
        write_evidence(EvidenceConfig(docs=str(docs)))
    assert page.read_text() == before


@pytest.mark.slow
def test_program_keeps_and_writes(tmp_path, parts, run_program):
    docs = tmp_path / "docs"
    docs.mkdir()
    (tmp_path / "README.md").write_text("<!-- table: odd macro_f1 -->\n<!-- end -->\n")
    flags = [f"--docs={docs}", f"--add={parts[0]}", "--name=odd"]
    done = run_program("scripts.evidence_tables", *flags)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"Written: {docs}/evidence/odd/seeds_0_1.json.",
        f"Written: {tmp_path}/README.md.",
        f"Written: {docs}/evidence_accuracy.png.",
    ]
    text = (tmp_path / "README.md").read_text()
    assert "| Macro-F1, %" in text and "(docs/evidence/odd/seeds_0_1.json)" in text


def test_a_report_without_a_name_is_refused():
    for fields in ({"add": "report.json"}, {"name": "odd"}):
        with pytest.raises(ValueError, match="name is '.*': give both, or neither"):
            EvidenceConfig(**fields)


def test_no_evidence_writes_nothing(tmp_path):
    (tmp_path / "page.md").write_text("None.")
    assert write_evidence(EvidenceConfig(docs=str(tmp_path))) == []


@pytest.mark.parametrize("clips", [1, 7, 8, 9, 322])
def test_right_clips_survive_being_packed(clips):
    right = np.random.default_rng(clips).random(clips) < 0.5
    text = pack(right)
    assert len(text) == 2 * -(-clips // 8)
    np.testing.assert_array_equal(unpack(text, clips), right)
    with pytest.raises(ValueError, match=f"holds not {clips + 8} clips: make the"):
        unpack(text, clips + 8)


def test_report_tells_which_clips_are_right(records, tmp_path):
    plan = plan_of(records, tmp_path, seeds=1)
    right = np.arange(CLIPS) % 3 == 0
    for run in plan.runs():
        finish(run, right)
    for run in find(plan, plan.seeds, "").to_json()["runs"]:
        np.testing.assert_array_equal(unpack(run["right"], CLIPS), right)
