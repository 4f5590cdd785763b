"""What is known of a dataset, in words and for machines."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from oncoforge import anatomy
from oncoforge.datasets.find import where_to_get
from oncoforge.datasets.record import Dataset, Layout

_WIDTH: Final = 96
_EXAMPLES: Final = {"{case}": "<case>", "{study}": "<study>", "{series}": "<series>",
                    "{part}": "<structure>"}  # fmt: skip


def as_dict(dataset: Dataset) -> dict[str, Any]:
    """Return everything that is known of a dataset, for JSON."""
    found = asdict(dataset)
    found["classes"] = {str(value): name for value, name in classes_of(dataset).items()}
    return found


def classes_of(dataset: Dataset) -> dict[int, str]:
    """Return label values and what they become, by the dataset or its convention."""
    if dataset.convention is None:
        return dict(dataset.classes)
    targets = anatomy.CONVENTIONS[dataset.convention].targets
    return {value: name for value, name in targets.items() if value}


def cases_in_words(dataset: Dataset) -> str:
    """Return how many cases there are, such as ``"131 training, 70 test"``."""
    return ", ".join(f"{number} {part}" for part, number in dataset.cases.items())


def description(dataset: Dataset) -> str:
    """Describe a dataset, with pictures of how its folder can look."""
    return "\n".join(_lines(dataset))


def _lines(dataset: Dataset) -> Iterator[str]:
    yield f"{dataset.title} ({dataset.name})"
    yield ""
    yield from _row("What", f"{dataset.role}; {dataset.modality}")
    yield from _row("Organs", ", ".join(o.replace("_", " ") for o in dataset.organs) or "none")
    yield from _row("Cases", cases_in_words(dataset))
    size = f"about {dataset.size_gb:g} GB ({dataset.size_note})" if dataset.size_gb else ""
    yield from _row("Size", size or "see its page")
    yield from _row("Licence", dataset.licence)
    yield from _row("Cite", dataset.citation)
    yield from _row("Where", where_to_get(dataset).removeprefix("Get it at "))
    yield from _row("Names", ", ".join((dataset.name, *dataset.aliases)))
    yield ""
    yield "Its folder looks so:"
    for way in dataset.ways:
        yield ""
        yield f"  {way}"
        yield from _tree([layout for layout in dataset.layouts if layout.way == way])
    yield ""
    yield from _labels(dataset)
    for overlap, what in dataset.overlaps.items():
        yield from _row("Shared", f"with {overlap}: {what}")
    for note in dataset.notes:
        yield from _row("Note", note)
    yield ""
    yield f"Prepare it: oncoforge prepare {dataset.name} --root FOLDER --out data/{dataset.name}"
    yield "Nothing is downloaded."


def _labels(dataset: Dataset) -> Iterator[str]:
    classes = classes_of(dataset)
    if not classes and not dataset.parts:
        yield from _row("Labels", "none")
        return
    if classes:
        shown = ", ".join(f"{value} {name}" for value, name in classes.items())
        yield from _row("Labels", shown)
    own = {v: n for layout in dataset.layouts for v, n in layout.classes.items()}
    if own and own != classes:
        ways = {layout.way for layout in dataset.layouts if layout.classes}
        shown = ", ".join(f"{value} {name}" for value, name in own.items())
        yield from _row("", f"{' and '.join(sorted(ways))}: {shown}")
    if dataset.parts:
        shown = ", ".join(f"{part} -> {name}" for part, name in dataset.parts.items())
        yield from _row("Files", shown)


def _row(head: str, text: str) -> list[str]:
    lines = textwrap.wrap(text, _WIDTH - 10, break_long_words=False, break_on_hyphens=False)
    return [f"{head if not n else '':<10}{line}" for n, line in enumerate(lines)]


def _tree(layouts: list[Layout]) -> Iterator[str]:
    """Draw folders and files, folders of several layouts merged."""
    root: dict[str, Any] = {}
    for layout in layouts:
        for pattern, what in ((layout.image, "image"), (layout.label, "label map")):
            if pattern:
                _put(root, pattern, what)
    yield "    FOLDER/"
    yield from _branches(root, "    ")


def _put(root: dict[str, Any], pattern: str, what: str) -> None:
    for name, example in _EXAMPLES.items():
        pattern = pattern.replace(name, example)
    *folders, last = pattern.replace("**/", ".../").split("/")
    for folder in folders:
        root = root.setdefault(f"{folder}/", {})
    if "." in last:
        root.setdefault(last, what)
    else:
        slices = "DICOM slices" if what == "image" else "slices"
        root.setdefault(f"{last}/", f"{what} as {slices}")


def _branches(root: dict[str, Any], before: str) -> Iterator[str]:
    for number, (name, inside) in enumerate(root.items(), 1):
        last = number == len(root)
        leaf = isinstance(inside, str)
        yield f"{before}{'└── ' if last else '├── '}{name}{'   ' + inside if leaf else ''}"
        if not leaf:
            yield from _branches(inside, before + ("    " if last else "│   "))
