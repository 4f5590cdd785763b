"""One case opened once: what its files hold, and what is wrong with them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oncoforge.anatomy import Convention
from oncoforge.datasets import examine_image, examine_labels
from oncoforge.datasets.content import Content
from oncoforge.datasets.examine_labels import LabelFacts
from oncoforge.datasets.fingerprint import fingerprint, label_digest
from oncoforge.errors import InputError
from oncoforge.formats.open import open_labels, open_volume
from oncoforge.formats.stored import StoredVolume
from oncoforge.lists import Entry
from oncoforge.reports.check_tile import tile


@dataclass(frozen=True)
class Rules:
    """What the cases of a list are held against.

    Parameters
    ----------
    convention
        How their label maps number what they label; None if that is not known.
    organ
        Organ that every label map must have; None for any.
    named
        Label values that the list itself names; empty if it names none.
    hu
        Whether images must be CT in HU.
    content
        Whether to take fingerprints.
    tiles
        Whether to draw a small picture of each case.
    """

    convention: Convention | None = None
    organ: str | None = None
    named: frozenset[int] = frozenset()
    hu: bool = True
    content: bool = True
    tiles: bool = False


@dataclass(frozen=True)
class Facts:
    """What one case is like, as far as it could be read.

    Parameters
    ----------
    shape
        Voxels along R, A and S.
    spacing_mm
        Along R, A and S.
    orientation
        Axis order of the file, such as ``"LPS"``.
    dtype
        Stored number type of the image, or of the label map if there is no image.
    low_hu, high_hu
        1st and 99th percentile of the image.
    median_hu
        Median of what is labelled; without labels, of what is denser than fat.
    labels
        What is labelled.
    """

    shape: tuple[int, int, int] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    orientation: str | None = None
    dtype: str | None = None
    low_hu: float | None = None
    high_hu: float | None = None
    median_hu: float | None = None
    labels: LabelFacts | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data, rounded."""
        numbers = {
            name: None if (value := getattr(self, name)) is None else round(value, 2)
            for name in ("low_hu", "high_hu", "median_hu")
        }
        return {
            "shape": None if self.shape is None else list(self.shape),
            "spacing_mm": None
            if self.spacing_mm is None
            else [round(mm, 6) for mm in self.spacing_mm],
            "orientation": self.orientation,
            "dtype": self.dtype,
            **numbers,
            "labels": None if self.labels is None else self.labels.as_json(),
        }


@dataclass(frozen=True, eq=False)
class Examined:
    """What came of opening one case: small, whatever the size of its files.

    Parameters
    ----------
    findings
        Kind and sentence of what is wrong.
    facts, content
        What it holds.
    tile
        A small picture (PNG) of it; None if none was asked for, or nothing could be read.
    """

    findings: tuple[tuple[str, str], ...] = ()
    facts: Facts = field(default_factory=Facts)
    content: Content = field(default_factory=Content)
    tile: bytes | None = None


@dataclass
class _Opened:
    """The files of a case as far as they could be opened, and what was found on the way."""

    findings: list[tuple[str, str]] = field(default_factory=list)
    image_file: StoredVolume | None = None
    label_file: StoredVolume | None = None
    image: NDArray[np.float32] | None = None
    labels: NDArray[Any] | None = None
    joint: bool = False

    @property
    def either(self) -> StoredVolume | None:
        return self.image_file or self.label_file


def examine(entry: Entry, rules: Rules) -> Examined:
    """Open the files of a case and say what is wrong with them.

    Parameters
    ----------
    entry
        The case. What it does not name (a test case has no label map) is not looked for.
    rules
        What to hold it against.
    """
    opened = _open(entry, rules)
    _compare_grids(opened)
    _read(opened)
    facts = _facts(opened, rules)
    content = _content(opened, rules) if rules.content else Content()
    picture = _tile(opened, rules) if rules.tiles else None
    return Examined(tuple(opened.findings), facts, content, picture)


def _open(entry: Entry, rules: Rules) -> _Opened:
    """Read the headers."""
    opened = _Opened()
    opened.image_file = _header(opened, entry.image, rules, labels=False)
    opened.label_file = _header(opened, entry.label, rules, labels=True)
    for file in (opened.image_file, opened.label_file):
        if file is not None:
            opened.findings += examine_image.geometry_findings(file)
    return opened


def _header(opened: _Opened, path: Path | None, rules: Rules, labels: bool) -> StoredVolume | None:
    if path is None:
        return None
    if not os.path.exists(path):
        opened.findings.append(("missing", f"{path} does not exist."))
        return None
    try:
        return open_labels(path) if labels else open_volume(path, force=not rules.hu)
    except InputError as error:
        opened.findings.append(("broken", str(error)))
        return None


def _compare_grids(opened: _Opened) -> None:
    """Say how the grids of image and label map differ."""
    image, labels = opened.image_file, opened.label_file
    if image is None or labels is None:
        return
    ours, theirs = image.source.grid, labels.source.grid
    difference = ours.ras().difference(theirs.ras())
    opened.joint = difference is None
    if difference is None:
        return
    advice = ""
    lost = [file for file in (image, labels) if examine_image.lost_geometry(file.source.grid)]
    if len(lost) == 1 and ours.shape == theirs.shape:
        which, other = ("image", "label map") if lost[0] is image else ("label map", "image")
        advice = (
            f" The shapes agree and the header of the {which} holds no geometry: most likely that "
            f"was lost, and the affine of the {other} belongs to it."
        )
    opened.findings.append(
        ("grid", f"{labels.path} is not on the grid of {image.path}: {difference}.{advice}")
    )


def _read(opened: _Opened) -> None:
    """Read the voxels."""
    try:
        if opened.image_file is not None:
            opened.image = opened.image_file.image()
    except InputError as error:
        opened.findings.append(("broken", str(error)))
    try:
        if opened.label_file is not None:
            opened.labels = opened.label_file.labels()
    except InputError as error:
        opened.findings.append(("broken", str(error)))
    opened.joint &= opened.image is not None and opened.labels is not None


def _facts(opened: _Opened, rules: Rules) -> Facts:
    file = opened.either
    if file is None:
        return Facts()
    grid = file.source.grid
    low = high = median = None
    labels = None
    if opened.labels is not None and opened.label_file is not None:
        spacing = opened.label_file.source.grid.ras().spacing
        labels, found = examine_labels.label_findings(
            opened.labels, spacing, rules.convention, rules.organ, rules.named
        )
        opened.findings += [(kind, f"{opened.label_file.path} {what}") for kind, what in found]
    if opened.image is not None and opened.image_file is not None:
        name = str(opened.image_file.path)
        if rules.hu:
            opened.findings += examine_image.hu_findings(opened.image, name)
        low, high = examine_image.spread(opened.image)
        together = opened.labels if opened.joint else None
        median = examine_image.tissue_median(opened.image, together)
        ct = rules.hu and not any(kind == "not-hu" for kind, _ in opened.findings)
        if ct and together is not None and rules.convention is not None:
            opened.findings += examine_labels.organ_hu_findings(
                opened.image, together, rules.convention, rules.organ, name
            )
    return Facts(
        grid.ras().shape,
        grid.ras().spacing,
        grid.axis_codes,
        file.source.dtype,
        low,
        high,
        median,
        labels,
    )


def _content(opened: _Opened, rules: Rules) -> Content:
    image = None
    if opened.image is not None and opened.image_file is not None:
        spacing = opened.image_file.source.grid.ras().spacing
        image = fingerprint(opened.image_file.path, opened.image, spacing, rules.hu)
    return Content(image, "" if opened.labels is None else label_digest(opened.labels))


def _tile(opened: _Opened, rules: Rules) -> bytes | None:
    file = opened.either
    if file is None or (opened.image is None and opened.labels is None):
        return None
    labels = opened.labels if opened.joint or opened.image is None else None
    tumours = examine_labels.tumour_values(rules.convention)
    grid = opened.label_file.source.grid if opened.image is None and opened.label_file else None
    spacing = (grid or file.source.grid).ras().spacing
    return tile(opened.image, labels, spacing, tumours, rules.hu)
