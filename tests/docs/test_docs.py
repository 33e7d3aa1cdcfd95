"""Tests of the pages in docs/: links, commands, YAML, and that all are in the index."""

import itertools
import json
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
import yaml
from official.core.exp_factory import get_exp_config
from official.core.train_utils import ParseConfigOptions

from grw_tf.training.experiments.parsing import parse_experiment

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), ROOT / "README.md"])
INDEX = (DOCS / "README.md").read_text()
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
GETTING_STARTED = (DOCS / "getting_started.md").read_text()


def _prose(page):
    """Returns a page's text without its blocks of code."""
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def _anchors(page):
    """Returns the anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.*)$", _prose(page), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in kept}


def _commands():
    """Yields (page, words) of each command of the project that pages show."""
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        for line in re.findall(r"^(?: {4}|\t).*?python -m (.*)$", text, re.MULTILINE):
            # What follows in a shell, a comment or another command, is cut off.
            yield page.name, shlex.split(re.split(r" && | # |\) ?$", line)[0])
        for line in re.findall(r"^ {4}grw-([\w-]+ .*)$", text, re.MULTILINE):
            name, *words = shlex.split(line)
            yield page.name, [f"grw_tf.programs.{name.replace('-', '_')}", *words]


COMMANDS = [
    (page, words)
    for page, words in _commands()
    if words[0].startswith(("scripts.", "export.", "grw_tf.programs."))
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings_that_are_there(page):
    for link in LINK.findall(_prose(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target), link


def test_index_has_each_page_once_in_a_line():
    linked = [link for link in LINK.findall(INDEX) if link != "../README.md"]
    there = {p.name for p in (*DOCS.glob("*.md"), *DOCS.glob("*.ipynb"))}
    assert there - {"README.md"} <= set(linked)
    assert len(linked) == len(set(linked))


def test_each_page_leads_to_the_next():
    items = re.findall(r"^\d+\. (.*)$", INDEX, re.MULTILINE)
    order = [LINK.search(item)[1] for item in items]
    for name, following in itertools.pairwise(order):
        page = (DOCS / name).read_text()
        if name.endswith(".ipynb"):
            page = "".join(json.loads(page)["cells"][-1]["source"])
        last = page.strip().splitlines()[-1]
        assert last.startswith(f"Next: [{following}]({following})"), name


def test_commands_are_written_alike():
    for page in PAGES:
        assert ".venv/bin/python" not in page.read_text(), page


def test_each_page_begins_with_its_title():
    for page in PAGES:
        assert re.match(r"# \S.*\n\n *\S", page.read_text()), page


def test_flags_that_pages_give_to_programs_are_theirs():
    assert len(COMMANDS) > 20
    modules = sorted({words[0] for _, words in COMMANDS})
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "documented_flags.py", *modules],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    known = json.loads(done.stdout.splitlines()[-1])
    for page, (module, *words) in COMMANDS:
        given = [re.match(r"--(?:no)?(\w+)", word) for word in words]
        names = {match[1] for match in given if match}
        assert names <= set(known[module]), (page, module)


def test_yaml_on_pages_is_yaml():
    for page in PAGES:
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL):
            assert isinstance(yaml.safe_load(block), dict), page


def _value(params, key):
    for name in key.split("."):
        params = getattr(params, name)
    return params


def test_settings_that_pages_name_are_an_experiments():
    params = get_exp_config("movinet_a0_stream")
    for page in PAGES:
        # But for the one that shows what a wrong key gets.
        keys = re.findall(
            r"(?<!unknown key ')\b(?:task|trainer|runtime)\.[a-z0-9_.]*[a-z]",
            _prose(page),
        )
        for key in keys:
            _value(params, key)  # Or it raises an error that has the key.


def test_settings_in_the_table_of_training_are_where_it_says():
    params = get_exp_config("movinet_a0_stream")
    table = (DOCS / "training.md").read_text()
    table = table.partition("| what | where |")[2].partition("\n\n")[0]
    rows = [row.split(" | ")[1] for row in table.splitlines()[2:] if row[:1] == "|"]
    assert len(rows) > 15
    for row in rows:
        folder = ""
        for key in re.findall(r"`([\w.]+)", row):
            if "." in key:
                folder = key.rpartition(".")[0]
            _value(params, key if "." in key else f"{folder}.{key}")


def test_settings_of_getting_started_are_an_experiments(tmp_path):
    (block,) = re.findall(r"```yaml\n(.*?)```", GETTING_STARTED, re.DOTALL)
    (tmp_path / "mine.yaml").write_text(block)
    (words,) = (
        w for _, w in COMMANDS if w[0] == "scripts.train" and "runs/mine" in w[-1]
    )
    flags = [word.removeprefix("--").split("=") for word in words[1:]]
    files = [value for name, value in flags if name == "config_file"]
    assert files == ["configs/own_clips.yaml", "configs/grw.yaml", "mine.yaml"]
    params = parse_experiment(
        ParseConfigOptions(
            experiment=dict(flags)["experiment"],
            config_file=[*(str(ROOT / f) for f in files[:2]), str(tmp_path / files[2])],
            params_override="",
        )
    )
    model = params.task.model
    assert (model.num_classes, model.frames, model.size, model.fps) == (2, 12, 112, 10)
    # Frames a second are those of the records that the page prepares.
    assert f"--fps={model.fps:.0f} " in GETTING_STARTED
