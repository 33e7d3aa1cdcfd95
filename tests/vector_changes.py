"""Changes of a case of `tests/vectors` that a check of a session must find."""

CHANGES = [
    ("clock", 0, lambda case: case["ticks"].append(case["ticks"].pop() + 1), "ticks"),
    ("time_unit", 0, lambda case: case["answers"].__setitem__(0, "days"), "A time's"),
    ("preparation", 0, lambda case: case["pixels"].append(0), "prepared frame's size"),
    ("events", 1, lambda case: case["events"][-1].append([0, 1, "a", 1]), "An event"),
    ("streams", 0, lambda case: case["logits"][-1].reverse(), "A logit"),
    ("streams", -1, lambda case: case["answers"][-1].__setitem__(0, None), "An answer"),
    ("streams", -1, lambda case: case["events"][-1].append([0, 1, "a", 1]), "An event"),
]
"""File, place of a case in it, change of the case, and words of what is told of it."""
