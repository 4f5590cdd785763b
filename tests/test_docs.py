"""The documentation says what the program does: snippets run, commands parse, tables are true."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
import shlex
import warnings
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import click
import pytest

import oncoforge as of
from oncoforge import anatomy
from oncoforge.cli import group
from oncoforge.job import FILES, MOVIE, forge_case
from oncoforge.order import Order, Origin
from oncoforge.synthesis import cellular, handcrafted
from oncoforge.synthesis.cases import METHODS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
NEEDS_MONAI = ("training-pipeline.md", "grow-tumours.md")

FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
MOST_BYTES, MOST_BYTES_TOGETHER = 400_000, 4_000_000


class Block(NamedTuple):
    """A fenced block: its page, the number of its first line, and its text."""

    page: Path
    line: int
    text: str


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


def blocks(page: Path, *languages: str) -> list[Block]:
    text = page.read_text("utf-8")
    return [
        Block(page, text.count("\n", 0, match.start(2)) + 1, match[2])
        for match in FENCE.finditer(text)
        if match[1] in languages
    ]


def commands() -> list[Any]:
    """Every command line of every page that starts with ``oncoforge``."""
    found = []
    for page in PAGES:
        for block in blocks(page, "bash", "console", "shell"):
            joined = block.text.replace("\\\n", " ")
            for line in joined.splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if words and words[0] == "oncoforge":
                    label = f"{name_of(page)}:{block.line}"
                    found.append(pytest.param(words[1:], id=f"{label} {' '.join(words[1:3])}"))
    return found


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_tables", DOCS / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=name_of)
def test_python_snippets_of_a_page_run_in_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.name in NEEDS_MONAI:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MONAI's own, on import
            pytest.importorskip("monai.data")
            pytest.importorskip("monai.transforms")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__docs__"}
    for block in blocks(page, "python"):
        # Empty lines in front, so that a traceback names the line of the page.
        code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"monai\.")
            exec(code, namespace)


@pytest.mark.parametrize("words", commands())
def test_command_lines_parse(words: list[str]) -> None:
    context = click.Context(group, info_name="oncoforge")
    command = group.get_command(context, words[0])
    assert command is not None, f"there is no command {words[0]}"
    command.make_context(words[0], list(words[1:]), parent=context)


def test_there_are_command_lines_to_check() -> None:
    assert len(commands()) > 10


def anchors(page: Path) -> set[str]:
    """Ids that the headings of a page get."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        given = re.search(r"\{ #([\w-]+) \}", heading)
        plain = re.sub(r"[^\w\s-]", "", heading).strip().lower()
        found.add(given[1] if given else re.sub(r"[-\s]+", "-", plain))
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_pictures_exist(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in LINK.findall(text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        goal = (page.parent / path).resolve() if path else page
        assert goal.is_file(), f"{name_of(page)} links to {target}, which is not there"
        if anchor:
            assert anchor in anchors(goal), f"{name_of(page)} links to {target}: no such heading"


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[2]
    listed = re.findall(r"[\w/-]+\.md", navigation)
    assert sorted(listed) == sorted(name_of(page) for page in PAGES)


def test_every_picture_is_used_and_small() -> None:
    pictures = sorted((DOCS / "images").iterdir())
    text = "".join(page.read_text("utf-8") for page in PAGES)
    sizes = {picture.name: picture.stat().st_size for picture in pictures}
    assert [name for name in sizes if f"images/{name}" not in text] == []
    assert [name for name, size in sizes.items() if size > MOST_BYTES] == []
    assert sum(sizes.values()) < MOST_BYTES_TOGETHER


def test_tables_are_what_the_code_says(tables: ModuleType) -> None:
    stale = [name_of(page) for page in tables.stale()]
    assert stale == [], "run python docs/tables.py"


def test_every_table_stands_on_a_page(tables: ModuleType) -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    assert [name for name in tables.TABLES if f"<!-- table: {name} -->" not in text] == []


@pytest.mark.parametrize("method", [handcrafted, cellular])
def test_settings_page_lists_every_setting(method: ModuleType) -> None:
    text = (DOCS / "reference" / "settings.md").read_text("utf-8")
    section = text.split(f"<!-- table: settings-{method.METHOD} -->")[1].split("<!-- end -->")[0]
    names = [field.name for field in fields(method.Settings)]
    assert [name for name in names if f"| `{name}` |" not in section] == []
    assert all(f"| {preset} |" in section for preset in method.PRESETS)


def test_every_meaning_is_of_a_setting(tables: ModuleType) -> None:
    drawn, grown = ({f.name for f in fields(m.Settings)} for m in (handcrafted, cellular))
    assert set(tables.MEANINGS) == drawn | grown
    assert set(tables.GROWN) <= grown


def test_settings_page_lists_the_other_arguments_of_the_cellular_method() -> None:
    text = (DOCS / "reference" / "settings.md").read_text("utf-8")
    names = set(inspect.signature(of.Cellular).parameters) - {"preset", "changes"}
    assert [name for name in sorted(names) if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize("name", ["synth", "demo"])
def test_command_line_page_lists_every_option(name: str) -> None:
    text = (DOCS / "reference" / "command-line.md").read_text("utf-8")
    section = text.split(f"\n## oncoforge {name}\n")[1].split("\n## ")[0]
    command = group.get_command(click.Context(group), name)
    assert command is not None
    flags = [flag for param in command.params for flag in param.opts if flag.startswith("--")]
    assert [flag for flag in flags if f"`{flag}`" not in section] == []


def test_command_line_page_names_every_command() -> None:
    text = (DOCS / "reference" / "command-line.md").read_text("utf-8")
    names = group.list_commands(click.Context(group))
    assert [name for name in names if f"\n## oncoforge {name}\n" not in text] == []


def test_label_page_lists_every_convention_and_style() -> None:
    text = (DOCS / "how-to" / "labels.md").read_text("utf-8")
    names = [*anatomy.CONVENTIONS, *anatomy.STYLES]
    assert [name for name in names if f"| `{name}` |" not in text] == []


def test_anatomy_page_lists_every_organ() -> None:
    text = (DOCS / "reference" / "anatomy.md").read_text("utf-8")
    assert [name for name in anatomy.ORGANS if f"| `{name}` |" not in text] == []


def test_explanation_has_a_page_for_every_method() -> None:
    missing = [name for name in METHODS if not (DOCS / "explanation" / f"{name}.md").is_file()]
    assert missing == []


def test_command_line_page_names_every_file_of_a_run() -> None:
    text = (DOCS / "reference" / "command-line.md").read_text("utf-8")
    assert [name for name in (*FILES, *MOVIE) if f"| `{name}` |" not in text] == []


def test_python_page_lists_every_public_name() -> None:
    text = (DOCS / "reference" / "python.md").read_text("utf-8")
    names = [name for name in of.__all__ if not name.startswith("__")]
    assert [name for name in names if f"heading: oncoforge.{name}\n" not in text] == []


@pytest.mark.parametrize("method", ["handcrafted", "cellular"])
def test_record_page_lists_every_key(method: str, tmp_path: Path) -> None:
    text = (DOCS / "reference" / "lesions-json.md").read_text("utf-8")
    origin = Origin("phantom", {"seed": 0, "spacing_mm": [5.0, 5.0, 5.0]})
    run = forge_case(origin, tmp_path, Order(method=method, size="large", preset="realistic"))
    record = json.loads(run.path("lesions.json").read_text("utf-8"))
    recipe, lesion = record["recipe"], record["lesions"][0]
    plan = recipe["lesions"][0]
    rows = lesion.get("growth", [])
    parts = (record, lesion, recipe, plan, plan["mask"], plan["appearance"], *rows[:1])
    missing = {key for part in parts for key in part if f"`{key}`" not in text}
    assert missing == set()


def test_pictures_of_the_docs_come_from_the_script() -> None:
    script = (DOCS / "pictures.py").read_text("utf-8")
    pictures = sorted(path.stem for path in (DOCS / "images").iterdir())
    assert [name for name in pictures if f'"{name}"' not in script] == []
