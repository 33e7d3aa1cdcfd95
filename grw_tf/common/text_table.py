"""Tables as text, with columns that line up."""

from collections.abc import Iterable, Sequence


def text_table(rows: Iterable[Sequence[object]], align: str = "<>") -> str:
    """Returns rows as lines, with two spaces between columns.

    Args:
        rows: Rows of equally many cells; a header is simply the first one.
        align: "<" (left) or ">" (right) for each column. The last sign holds for the
            columns after it too.
    """
    return "\n".join("  ".join(row).rstrip() for row in _padded(rows, align))


def markdown_table(
    header: Sequence[object], rows: Iterable[Sequence[object]], align: str = "<>"
) -> str:
    """Returns a Markdown table, aligned as `text_table` does, readable as text too."""
    cells = [[str(cell).replace("|", r"\|") for cell in row] for row in [header, *rows]]
    titles, *lines = _padded(cells, align)
    signs = align.ljust(len(titles), align[-1])
    rule = [
        "-" * len(cell) if sign == "<" else "-" * (len(cell) - 1) + ":"
        for cell, sign in zip(titles, signs, strict=True)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in (titles, rule, *lines))


def _padded(rows, align):
    texts = [[str(cell) for cell in row] for row in rows]
    columns = list(zip(*texts, strict=True))
    signs = align.ljust(len(columns), align[-1])[: len(columns)]
    widths = [max(map(len, column)) for column in columns]
    forms = [f"{sign}{width}" for sign, width in zip(signs, widths, strict=True)]
    return [list(map(format, row, forms)) for row in texts]
