"""Tests that the tables in the pages are those that the kept reports give."""

import pathlib

import pytest

from grw_tf.comparison.evidence import FOLDER, read_evidence
from grw_tf.comparison.evidence_tables import filled, pages

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
_LARGEST = 300_000


@pytest.fixture(scope="module")
def evidence():
    return read_evidence(DOCS)


def test_tables_of_the_pages_are_those_of_the_reports(evidence):
    for page in pages(DOCS):
        assert filled(page, evidence) == page.read_text(encoding="utf-8"), (
            f"{page.name} is not what docs/{FOLDER} gives: run"
            " python -m scripts.evidence_tables."
        )


def test_kept_reports_are_small(evidence):
    for found in evidence.values():
        for path in found.files:
            assert path.stat().st_size < _LARGEST, path
