"""Builds the pages of docs/, its notebook and the API reference as HTML.

    python -m scripts.build_docs --output_dir=build/docs

What is built needs no network: formulas are MathML, which browsers set by themselves.
"""

import dataclasses
import importlib
import json
import os
import pathlib
import re
import shutil

from grw_tf.common import flags, programs

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
MODULES = (
    "grw_tf.layers",
    "grw_tf.losses",
    "grw_tf.models",
    "grw_tf.models.families",
    "grw_tf.models.residual_block",
    "grw_tf.weights.restore",
    "grw_tf.data.records.evaluation_records",
    "grw_tf.evaluation.smoothness",
    "grw_tf.streaming",
    "grw_tf.keras3",
)

_MARK = ".built_by_build_docs"
_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s#]*)(#[^)\s]*)?(\))")
# In code a dollar is a dollar.
_FORMULA_OR_CODE = re.compile(
    r"```math\n(.*?)```|```.*?```|`[^`\n]+`|\$([^$\n]+)\$", re.DOTALL
)


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to."""

    output_dir: str = flags.option("build/docs", "Folder to write or replace.")


def build(folder):
    """Writes pages and reference into a folder, whole.

    Args:
      folder: to write or replace.

    Returns:
      The path of the first page.

    Raises:
      ValueError: if the folder is there and this program did not build it.
    """
    folder = pathlib.Path(folder)
    for path in (folder, folder.with_name(f"{folder.name}.unfinished")):
        if path.exists() and not (path / _MARK).exists() and any(path.iterdir()):
            raise ValueError(
                f"{path} was not built by this program, and would be replaced: choose"
                " another --output_dir."
            )
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    (unfinished / _MARK).touch()
    _write_reference(unfinished / "api")
    _write_pages(unfinished, folder)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return folder / "index.html"


def _write_reference(folder):
    # Imported here, so that pdoc needs to run nothing to find their members.
    for module in MODULES:
        importlib.import_module(module)
    import pdoc
    from pdoc import docstrings, render

    # As Keras' own docstrings have it.
    docstrings.GOOGLE_LIST_SECTIONS.append("Call arguments")
    render.configure(
        docformat="google",
        footer_text="grw_tf",
        template_directory=DOCS / "templates",
    )
    pdoc.pdoc(*MODULES, output_directory=folder)


def _write_pages(folder, final):
    from pdoc import render, render_helpers

    pages = {path: _title(path) for path in page_order()}
    template = render.env.get_template("page.html.jinja2")
    listed = [(title, _html_name(path)) for path, title in pages.items()]
    for path, title in pages.items():
        text = _with_links(_text(path), path, pages, final)
        text, formulas = _without_formulas(text)
        body = render_helpers.to_html(text)
        for mark, formula in formulas.items():
            body = body.replace(mark, formula)
        page = template.render(title=title, pages=listed, body=body)
        (folder / _html_name(path)).write_text(page)
    for file in DOCS.iterdir():
        if file.suffix in (".png", ".ipynb"):
            shutil.copy(file, folder)


def page_order():
    """Lists the pages there are: the index, and what it links to, in its order."""
    named = [(INDEX.parent / link).resolve() for _, link, *_ in _links(INDEX)]
    pages = [INDEX, *(path for path in named if path.suffix in (".md", ".ipynb"))]
    return [path for path in dict.fromkeys(pages) if path.exists()]


def _links(path):
    return _LINK.findall(path.read_text())


def _text(path):
    return _of_notebook(path) if path.suffix == ".ipynb" else path.read_text()


def _of_notebook(path):
    """Returns a notebook's cells and what they gave as Markdown."""
    parts = []
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        code = cell["cell_type"] == "code"
        parts.append(f"```python\n{source}\n```" if code else source)
        for output in cell.get("outputs", ()):
            picture = output.get("data", {}).get("image/png")
            if picture:
                parts.append(f"![](data:image/png;base64,{''.join(picture).strip()})")
            elif "text" in output:
                parts.append(f"```text\n{''.join(output['text']).rstrip()}\n```")
    return "\n\n".join(parts)


def _title(path):
    return _text(path).partition("\n")[0].removeprefix("# ").replace("`", "")


def _html_name(path):
    if path == INDEX:
        return "index.html"
    return "project.html" if path == ROOT / "README.md" else f"{path.stem}.html"


def _with_links(text, page, pages, final):
    """Returns a page's text with links as the built folder has them."""

    def moved(match):
        opening, link, anchor, closing = match.groups()
        if not link or ":" in link:
            return match[0]
        target = (page.parent / link).resolve()
        if not target.exists():
            return match[0]
        if target in pages:
            link = _html_name(target)
        elif target.parent == DOCS and target.is_file():
            link = target.name
        else:
            # A file or folder of the repository.
            link = os.path.relpath(target, final.resolve())
        return f"{opening}{link}{anchor or ''}{closing}"

    return _LINK.sub(moved, text)


def _without_formulas(text):
    """Takes formulas out of Markdown's way; returns the text, and MathML by marks."""
    from latex2mathml import converter

    formulas = {}

    def take(match):
        display, inline = match.groups()
        if not (display or inline):
            return match[0]
        mark = f"FORMULA{len(formulas)}FORMULA"
        kind = "block" if display else "inline"
        formulas[mark] = converter.convert(display or inline, display=kind)
        return mark

    return _FORMULA_OR_CODE.sub(take, text), formulas


def main(_):
    print(f"Written to {build(flags.config_from_flags(Options).output_dir)}.")


if __name__ == "__main__":
    flags.define_flags(Options)
    programs.run(main)
