"""Tests of the built pages and of the API reference, and of the docstrings in it."""

import html.parser
import importlib
import inspect
import re
import warnings

import pytest

from scripts import build_docs

# What Keras calls itself.
PROTOCOL = {"build", "call", "compute_output_shape", "from_config", "get_config"}
SECTIONS = ("Args", "Call arguments", "Attributes")


class _Links(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        wanted = {"a": "href", "img": "src"}.get(tag)
        self.found += [value for name, value in attributes if name == wanted]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs") / "built"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        build_docs.build(folder)
    # It warns of what it cannot import, find or render.
    assert [str(w.message) for w in told if "pdoc" in w.filename] == []
    return folder


def _public_objects():
    for name in build_docs.MODULES:
        module = importlib.import_module(name)
        own = [n for n, x in vars(module).items() if _is_of(x, name) and n[0] != "_"]
        for member in getattr(module, "__all__", own):
            yield f"{name}.{member}", getattr(module, member)


def _is_of(x, module):
    return getattr(x, "__module__", None) == module


def _with_methods():
    for name, x in _public_objects():
        yield name, x
        fields = getattr(x, "__dataclass_fields__", ())
        for method in vars(x) if inspect.isclass(x) else ():
            if method[0] != "_" and method not in (*PROTOCOL, *fields):
                found = inspect.getattr_static(x, method)
                found = getattr(found, "fget", getattr(found, "__func__", found))
                if inspect.isfunction(found):
                    yield f"{name}.{method}", found


def _parameters(x):
    """Returns the parameters that a caller gives, and what **kwargs hand to bases."""
    functions = [x]
    if inspect.isclass(x):
        own = [c for c in x.__mro__ if c.__module__.startswith("grw_tf.")]
        functions = [vars(c)["__init__"] for c in own if "__init__" in vars(c)]
    hidden = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = {}
    for function in functions:
        parameters = inspect.signature(function).parameters
        found |= parameters
        if not any(parameter.kind in hidden for parameter in parameters.values()):
            break
    return [
        name
        for name, parameter in found.items()
        if name not in ("self", "cls") and parameter.kind not in hidden
    ]


def _described(docstring):
    """Returns the parameters that the sections of a docstring describe."""
    found = set()
    for section in SECTIONS:
        for body in re.findall(rf"^ *{section}:\n((?: +.*\n?|\n)*)", docstring, re.M):
            for names in re.findall(r"^ +((?:\w+, )*\w+):", body, re.M):
                found |= set(names.split(", "))
    return found


OBJECTS = dict(_with_methods())


def test_reference_has_the_public_objects():
    assert len(OBJECTS) > 45
    assert "grw_tf.layers.GRWSmoothing" in OBJECTS
    assert "grw_tf.streaming.StreamSession.push" in OBJECTS


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring_describes_each_argument(name):
    x = OBJECTS[name]
    # A class inherits its base's.
    docstring = vars(x)["__doc__"] if inspect.isclass(x) else x.__doc__
    assert docstring, "no docstring"
    if re.search(r"^ *Args\b.*: as `", docstring, re.M):
        return
    lacking = set(_parameters(x)) - _described(docstring)
    if re.search(r"window: As every further argument not named here", docstring):
        lacking -= set(_parameters(OBJECTS["grw_tf.layers.GRWSmoothing"]))
    if re.search(r"\*\*kwargs: Arguments of `GRWSmoothing`", docstring):
        lacking -= set(_parameters(OBJECTS["grw_tf.keras3.GRWSmoothing"]))
    assert not lacking


def test_reference_shows_arguments_as_lists_and_hides_what_keras_calls(site):
    text = (site / "api/grw_tf/layers.html").read_text()
    assert re.search(r"<h6[^>]*>Call arguments:</h6>\s*<ul>\s*<li>", text)
    assert '<div id="RandomMeanScaling.acts"' in text
    for name in PROTOCOL:
        assert f'<div id="MeanHead.{name}"' not in text
    for module in build_docs.MODULES:
        assert (site / "api" / f"{module.replace('.', '/')}.html").is_file()


def test_links_of_the_built_pages_lead_somewhere(site):
    pages = sorted(site.glob("*.html"))
    assert len(pages) >= 10
    for page in pages:
        for link in _Links(page.read_text()).found:
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            # Files of the repository, and pages that are not there, stay as they are.
            if "://" in link or target.parent != site or target.suffix == ".md":
                continue
            assert target.exists(), (page.name, link)
            if anchor:
                assert f'id="{anchor}"' in target.read_text(), (page.name, link)


def test_formulas_are_set_and_code_is_left_alone(site):
    source = (build_docs.DOCS / "grw_math.md").read_text()
    text = (site / "grw_math.html").read_text()
    assert text.count('MathML" display="block"') == source.count("```math") > 10
    assert "<mi>Z</mi><mi>&#x003C0;</mi>" in text  # Z_\pi
    shown = re.sub(r"<pre>.*?</pre>|<style>.*?</style>", "", text, flags=re.DOTALL)
    # Neither a command of TeX, nor a mark of a formula, nor Markdown is left.
    assert not re.search(r"\\[a-zA-Z]|FORMULA|```|\$", re.sub("<[^>]*>", "", shown))


def test_notebook_is_a_page_with_what_it_printed_and_drew(site):
    text = (site / "clips_to_tflite.html").read_text()
    assert text.count('<img src="data:image/png;base64,') == 3
    assert "TensorFlow was imported: False" in text
    assert 'href="clips_to_tflite.html"' in (site / "index.html").read_text()


def test_pages_load_nothing_from_a_network(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(r"<(?:script|img|link)\b[^>]*", page.read_text())
        assert not [tag for tag in loaded if re.search('(src|href)="http', tag)], page


def test_reference_begins_with_its_modules(site):
    text = (site / "api/index.html").read_text()
    assert all(f">{module}</a></dt>" in text for module in build_docs.MODULES)
    assert "<code>tf_keras</code>" in text and "&lt;" not in text


def test_reference_leads_back_to_the_pages(site):
    for module in build_docs.MODULES:
        page = site / "api" / f"{module.replace('.', '/')}.html"
        links = [page.parent / link for link in _Links(page.read_text()).found if link]
        assert site / "index.html" in {link.resolve() for link in links}, module


@pytest.mark.parametrize("taken", ["built", "built.unfinished"])
def test_folder_of_other_files_is_left_alone(tmp_path, taken):
    # However much it looks like one that was built.
    (tmp_path / taken / "api").mkdir(parents=True)
    (tmp_path / taken / "index.html").write_text("mine")
    with pytest.raises(ValueError, match="was not built by this program"):
        build_docs.build(tmp_path / "built")
    assert (tmp_path / taken / "index.html").read_text() == "mine"


def test_built_folder_is_replaced_whole(site):
    (site / "old.html").touch()
    build_docs.build(site)
    assert not (site / "old.html").exists() and (site / "index.html").exists()
