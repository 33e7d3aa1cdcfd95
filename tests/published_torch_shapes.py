"""The shapes in the published models' state dicts."""

import ast

PRESETS = {
    "a0s": "a0_stream_grw",
    "a1s": "a1_stream_grw",
    "a2s": "a2_stream_grw",
    "a3b": "a3_base_grw",
}


def published_shapes(shared, name):
    """Reads the shapes by key of a published model's state dict."""
    text = (shared / "vectors" / "torch_keys" / f"{name}_keys.txt").read_text()
    lines = text.split("# ---- full list ----\n")[1].splitlines()
    rows = (line.split("\t") for line in lines if line)
    return {key: ast.literal_eval(shape) for key, shape, _ in rows}
