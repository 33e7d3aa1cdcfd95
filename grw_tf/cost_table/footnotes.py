"""Footnotes that explain, with counts, why counts differ from published figures."""

from collections.abc import Sequence

from grw_tf.cost_table.published import VIEW_GFLOPS, VIEW_SIZE
from grw_tf.cost_table.rows import Row

TOLERANCE = 0.03
"""The relative deviation from a published figure above which a footnote explains it."""

COUNTED = (
    "Multiply-adds are counted from the graph: convolutions and matrix products,"
    " including squeeze excitation and the head, but not batch normalization, biases,"
    " activations or pooling. *With norm.* adds one for each value that a convolution"
    " outputs, for its bias or batch normalization. For streams, figures *a video* are"
    " for the clip processed at once, and *a frame* is one step; a GRW head classifies"
    " on demand, so its step includes only the affine map. Memory is in float32 for a"
    " batch of one: one frame for streams, the clip for others; 1 MB is 10^6 bytes."
)


def notes_of(row: Row) -> list[str]:
    """Returns the marks of the footnotes that a row of the table needs."""
    return [mark for mark, (applies, _) in _NOTES.items() if applies(row)]


def footnotes(rows: Sequence[Row]) -> list[str]:
    """Returns the text of each footnote that rows need, with its mark."""
    found = []
    for mark, (applies, explain) in _NOTES.items():
        marked = [row for row in rows if applies(row)]
        if marked:
            found.append(f"{mark}: {explain(marked, rows)}")
    return found


def _deviates(row):
    return row.deviation is not None and abs(row.deviation) > TOLERANCE


def _is_2plus1d(row):
    config = row.config
    official = config.head.type == "official"
    return official and config.backbone.conv_type == "2plus1d" and _deviates(row)


def _explain_2plus1d(marked, rows):
    bases = {row.config.backbone.model_id: row for row in rows if _is_base(row)}
    pairs = [
        f"{row.name} {row.gflops:.2f}, in 3-D"
        f" {bases[row.config.backbone.model_id].gflops:.2f}"
        for row in marked
        if row.config.backbone.model_id in bases
    ]
    counted = f" Counted: {'; '.join(pairs)}." if pairs else ""
    return (
        "The network convolves in (2+1)D; the published figure is for the 3-D network,"
        f" which costs more.{counted}"
    )


def _is_base(row):
    config = row.config
    return config.backbone.conv_type == "3d" and config.head.type == "official"


def _is_a2(row):
    return row.config.backbone.model_id == "a2"


def _explain_a2(marked, rows):
    others = [row for row in rows if _is_base(row) and not _is_a2(row)]
    known = [row.deviation for row in others if row.deviation is not None]
    beside = ""
    if known:
        beside = (
            f", while the other base models deviate by {min(known):+.1%} to"
            f" {max(known):+.1%}"
        )
    base = next((row for row in marked if _is_base(row)), None)
    counted = f" In 3-D it deviates by {base.deviation:+.1%}{beside}." if base else ""
    return (
        "The network whose weights the Model Garden publishes as A2 costs more than the"
        f" published A2.{counted} Counting anything else would add to that, so the"
        " published figure must be for a smaller network: other blocks, or smaller"
        " frames."
    )


def _has_unknown_head(row):
    return row.config.head.type == "transformer" and _deviates(row)


def _explain_unknown_head(marked, rows):
    del rows
    shares = "; ".join(
        f"{row.name} {row.published.gflops - row.cost.backbone_multiply_adds / 1e9:.2f}"
        f" against {row.cost.head_multiply_adds / 1e9:.2f}"
        for row in marked
    )
    with_norm = ", ".join(
        f"{row.name} {row.gflops_with_norm / row.published.gflops - 1:+.1%}"
        for row in marked
    )
    return (
        "Two things about the published figure are unknown: whether it is for the"
        " (2+1)D backbone or the 3-D one, and the sizes of the head (channels, blocks"
        " and hidden channels), which only the weight files hold; the preset's are one"
        " block of the backbone's width, and 1024. GFLOPs that it leaves for the head"
        f" above the counted backbone, against this head's: {shares}. With"
        f" normalization counted too: {with_norm}."
    )


def _has_view(row):
    return row.name in VIEW_GFLOPS


def _explain_view(marked, rows):
    del rows
    counted = "; ".join(
        f"{row.name} {VIEW_GFLOPS[row.name]}, the count here is"
        f" {row.gflops * (VIEW_SIZE / row.config.size) ** 2:.1f}"
        for row in marked
    )
    return (
        f"Published are GFLOPs for a view of {VIEW_SIZE} px. Scaled to that by area:"
        f" {counted}."
    )


def _has_memory(row):
    return bool(row.published and row.published.memory_mb)


def _explain_memory(marked, rows):
    del marked, rows
    return (
        "It is not known what the published memory figure counts; the table below"
        " compares candidates."
    )


_NOTES = {
    "a": (_is_2plus1d, _explain_2plus1d),
    "b": (_is_a2, _explain_a2),
    "c": (_has_unknown_head, _explain_unknown_head),
    "d": (_has_view, _explain_view),
    "e": (_has_memory, _explain_memory),
}
