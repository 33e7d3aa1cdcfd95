"""Changes of a case of `tests/vectors` that a check of a session must find."""

CHANGES = [
    ("clock", lambda case: case["ticks"].append(case["ticks"].pop() + 1), "ticks"),
    ("time_unit", lambda case: case["answers"].__setitem__(0, "days"), "A time's unit"),
    ("preparation", lambda case: case["pixels"].append(0), "prepared frame's size"),
    ("streams", lambda case: case["logits"][-1].reverse(), "A logit"),
]
"""File, change of a case, and words of what is told of it."""
