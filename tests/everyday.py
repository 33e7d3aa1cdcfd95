"""Chooses the variants of a test that are run every day; the rest are slow tests."""

import pytest


def slow_but(everyday, variants):
    """Returns the variants as parameters, those not among `everyday` marked slow."""
    everyday, variants = list(everyday), list(variants)
    unknown = [variant for variant in everyday if variant not in variants]
    assert not unknown, f"no variants: {unknown}"
    return [
        pytest.param(
            *(variant if isinstance(variant, tuple) else (variant,)),
            marks=[] if variant in everyday else pytest.mark.slow,
        )
        for variant in variants
    ]
