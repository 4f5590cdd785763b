"""Write a list as an nnU-Net raw dataset."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from oncoforge.errors import InputError
from oncoforge.lists.entry import CaseList, Entry
from oncoforge.lists.msd import COUNTS, dump
from oncoforge.lists.names import ending, patient_of
from oncoforge.lists.nnunet import PATIENTS, SPLITS_FILE, splits_of

ENDINGS: Final = (".nii.gz", ".nii", ".nrrd", ".mha")
"""What nnU-Net 2 reads of what we read: in one file, with geometry."""


def export_nnunet(cases: CaseList, folder: Path, copy: bool = False) -> None:
    """Fill a folder with a raw dataset: files, dataset.json and splits_final.json.

    Voxels are not touched: label maps must hold the values that the list declares (`write_list`
    looks), on the grids of their images (``oncoforge check`` does).

    Parameters
    ----------
    cases
        The list. Training and validation cases go to imagesTr and labelsTr and need labels; test
        cases to imagesTs, and their labels, if any, to labelsTs, which nnU-Net does not look at.
    folder
        Where to; it exists and is empty.
    copy
        Copy the files instead of linking to them.

    Raises
    ------
    InputError
        If nnU-Net could not use the dataset: labels unknown or not 0, 1, 2, ..., cases without
        labels, files missing or of several formats, two cases of one id.
    """
    trained = (*cases.training, *cases.validation)
    content = dataset_json(cases)
    end = content["file_ending"]
    for which, entries in (("Tr", trained), ("Ts", cases.test)):
        for source, place in _placed(entries, which, end):
            target = folder / place
            target.parent.mkdir(exist_ok=True)
            if copy:
                shutil.copyfile(source, target)
            else:
                target.symlink_to(source.resolve())
    (folder / "dataset.json").write_bytes(dump(content))
    if splits := splits_of(cases):
        (folder / SPLITS_FILE).write_bytes(dump(splits))


def dataset_json(cases: CaseList) -> dict[str, Any]:
    """Return the content of a list's dataset.json, once nnU-Net's rules are seen to hold.

    Raises
    ------
    InputError
        As `export_nnunet`.
    """
    trained = (*cases.training, *cases.validation)
    if not trained:
        raise InputError(f"{_name(cases)} has no training cases; nnU-Net needs some.")
    _check_ids(trained, cases)
    _check_ids(cases.test, cases)
    _check_files(cases)
    channels = _channel_names(cases)
    header = {key: cases.header[key] for key in cases.header if key not in (*COUNTS, "modality")}
    content = {
        "channel_names": channels,
        "labels": _labels(cases),
        "numTraining": len(trained),
        "file_ending": _file_ending(cases),
        "name": cases.name,
    }
    patients = {e.case: e.patient for e in cases if e.patient != patient_of(e.case, cases.name)}
    return (
        content
        | {key: value for key, value in header.items() if key not in content}
        | ({PATIENTS: patients} if patients else {})
    )


def _placed(entries: Sequence[Entry], which: str, end: str) -> Iterator[tuple[Path, Path]]:
    """Give every file of a part with its place in the dataset."""
    for entry in entries:
        images = [entry.image, *entry.channels]
        for channel, image in enumerate(images):
            if image is not None:
                yield image, Path(f"images{which}", f"{entry.case}_{channel:04d}{end}")
        if entry.label is not None:
            yield entry.label, Path(f"labels{which}", f"{entry.case}{end}")


def _labels(cases: CaseList) -> dict[str, Any]:
    """Return label names and values as nnU-Net wants them."""
    regions = cases.header.get("labels")
    if not cases.labels and "regions_class_order" in cases.header and isinstance(regions, dict):
        return regions
    if not cases.labels:
        raise InputError(
            f"{_name(cases)} does not say which label values there are; nnU-Net needs them "
            "declared: give them from 0 on, such as --labels background,liver,tumor."
        )
    labels = {0: "background"} | dict(sorted(cases.labels.items()))
    labels[0] = "background"
    if list(labels) != list(range(len(labels))):
        raise InputError(
            f"{_name(cases)} declares the label values {', '.join(map(str, labels))}; nnU-Net "
            "needs 0, 1, 2, ... without gaps: convert the label maps first (oncoforge prepare "
            "relabel)."
        )
    twice = [name for name, times in Counter(labels.values()).items() if times > 1]
    if twice:
        raise InputError(
            f"{_name(cases)} has two label values of the name {twice[0]!r}; nnU-Net needs a name "
            "for each: give them from 0 on, such as --labels background,liver,tumor."
        )
    return {name: value for value, name in labels.items()}


def _channel_names(cases: CaseList) -> dict[str, str]:
    """Return what the channels are; nnU-Net takes its normalisation from it."""
    counts = {1 + len(entry.channels) for entry in cases}
    if len(counts) > 1:
        raise InputError(
            f"{_name(cases)} has cases of {' and of '.join(map(str, sorted(counts)))} channels; "
            "nnU-Net needs the same for all."
        )
    modality = cases.header.get("modality")
    names = modality if isinstance(modality, dict) else {}
    return {str(i): str(names.get(str(i), "CT" if i == 0 else i)) for i in range(counts.pop())}


def _file_ending(cases: CaseList) -> str:
    """Return the one ending that all files have."""
    endings = {ending(path).lower(): path for entry in cases for path in entry.files}
    if len(endings) > 1:
        some = " and ".join(str(endings[end]) for end in sorted(endings)[:2])
        raise InputError(f"nnU-Net needs one file format throughout, but there are {some}.")
    (end, path) = next(iter(endings.items()))
    if end not in ENDINGS:
        raise InputError(
            f"{path} is not in a format that nnU-Net reads ({', '.join(ENDINGS)}); convert it "
            "first (oncoforge prepare dicom)."
        )
    return end


def _check_ids(entries: Sequence[Entry], cases: CaseList) -> None:
    """Refuse ids that are no file names, or that two cases share."""
    twice = [case for case, n in Counter(entry.case for entry in entries).items() if n > 1]
    if twice:
        raise InputError(
            f"{_name(cases)} has the case {twice[0]!r} in training and in validation; nnU-Net "
            "keeps both in one folder, by their ids."
        )
    bad = [e.case for e in entries if e.case.startswith(".") or set(e.case) & set("/\\\0")]
    if bad:
        raise InputError(f"The case id {bad[0]!r} cannot be the name of a file.")


def _check_files(cases: CaseList) -> None:
    """Refuse cases without image or label, and files that are not there."""
    for entry in cases:
        if entry.image is None:
            raise InputError(
                f"Case {entry.case} of {_name(cases)} has no image; nnU-Net needs one."
            )
    bare = [e.case for e in (*cases.training, *cases.validation) if e.label is None]
    if bare:
        many = "s" * (len(bare) != 1)
        raise InputError(
            f"{_name(cases)} has {len(bare)} training case{many} without a label map, the first of "
            f"them {bare[0]}; nnU-Net trains on labelled cases only."
        )
    files = [path for entry in cases for path in entry.files]
    missing = [path for path in files if not os.path.isfile(path)]
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(files)} files of {_name(cases)} are not there, the first "
            f"of them {missing[0]}; if the data is elsewhere, say where with --root."
        )


def _name(cases: CaseList) -> str:
    return str(cases.path or cases.name or "The list")
