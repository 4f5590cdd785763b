"""Which patient a file shows, told by its name: the same scan goes round in many datasets."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from oncoforge.lists import Entry

_ENDING: Final = re.compile(r"\.(nii(\.gz)?|nrrd|nhdr|mha|mhd|dcm)$", re.IGNORECASE)
_CHANNEL: Final = re.compile(r"_0000$")
_IRCADB: Final = "3d-ircadb"
_IRCADB_IN_LITS: Final = 27
"""LiTS took the 20 cases of 3D-IRCADb-01 over as 28 to 47: the five without tumours (5, 7, 11, 14,
20) are its cases 32, 34, 38, 41 and 47."""

_PREFIX: Final = re.compile(r"^(synt_|lits-|chaos-)+", re.IGNORECASE)

# Upper and lower case differ on purpose: Case_00012 is of AbdomenCT-1K and case_00012 of KiTS,
# PANCREAS_0001 of Pancreas-CT and pancreas_001 of the Decathlon.
_NAMES: Final = tuple(
    (re.compile(pattern), scans)
    for pattern, scans in (
        (r"(?:volume|segmentation|labels|liver)[-_](\d{1,3})", "lits"),
        (r"test-(?:volume|segmentation)-(\d{1,3})", "lits-test"),
        (r"case_(\d{5})", "kits"),
        (r"Case_(\d{5})", "abdomenct-1k"),
        (r"PANCREAS_(\d{4})", "pancreas-ct"),
        (r"tcia-label_?(\d{4})", "pancreas-ct"),
        (r"(?:multi-atlas-)?img(\d{4})", "btcv"),
        (r"multi-atlas-label_?(\d{4})", "btcv"),
        (r"pancreas_(\d{3})", "msd-pancreas"),
        (r"spleen_(\d{1,3})", "msd-spleen"),
        (r"colon_(\d{3})", "msd-colon"),
        (r"lung_(\d{3})", "msd-lung"),
        (r"hepaticvessel_(\d{3})", "msd-hepaticvessel"),
        (r"(?i:flare22)_?Tr_(\d{4})", "flare22"),
        (r"(?i:flare22)_?Ts_(\d{4})", "flare22-test"),
        (r"FLARE23_(\d{4})", "flare23"),
        (r"(?i:amos)_(\d{4})", "amos22"),
        (r"(?i:word)_(\d{4})", "word"),
        (r"(?i:bdmap)_(\d{8})", "abdomenatlas"),
        (r"(?i:mela)_(\d{4})", "mela"),
        (r"LIDC-IDRI-(\d{4})", "lidc"),
        (r"3Dircadb1\.(\d{1,2})", _IRCADB),
        (r"stoic(?:20)?21[-_](\d{1,5})", "stoic21"),
    )
)
_WORDS: Final = tuple(
    (re.compile(pattern), scans)
    for pattern, scans in (
        # Follow-up scans (_dayNNN) are of the same patient.
        (r"volume-covid19-A-(\d{4})(?:_day\d+)?(?:_ct|_seg)?", "covid19-a"),
        (r"(\d{6}_\d{5})", "panorama"),
        (r"PETCT_([0-9a-f]{8,})", "autopet"),
        (r"((?:fdg|psma)_[0-9a-f]{8,})_.*", "autopet"),
        (r"([12][PB][ABC]\d{3})", "synthrad2023"),
    )
)
_HINTED: Final = tuple(
    (re.compile(hint, re.IGNORECASE), re.compile(pattern), scans)
    for hint, pattern, scans in (
        (r"kits", r"(?:label|img)?_?(\d{3,5})", "kits"),
        (r"btcv|multi-?atlas|\bmalb\b", r"label_?(\d{4})", "btcv"),
        (r"pancreas-?ct|tcia", r"(?:label_?)?(\d{4})", "pancreas-ct"),
        (r"chaos", r"(\d{1,2})(?:_image|_segmentation)?", "chaos"),
        (r"ircad", r"(\d{1,2})", _IRCADB),
        (r"stoic", r"(\d{1,5})", "stoic21"),
        # Converted LIDC is numbered by scan, not by patient.
        (r"lidc", r"(\d{5})", "lidc-scan"),
    )
)
"""Names that many datasets use, and the word that a folder or a list's name has to add."""

# Files that are called the same in every case: the folder says which one it is.
_SAME_EVERYWHERE: Final = re.compile(
    r"ct|ctres|seg|pet|suv|mr|mask|imaging|image|segmentation|labels?|combined_labels|"
    r"aggregated_(maj|and|or)_seg|liver|pancreas|spleen|kidney_(left|right)|aorta|postcava|"
    r"stomach|gall_bladder",
    re.IGNORECASE,
)
_FOLDERS: Final = 4


def identity(case: Entry | str | os.PathLike[str], dataset: str = "") -> str | None:
    """Name the scan that a file holds, across the datasets that publish it.

    Parameters
    ----------
    case
        A file, a DICOM folder, or a case of a list (its image is asked first, then its label map,
        then its id).
    dataset
        A hint for names that several datasets use, such as the name of the list: ``label0001`` is
        in BTCV, Pancreas-CT and KiTS. The folders of the file are hints too.

    Returns
    -------
    str or None
        Such as ``"lits:12"`` for ``volume-12.nii`` of LiTS and ``liver_12.nii.gz`` of the
        Decathlon; the same for a scan and its label map. None where the name tells nothing. Scans
        that a dataset renamed when it took them over cannot be recognised by name.

    Examples
    --------
    >>> identity("LiTS/volume-12.nii"), identity("Task03_Liver/imagesTr/liver_12.nii.gz")
    ('lits:12', 'lits:12')
    >>> identity("labels/label0001.nii.gz") is None
    True
    >>> identity("labels/label0001.nii.gz", dataset="btcv")
    'btcv:1'
    """
    if not isinstance(case, Entry):
        return _of_path(Path(case), dataset)
    for given in (case.image, case.label, Path(case.case)):
        found = None if given is None else _of_path(given, dataset)
        if found:
            return found
    return None


def _of_path(path: Path, dataset: str) -> str | None:
    stem = stem_of(path.name)
    hints = " ".join((dataset, *path.parts[-_FOLDERS - 1 :]))
    found = _of_name(stem, hints)
    # A DICOM folder has no ending, and its case may be a folder above it.
    if found is None and (_SAME_EVERYWHERE.fullmatch(stem) or not _ENDING.search(path.name)):
        folders = path.parts[:-1][-_FOLDERS:][::-1]
        # Numbers alone count in the nearest folder only: CHAOS/CT/5/DICOM_anon.
        told = zip(folders, (hints, *[""] * _FOLDERS), strict=False)
        found = next((one for name, hint in told if (one := _of_name(stem_of(name), hint))), None)
    return found


def stem_of(name: str) -> str:
    """Return a file's name without its ending, the channel of nnU-Net and added prefixes."""
    return _PREFIX.sub("", _CHANNEL.sub("", _ENDING.sub("", name)))


def _of_name(stem: str, hints: str) -> str | None:
    for pattern, scans in _NAMES:
        if match := pattern.fullmatch(stem):
            return _numbered(scans, int(match[1]))
    for pattern, scans in _WORDS:
        if match := pattern.fullmatch(stem):
            return f"{scans}:{match[1]}"
    for hint, pattern, scans in _HINTED:
        if hints and (match := pattern.fullmatch(stem)) and hint.search(hints):
            return _numbered(scans, int(match[1]))
    return None


def _numbered(scans: str, number: int) -> str:
    if scans == _IRCADB:
        scans, number = "lits", number + _IRCADB_IN_LITS
    return f"{scans}:{number}"
