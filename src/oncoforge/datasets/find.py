"""Find the cases of a dataset in a folder, by the patterns of its layouts."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from oncoforge.datasets.record import Dataset, Layout
from oncoforge.errors import InputError

_PLACE: Final = re.compile(r"\\\{(\w+)\\\}|\\\*\\\*/|\\\*")
_SLICES: Final = (".png",)
_NIFTI: Final = re.compile(r"\\\.nii\\\.gz$")


@dataclass(frozen=True)
class Found:
    """The files of one case.

    Parameters
    ----------
    case
        Its id, unique in the dataset.
    split
        ``"training"``, ``"validation"`` or ``"test"``.
    image
        A file or a folder of DICOM slices; None if there are label maps only.
    labels
        The label map, or one file or folder per structure: name of the structure (``""`` for a
        whole map) to path. Empty if there is none.
    classes
        Label value to oncoforge name, where the layout has its own.
    patient
        Whose it is, where its id is not only the patient's; else empty.
    problem
        Why it cannot be used, such as two files for one case; else empty.
    """

    case: str
    split: str
    image: Path | None = None
    labels: Mapping[str, Path] = field(default_factory=dict)
    classes: Mapping[int, str] = field(default_factory=dict)
    patient: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Findings:
    """What was found below a folder.

    Parameters
    ----------
    way
        Which way of keeping the dataset it was.
    cases
        Its cases, in the order of their ids.
    """

    way: str
    cases: tuple[Found, ...]


def find(dataset: Dataset, root: Path, without: Path | None = None) -> Findings:
    """Find the cases of a dataset.

    Every way of keeping the dataset is tried, with or without one more folder around it, and the
    one that pairs the most images with labels is taken.

    Parameters
    ----------
    dataset
        What is looked for.
    root
        Folder of the download.
    without
        A folder in it that is passed over, such as that of the result.

    Raises
    ------
    InputError
        If there is no such folder, or nothing of the dataset in it; the sentence says what was
        looked for and where the data are.
    """
    root = Path(os.path.abspath(root))
    if not root.is_dir():
        raise InputError(
            f"{root} is not a folder; give the folder of {dataset.title} as --root. "
            f"{where_to_get(dataset)}"
        )
    files, folders = _listing(root, without)
    found = []
    for way in dataset.ways:
        layouts = [layout for layout in dataset.layouts if layout.way == way]
        cases = [case for layout in layouts for case in _match(layout, dataset, files, folders)]
        found.append(Findings(way, tuple(_joined(cases))))
    best = max(found, key=lambda findings: _score(findings.cases))
    if not best.cases:
        raise InputError(
            f"Nothing of {dataset.title} was found in {root}; looked for {wanted(dataset)}. "
            f"{where_to_get(dataset)}"
        )
    return best


def wanted(dataset: Dataset) -> str:
    """Say which files are looked for, in words."""
    patterns = [p for one in dataset.layouts for p in (one.image, one.label) if p]
    shown = re.sub(r"\{(\w+)\}", r"<\1>", ", ".join(list(dict.fromkeys(patterns))[:4]))
    return shown + (" and others" if len(set(patterns)) > 4 else "")


def where_to_get(dataset: Dataset) -> str:
    """Say where a dataset is, how to get it and how big it is."""
    size = f" It is about {dataset.size_gb:g} GB ({dataset.size_note})." if dataset.size_gb else ""
    return f"Get it at {dataset.home}. {dataset.access}{size} oncoforge downloads nothing."


def _listing(root: Path, without: Path | None) -> tuple[dict[str, Path], dict[str, Path]]:
    """Every file, and every folder that holds slices, by its path below the root."""
    files: dict[str, Path] = {}
    folders: dict[str, Path] = {}
    seen = set() if without is None else {os.path.realpath(without)}
    for place, below, names in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link that leads back up, or the result
            below.clear()
            continue
        seen.add(real)
        below.sort()
        relative = Path(place).relative_to(root).as_posix()
        plain = sorted(name for name in names if not name.startswith("."))
        for name in plain:
            files[name if relative == "." else f"{relative}/{name}"] = Path(place, name)
        if plain and relative != ".":
            folders[relative] = Path(place)
    return files, folders


def _match(
    layout: Layout, dataset: Dataset, files: Mapping[str, Path], folders: Mapping[str, Path]
) -> Iterator[Found]:
    """Pair the images and labels of one layout."""
    images = _hits(layout.image, layout, files, folders)
    labels = _hits(layout.label, layout, files, folders)
    parts = dataset.parts if "{part}" in layout.label else {}
    for key in sorted({*images, *labels}):
        name = layout.name.format(**dict(key))
        image, problem = _one_image(images.get(key, []), bool(layout.image))
        if isinstance(image, tuple):  # several CT series of one patient
            for number, one in enumerate(image, 1):
                yield Found(f"{name}_{number}", layout.split, one, patient=name)
            continue
        label, twice = _label_files(labels.get(key, []), parts)
        patient = dict(key)["case"] if len(key) > 1 else ""
        yield Found(name, layout.split, image, label, layout.classes, patient, problem or twice)


def _hits(
    pattern: str, layout: Layout, files: Mapping[str, Path], folders: Mapping[str, Path]
) -> dict[tuple[tuple[str, str], ...], list[tuple[str, Path]]]:
    """Paths that match a pattern, by the names in them that tell cases apart."""
    if not pattern:
        return {}
    names = re.compile(_expression(pattern, layout.case), re.IGNORECASE)
    found: dict[tuple[tuple[str, str], ...], list[tuple[str, Path]]] = {}
    for relative, path in (files if "." in Path(pattern).name else folders).items():
        match = names.fullmatch(relative)
        if match:
            groups = {
                name: text
                for name, text in match.groupdict().items()
                if f"{{{name}}}" in layout.name
            }
            part = match.groupdict().get("part") or ""
            found.setdefault(tuple(sorted(groups.items())), []).append((part, path))
    return found


def _expression(pattern: str, case: str) -> str:
    """Turn the pattern of a path into a regular expression."""
    seen: set[str] = set()

    def place(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return "(?:[^/]+/)*" if match[0].endswith("/") else "[^/]*"
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>{case if name == 'case' else '[^/]+'})"

    around = "" if pattern.startswith("**/") else "(?:[^/]+/)?"
    escaped = _NIFTI.sub(r"\\.nii(?:\\.gz)?", re.escape(pattern))
    return around + _PLACE.sub(place, escaped)


def _one_image(
    hits: list[tuple[str, Path]], expected: bool
) -> tuple[Path | tuple[Path, ...] | None, str]:
    paths = [path for _, path in hits]
    if len(paths) > 1 and all(path.is_dir() for path in paths):
        paths = [path for path in paths if _is_ct(path)] or paths[:1]
        return (paths[0], "") if len(paths) == 1 else (tuple(paths), "")
    if len(paths) > 1:
        return None, _twice(paths)
    if not paths and expected:
        return None, ""
    return (paths[0] if paths else None), ""


def _is_ct(folder: Path) -> bool:
    """Whether the first DICOM image of a folder is a slice of a CT."""
    from oncoforge.formats.dicom_slice import read_slice

    for path in sorted(folder.iterdir()):
        found = read_slice(path) if path.is_file() else None
        if found is not None:
            return found.modality == "CT"
    return False


def _label_files(
    hits: list[tuple[str, Path]], parts: Mapping[str, str]
) -> tuple[dict[str, Path], str]:
    """Keep the structures that are known; one map otherwise."""
    if parts:
        known = [hit for hit in hits if any(fnmatch(hit[0].lower(), name) for name in parts)]
        often = Counter(part for part, _ in known).most_common(1)
        if often and often[0][1] > 1:
            return {}, _twice([path for part, path in known if part == often[0][0]])
        return dict(known), ""
    if len(hits) > 1:
        return {}, _twice([path for _, path in hits])
    return ({"": hits[0][1]} if hits else {}), ""


def _twice(paths: list[Path]) -> str:
    return (
        f"{len(paths)} files are of this case: {paths[0]} and {paths[1]}. Leave one of them in the "
        "folder, or give a --root that holds one."
    )


def _joined(cases: list[Found]) -> Iterator[Found]:
    """Cases in the order of their ids; those of one id are a problem."""
    by_name: dict[str, list[Found]] = {}
    for case in cases:
        by_name.setdefault(case.case, []).append(case)
    for name in sorted(by_name, key=_natural):
        same = by_name[name]
        if len(same) == 1:
            yield same[0]
            continue
        paths = [path for one in same for path in (one.image, *one.labels.values()) if path]
        yield Found(name, same[0].split, problem=_twice(paths) if len(paths) > 1 else "")


def _natural(name: str) -> list[tuple[int, str]]:
    """Order liver_2 before liver_10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


def _score(cases: tuple[Found, ...]) -> tuple[int, int, int]:
    pairs = sum(1 for case in cases if case.image and case.labels)
    return pairs, sum(1 for case in cases if case.image), len(cases)
