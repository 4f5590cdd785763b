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
from oncoforge.analysis.results import FILES as ANALYSIS
from oncoforge.analysis.results import record
from oncoforge.analysis.rows import CaseRow, LesionRow
from oncoforge.analysis.survey import survey
from oncoforge.cli import _COMMANDS as COMMANDS
from oncoforge.cli import group, main
from oncoforge.cli.prepare import _SUBCOMMANDS as SUBCOMMANDS
from oncoforge.cli.train import _SUBCOMMANDS as TRAIN_COMMANDS
from oncoforge.cli.weights import _SUBCOMMANDS as WEIGHTS_COMMANDS
from oncoforge.datasets.check_files import FILES as CHECK
from oncoforge.datasets.crops import Wanted, crop
from oncoforge.datasets.findings import KINDS
from oncoforge.datasets.registry import DATASETS
from oncoforge.evaluation.results import FILES as EVALUATION
from oncoforge.evaluation.results import TABLES
from oncoforge.job import FILES, MOVIE, forge_case
from oncoforge.networks import NETWORKS
from oncoforge.order import Order, Origin
from oncoforge.prediction import POSTPROCESSES
from oncoforge.synthesis import cellular, handcrafted
from oncoforge.synthesis.appearance.copied import Copied
from oncoforge.synthesis.cases import METHODS
from oncoforge.synthesis.masks.library.model import LibraryModel
from oncoforge.synthesis.quality import CHECKS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
README = ROOT / "README.md"
NEEDS_MONAI = (
    "training-pipeline.md",
    "grow-tumours.md",
    "networks.md",
    "predict.md",
    "published-weights.md",
    "segmamba.md",
)
NEEDS = {
    "torchio.md": "torchio",
    **dict.fromkeys(("data-path.md", "recipes.md", "training.md"), "lightning"),
}
FOLLOWED = ("real-data.md",)
"""Pages whose commands are run too, between their snippets."""

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
    for page in (README, *PAGES):
        for block in blocks(page, "bash", "console", "shell"):
            for words in lines_of(block):
                label = f"{page.relative_to(ROOT).as_posix()}:{block.line}"
                found.append(pytest.param(words, id=f"{label} {' '.join(words[:2])}"))
    return found


def lines_of(block: Block) -> list[list[str]]:
    """Words of the command lines in a block, after ``oncoforge``."""
    lines = block.text.replace("\\\n", " ").splitlines()
    split = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    return [words[1:] for words in split if words and words[0] == "oncoforge"]


def command_of(words: list[str]) -> tuple[click.Command, click.Context, list[str]]:
    """Find the command that words name, in groups of groups, and what is left of the words."""
    command: click.Command = group
    context = click.Context(group, info_name="oncoforge")
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, list(words))
        assert found is not None, f"there is no command {name}"
        command, context = found, click.Context(found, info_name=name, parent=context)
    return command, context, words


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
    if page.name in NEEDS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pytest.importorskip(NEEDS[page.name])
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__docs__"}
    followed = page.name in FOLLOWED
    for block in blocks(page, "python", *(["bash"] if followed else [])):
        if followed and (words := lines_of(block)):
            for line in words:
                with pytest.raises(SystemExit) as ended:
                    main(line)
                assert ended.value.code == 0, line
            continue
        # Empty lines in front, so that a traceback names the line of the page.
        code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"monai\.")
            exec(code, namespace)


@pytest.mark.parametrize("words", commands())
def test_command_lines_parse(words: list[str]) -> None:
    command, context, rest = command_of(words)
    command.make_context(context.info_name, rest, parent=context.parent)


def test_there_are_command_lines_to_check() -> None:
    assert len(commands()) > 50


def test_every_dataset_that_a_command_line_names_is_known() -> None:
    known = {*DATASETS, *SUBCOMMANDS}
    named = [param.values[0][1] for param in commands() if param.values[0][0] == "prepare"]
    assert [name for name in named if name not in known and name != "NAME"] == []


def anchors(page: Path) -> set[str]:
    """Ids that the headings of a page get."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        given = re.search(r"\{ #([\w-]+) \}", heading)
        plain = re.sub(r"[^\w\s-]", "", heading).strip().lower()
        found.add(given[1] if given else re.sub(r"[-\s]+", "-", plain))
    return found


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: page.name)
def test_links_and_pictures_exist(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in LINK.findall(text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        goal = (page.parent / path).resolve() if path else page
        assert goal.is_file(), f"{page} links to {target}, which is not there"
        if anchor:
            assert anchor in anchors(goal), f"{page} links to {target}: no such heading"


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


PREPARE = [f"prepare {name}" for name in ("NAME", *SUBCOMMANDS)]
WEIGHTS = [f"weights {name}" for name in WEIGHTS_COMMANDS]
TRAIN = [f"train {name}" for name in TRAIN_COMMANDS]
PLAIN = [name for name in COMMANDS if name not in ("prepare", "train", "weights")]


@pytest.mark.parametrize("words", [*PLAIN, *PREPARE, *TRAIN, *WEIGHTS])
def test_command_line_page_lists_every_option(words: str) -> None:
    text = (DOCS / "reference" / "command-line.md").read_text("utf-8")
    section = re.split(rf"\n##+ oncoforge {words}(?: \{{.*)?\n", text)[1].split("\n##")[0]
    command, _, _ = command_of(words.split())
    flags = [flag for param in command.params for flag in param.opts if flag.startswith("--")]
    assert [flag for flag in flags if f"`{flag}`" not in section] == []


def test_command_line_page_names_every_command() -> None:
    text = (DOCS / "reference" / "command-line.md").read_text("utf-8")
    names = group.list_commands(click.Context(group))
    assert [name for name in names if f"\n## oncoforge {name}\n" not in text] == []


def test_groups_have_a_row_for_every_command() -> None:
    text = (DOCS / "reference" / "command-line.md").read_text("utf-8")
    assert [
        words for words in (*PREPARE, *TRAIN, *WEIGHTS) if f"| [`oncoforge {words}`]" not in text
    ] == []


def test_command_line_page_lists_every_kind_of_finding() -> None:
    text = (DOCS / "reference" / "command-line.md").read_text("utf-8")
    assert [kind for kind in KINDS if f"| `{kind}` |" not in text] == []


def test_dataset_page_lists_every_dataset() -> None:
    text = (DOCS / "reference" / "datasets.md").read_text("utf-8")
    assert [name for name in DATASETS if f"| `{name}` |" not in text] == []
    for page in (README, DOCS / "how-to" / "datasets.md"):
        assert f"{len(DATASETS)} datasets" in page.read_text("utf-8")


def test_pages_name_every_file_of_their_command() -> None:
    pages = (("check-data", CHECK), ("analyze-tumours", ANALYSIS), ("evaluate", EVALUATION))
    for page, files in pages:
        text = (DOCS / "how-to" / f"{page}.md").read_text("utf-8")
        assert [name for name in files if f"`{name}`" not in text] == []


def test_real_shapes_page_lists_every_check() -> None:
    text = (DOCS / "how-to" / "real-shapes.md").read_text("utf-8")
    assert [name for name in CHECKS if f"| `{name}` |" not in text] == []


def test_table_page_lists_every_column() -> None:
    text = (DOCS / "reference" / "tables-of-lesions.md").read_text("utf-8")
    names = [field.name for row in (LesionRow, CaseRow) for field in fields(row)]
    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", TABLES)
def test_scores_page_lists_every_column(name: str) -> None:
    text = (DOCS / "reference" / "tables-of-scores.md").read_text("utf-8")
    section = text.split(f"\n## {name}")[1].split("\n## ")[0]
    columns = [field.name for field in fields(TABLES[name])]
    assert [column for column in columns if f"`{column}`" not in section] == []


def test_network_page_lists_every_network_and_option() -> None:
    text = (DOCS / "reference" / "networks.md").read_text("utf-8")
    plain = [kind for kind in NETWORKS.values() if not kind.generative]
    names = [*NETWORKS, *(option for kind in plain for option in kind.options)]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_prediction_page_lists_every_postprocess() -> None:
    text = (DOCS / "how-to" / "predict.md").read_text("utf-8")
    assert [name for name in POSTPROCESSES if f"| `{name}` |" not in text] == []


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantoms with a kidney tumour each, as images and label maps."""
    folder = tmp_path_factory.mktemp("patients")
    case = of.make_phantom(spacing_mm=(5, 5, 5)).case()
    for number, diameter in enumerate((20, 28, 36)):
        sick = of.synthesize(case, "kidney", count=1, diameter_mm=diameter, seed=number)
        for kind, write, array in (
            ("images", of.write_image, sick.image),
            ("labels", of.write_labels, sick.labels),
        ):
            (folder / kind).mkdir(exist_ok=True)
            write(folder / kind / f"p{number}.nii.gz", array, sick)
    return folder


def test_table_page_lists_every_key_of_an_analysis_and_a_prior(patients: Path) -> None:
    text = (DOCS / "reference" / "tables-of-lesions.md").read_text("utf-8")
    found = survey(patients / "labels", organ="kidney", images=patients / "images", workers=1)
    analysis = record(found)
    summary = analysis["organs"]["kidney"]
    of.fit_prior(found.lesions, found.cases).save(patients / "prior.json")
    prior = json.loads((patients / "prior.json").read_text("utf-8"))
    kidney = prior["organs"]["kidney"]
    parts = (kidney["count"], kidney["diameter_mm"], kidney["location"], kidney["exophytic"])
    keys = {key for part in (analysis, summary, summary["volume_mm3"]) for key in part}
    keys |= {key for part in (prior, kidney, *parts) for key in part}
    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_settings_page_lists_every_setting_of_a_library(tables: ModuleType) -> None:
    text = (DOCS / "reference" / "settings.md").read_text("utf-8")
    names = {f.name for m in (LibraryModel, Copied) for f in fields(m)} - {"library"}
    assert set(tables.PASTED) == names
    assert [name for name in sorted(names) if f"| `{name}` |" not in text] == []


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


@pytest.mark.parametrize("shapes", ["prior", "library"])
def test_record_page_lists_every_key_of_shapes_from_elsewhere(
    shapes: str, patients: Path, tmp_path: Path
) -> None:
    text = (DOCS / "reference" / "lesions-json.md").read_text("utf-8")
    if shapes == "prior":
        found = survey(patients / "labels", organ="kidney", workers=1)
        of.fit_prior(found.lesions).save(tmp_path / "prior.json")
        order = Order(organ="kidney", prior=tmp_path / "prior.json", exophytic=True)
    else:
        crop(
            patients / "labels", tmp_path / "library", Wanted("oncoforge"),
            images=patients / "images", workers=1,
        )  # fmt: skip
        order = Order(organ="kidney", library=tmp_path / "library", appearance="copy")
    origin = Origin("phantom", {"seed": 1, "spacing_mm": [5.0, 5.0, 5.0]})
    run = forge_case(origin, tmp_path / "out", order)
    recipe = json.loads(run.path("lesions.json").read_text("utf-8"))["recipe"]
    plan = recipe["lesions"][0]
    assert recipe["masks"] == shapes
    keys = {key for part in (recipe, plan["mask"], plan["appearance"]) for key in part}
    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_pictures_of_the_docs_come_from_the_script() -> None:
    script = (DOCS / "pictures.py").read_text("utf-8")
    pictures = sorted(path.stem for path in (DOCS / "images").iterdir())
    assert [name for name in pictures if f'"{name}"' not in script] == []
