"""Tests of the table's rows, its footnotes and the models in it."""

import dataclasses

import pytest

from grw_tf.cost_table.footnotes import footnotes, notes_of
from grw_tf.cost_table.measure import ModelCost
from grw_tf.cost_table.model_choice import choose_models
from grw_tf.cost_table.published import BY_FLOPS, BY_MEMORY, STREAMS, find
from grw_tf.cost_table.rows import HEADER, Row, memory_table
from grw_tf.models import preset

_COST = ModelCost(
    backbone_parameters=900_000,
    head_parameters=2_210_000,
    weight_bytes=12_500_000,
    backbone_multiply_adds=2_600_000_000,
    head_multiply_adds=19_000_000,
    convolution_outputs=65_000_000,
    frame_multiply_adds=52_400_000.0,
    peak_bytes=82_800_000,
    peak_operation="add",
    state_bytes=0,
    unshared_bytes=90_000_000,
    clip_peak_bytes=82_800_000,
)


def _row(name, **changes):
    (config,) = choose_models(name).values()
    return Row(name, config, dataclasses.replace(_COST, **changes))


def test_row_says_what_was_counted_and_what_is_published():
    row = _row("a0_base")
    cells = dict(zip(HEADER[:11], row.cells(["a"]), strict=False))
    assert cells == {
        "model": "a0_base",
        "clip": "50 x 172²",
        "M parameters: backbone": "0.90",
        "head": "2.21",
        "GFLOPs a video": "2.62",
        "in the head": "0.019",
        "with norm.": "2.68",
        "published": "2.7",
        "deviation": "-3.0%",
        "MFLOPs a frame": "52.4",
        "MB at peak": "82.8",
    }
    assert row.cells(["a", "b"])[-1] == "a b"
    assert row.deviation == pytest.approx(2.619 / 2.7 - 1)
    assert row.to_dict()["multiply_adds"] == 2_619_000_000
    assert row.to_dict()["published"]["top_1"] == 72.3


def test_row_without_published_figures_is_empty_there():
    row = _row("t0_base")
    assert row.deviation is None
    assert row.cells([])[7:9] == ["", ""]
    assert row.to_dict()["published"] is None


def test_published_figures_of_a_model_are_found_over_all_tables():
    assert find("a2_stream_grw").gflops == 11.3
    assert find("a2_stream_grw").memory_mb == 78
    assert find("a3_stream").gflops == find("a3_base").gflops == 56.9
    assert find("a4_stream_grw") is None


def test_published_rows_name_models_that_there_are():
    for row in (*BY_FLOPS, *BY_MEMORY, *STREAMS):
        if row.preset:
            assert row.smoothed == row.preset.endswith("_grw")
            assert (preset(row.preset).smoothing.layers == ("final",)) == row.smoothed


def test_table_is_of_all_models_that_are_published():
    names = set(choose_models(""))
    assert {row.preset for row in (*BY_FLOPS, *BY_MEMORY, *STREAMS)} - {""} <= names
    assert {"t0_base", "t0_stream", "slowonly_34", "slowonly_50"} < names
    assert {"slowfast_50_4x16", "slowfast_50_8x8", "csn_ip_50", "csn_ir_50"} < names


@pytest.mark.parametrize(
    "names, message",
    [
        ("a0_base,a1_steam", "'a1_steam'; did you mean 'a1_stream'"),
        ("A0_BASE", "'A0_BASE'; did you mean 'a0_base'"),
        ("zzzzz", "'zzzzz'; known: a0_base, "),
    ],
)
def test_unknown_model_is_refused(names, message):
    with pytest.raises(ValueError, match=message):
        choose_models(names)


def test_chosen_models_keep_their_order():
    assert list(choose_models("slowonly_50, a0_base,")) == ["slowonly_50", "a0_base"]


@pytest.mark.parametrize(
    "name, gflops, marks",
    [
        ("a0_base", 2.65, []),
        ("a0_stream", 2.65, ["e"]),
        ("a0_stream", 2.4, ["a", "e"]),
        ("a1_stream_grw", 5.6, ["c"]),
        ("a2_base", 11.6, ["b"]),
        ("a2_stream", 10.7, ["a", "b", "e"]),
        ("a3_base_grw", 50.0, ["c"]),
        ("slowonly_50", 41.7, ["d"]),
        ("slowfast_50_8x8", 50.3, ["d"]),
        ("csn_ip_50", 11.9, []),
        ("t0_stream", 1.0, []),
        ("mobilenet_v3_small_grw", 1.0, ["e"]),
    ],
)
def test_rows_that_deviate_say_why(name, gflops, marks):
    row = _row(name, backbone_multiply_adds=round(gflops * 1e9), head_multiply_adds=0)
    found = notes_of(row)
    assert found == marks
    assert [text[0] for text in footnotes([row])] == found


def test_footnotes_say_counted_figures():
    def row(name, gflops, head=0.0):
        return _row(
            name,
            backbone_multiply_adds=round((gflops - head) * 1e9),
            head_multiply_adds=round(head * 1e9),
        )

    rows = [
        row("a0_base", 2.63),
        row("a0_stream", 2.43),
        row("a2_base", 11.56),
        row("a1_stream_grw", 5.7, head=0.2),
        row("slowonly_50", 41.7),
        row("slowfast_50_8x8", 50.3),
    ]
    by_mark = {text[0]: text for text in footnotes(rows)}
    assert "a0_stream 2.43, in 3-D 2.63" in by_mark["a"]
    assert "In 3-D it deviates by +12.2%" in by_mark["b"]
    assert "the other base models deviate by -2.6% to -2.6%" in by_mark["b"]
    assert "a1_stream_grw 0.50 against 0.20" in by_mark["c"]
    assert "slowonly_50 54.5, the count here is 54.5" in by_mark["d"]
    assert "slowfast_50_8x8 65.7, the count here is 65.7" in by_mark["d"]


def test_memory_is_compared_by_each_definition():
    rows = [
        _row("a0_base"),
        _row(
            "a0_stream",
            peak_bytes=10_600_000,
            weight_bytes=21_200_000,
            unshared_bytes=53_000_000,
            clip_peak_bytes=106_000_000,
        ),
        _row(
            "a2_stream",
            peak_bytes=78_000_000,
            weight_bytes=0,
            unshared_bytes=156_000_000,
            clip_peak_bytes=78_000_000,
        ),
    ]
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in memory_table(rows).splitlines()
    ]
    assert lines[2:] == [
        ["a0_stream", "53", "10.6", "31.8", "53.0", "106.0"],
        ["a2_stream", "78", "78.0", "78.0", "156.0", "78.0"],
        [
            "from the published",
            "",
            "-80% to +0%",
            "-40% to +0%",
            "+0% to +100%",
            "+0% to +100%",
        ],
    ]
    assert memory_table(rows[:1]) == ""
    # One row has no range.
    assert " to " not in memory_table(rows[1:2])
