"""Tests of tables as text."""

from grw_tf.common.text_table import markdown_table, text_table


def test_columns_line_up():
    rows = [("name", "n", "note"), ("a", 1, ""), ("longer", 234, "odd")]
    assert text_table(rows, "<><").splitlines() == [
        "name      n  note",
        "a         1",
        "longer  234  odd",
    ]
    assert text_table([("a", "b", "c"), ("dd", "ee", "ff")]).splitlines() == [
        "a    b   c",
        "dd  ee  ff",
    ]
    assert text_table([]) == ""


def test_markdown_columns_line_up():
    assert markdown_table(("name", "n"), [("a", "1"), ("longer", "234")]) == (
        "| name   |   n |\n| ------ | --: |\n| a      |   1 |\n| longer | 234 |"
    )


def test_bars_in_cells_of_markdown_are_escaped():
    assert r"| \|v\| | 1 |" in markdown_table(("", "n"), [("|v|", 1)])
