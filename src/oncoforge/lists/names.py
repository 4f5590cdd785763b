"""What a case is called, and whose it is, by the names of its files."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, takewhile
from pathlib import Path, PurePath
from typing import Final

ENDINGS: Final = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
"""File endings of images and label maps."""

PATIENT_PATTERNS: Final[tuple[re.Pattern[str], ...]] = (
    # TCIA-COVID19 and COVID-19-20 (both of TCIA's COVID-19-AR volumes): several days of one
    # patient, and the parts "ct" and "seg" of one day.
    re.compile(r"(volume-covid19-A-\d+)(?:_.*)?", re.IGNORECASE),
    # autoPET III: tracer, patient, study.
    re.compile(r"((?:fdg|psma)_[0-9a-f]{8,})_.+"),
)
"""Names that hold the patient's in their first group, in datasets with several scans of one."""

_NUMBER: Final = re.compile(
    r"((case|patient|pat|pt|p|subject|subj|sub|s|scan|series|study|image|img|ct|volume|vol|label|seg"
    r"|id)[ _-]?)?\d+",
    re.IGNORECASE,
)

_PANORAMA = re.compile(r"(\d+)_\d+")


def ending(path: PurePath) -> str:
    """Return the ending of an image file as it is written, such as ``.nii.gz``; else ``""``."""
    lower = path.name.lower()
    found = next((end for end in ENDINGS if lower.endswith(end)), "")
    return path.name[len(path.name) - len(found) :]


def stem(path: PurePath) -> str:
    """Return a file's name without its ending and without nnU-Net's channel ``_0000``."""
    name = path.name[: len(path.name) - len(ending(path))].removesuffix("_0000")
    return name or path.name


def case_ids(paths: Iterable[PurePath]) -> list[str]:
    """Name every file's case, each by another name.

    A case is called by its file. Where several files have one name, as in folders per case
    (``BDMAP_00000001/ct.nii.gz``), the nearest folders that tell them apart are the name, alone if
    every such folder has one of the files, else before the file's (``siteA_scan1``).

    Parameters
    ----------
    paths
        Files or DICOM folders; a path that comes twice is numbered: ``liver_1``, ``liver_1_2``.

    Returns
    -------
    list of str
        As many and in the order of `paths`; the same for any order, but for those numbers.
    """
    given = [Path(path) for path in paths]
    names: dict[Path, str] = {path: stem(path) for path in given}
    alike: dict[str, list[Path]] = defaultdict(list)
    for path, name in names.items():
        alike[name].append(path)
    for same in alike.values():
        if len(same) > 1:
            names |= _by_folder(same, list(names))
    return list(_numbered([names[path] for path in given]))


def part_ids(parts: Sequence[Sequence[PurePath]]) -> list[list[str]]:
    """Name the cases of a list's parts, each by another name within its part.

    A file name that is good enough in every part stays the name, so that a case in two parts has
    one name; one that is not is replaced in all.
    """
    joint = iter(case_ids([path for part in parts for path in part]))
    poor = {
        name
        for part in parts
        for name, times in Counter(stem(path) for path in set(part)).items()
        if times > 1
    }
    named = [[(stem(path), next(joint)) for path in part] for part in parts]
    return [list(_numbered([own if name in poor else name for name, own in p])) for p in named]


def patient_of(case: str, dataset: str = "") -> str:
    """Return whose a case is, as far as names say; otherwise the case itself.

    Parameters
    ----------
    case
        Its id.
    dataset
        What its list is called: PANORAMA's ids are ``<patient>_<study>``, which in any other list
        may mean anything.
    """
    patterns = PATIENT_PATTERNS
    if "panorama" in dataset.lower():
        patterns = (*patterns, _PANORAMA)
    found = (pattern.fullmatch(case) for pattern in patterns)
    return next((match[1] for match in found if match), case)


def is_number(name: str) -> bool:
    """Say whether a name means something within its own list only: ``12``, ``case_00001``."""
    return _NUMBER.fullmatch(name) is not None


def _by_folder(same: list[Path], everything: list[Path]) -> dict[Path, str]:
    """Name files of one name by the nearest folder, or tail of folders, that tells them apart."""
    deepest = max(len(path.parts) for path in same)
    for depth in range(2, deepest + 1):
        folders = {path: path.parts[-depth] if depth <= len(path.parts) else "" for path in same}
        if len(set(folders.values())) == len(same) and "" not in folders.values():
            break
    else:
        levels = zip(*(path.parts[:-1] for path in same), strict=False)
        common = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels))
        return {path: "_".join((*path.parts[common:-1], stem(path))) for path in same}
    holds = Counter(path.parts[: 1 - depth] for path in everything if depth <= len(path.parts))
    if all(holds[path.parts[: 1 - depth]] == 1 for path in same):
        return folders
    return {path: f"{folder}_{stem(path)}" for path, folder in folders.items()}


def _numbered(names: list[str]) -> Iterator[str]:
    """Give names as they are, the second of a name with ``_2``, and so on."""
    taken, seen = set(names), set[str]()
    for name in names:
        own = name
        if name in seen:
            own = next(n for k in count(2) if (n := f"{name}_{k}") not in taken)
        taken.add(own)
        seen.add(own)
        yield own
