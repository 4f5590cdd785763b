"""Read nnU-Net raw datasets, and the splits that go with them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from oncoforge.errors import InputError
from oncoforge.lists.draft import Draft, assemble
from oncoforge.lists.entry import CaseList, Entry
from oncoforge.lists.labels import read_labels
from oncoforge.lists.places import locate

SPLITS_FILE: Final = "splits_final.json"
"""Name of the file with nnU-Net's folds."""

PATIENTS: Final = "patients"
"""Our key of dataset.json, case to patient, where names do not tell; nnU-Net ignores it."""

_OWN: Final = ("name", "channel_names", "file_ending", "numTraining", "labels", "dataset", PATIENTS)


def is_nnunet(content: object) -> bool:
    """Say whether the content of a dataset.json is nnU-Net's (version 2)."""
    return isinstance(content, dict) and {"channel_names", "file_ending"} <= set(content)


def read_nnunet(content: Mapping[str, Any], file: Path, root: Path, fold: int | None) -> CaseList:
    """Read a raw dataset.

    Parameters
    ----------
    content
        What its dataset.json holds.
    file
        That file.
    root
        Folder with ``imagesTr``, ``labelsTr``, ``imagesTs``.
    fold
        Which of the splits in splits_final.json (beside, or in nnUNet_preprocessed) to take.
        Without it, all labelled cases are for training and know the fold that validates them;
        a file with one split only is taken at once.

    Raises
    ------
    InputError
        If there are no cases, or no such split.
    """
    end = content["file_ending"]
    if not isinstance(end, str) or not end.startswith("."):
        raise InputError(f"{file} should give file_ending such as '.nii.gz', but gives {end!r}.")
    patients = content.get(PATIENTS)
    drafts = {
        "training": _listed(content, root) or _found(root, "Tr", end),
        "test": _found(root, "Ts", end),
    }
    if isinstance(patients, dict):
        drafts = {
            part: [replace(draft, patient=str(patients.get(draft.case, ""))) for draft in part_of]
            for part, part_of in drafts.items()
        }
    labels = read_labels(content.get("labels"))
    header = {key: value for key, value in content.items() if key not in _OWN}
    header = {"modality": content["channel_names"]} | header
    if labels is None:  # regions: one name, several values
        header["labels"] = content.get("labels")
    name = content.get("name")
    name = name if isinstance(name, str) else re.sub(r"^Dataset\d{3}_", "", root.name)
    cases = assemble(drafts, file, name, labels, header)
    return _split(cases, _splits_file(root), fold)


def splits_of(cases: CaseList) -> list[dict[str, list[str]]]:
    """Return the folds of a list as splits_final.json holds them.

    Returns
    -------
    list of dict
        One with the validation cases, if the list has some; else one for each fold, in their
        order; none if the list has no folds either.
    """
    if cases.validation:
        return [{"train": _ids(cases.training), "val": _ids(cases.validation)}]
    folds = sorted({entry.fold for entry in cases.training if entry.fold is not None})
    return [
        {
            "train": _ids([entry for entry in cases.training if entry.fold != fold]),
            "val": _ids([entry for entry in cases.training if entry.fold == fold]),
        }
        for fold in folds
    ]


def _found(root: Path, which: str, end: str) -> list[Draft]:
    """Find the cases of imagesTr or imagesTs."""
    images, labels = root / f"images{which}", root / f"labels{which}"
    pattern = re.compile(r"([^.].*)_(\d{4})" + re.escape(end))
    channels: dict[str, list[Path]] = {
        path.name.removesuffix(end): []
        for path in (labels.iterdir() if which == "Tr" and labels.is_dir() else ())
        if path.name.endswith(end) and not path.name.startswith(".")
    }
    for path in images.iterdir() if images.is_dir() else ():
        if match := pattern.fullmatch(path.name):
            channels.setdefault(match[1], [])
            if match[2] != "0000":
                channels[match[1]].append(path)
    drafts = []
    for case, others in sorted(channels.items()):
        label = labels / f"{case}{end}"
        given = label if which == "Tr" or os.path.exists(label) else None
        more = {"channels": [str(path) for path in sorted(others)]} if others else {}
        drafts.append(Draft(images / f"{case}_0000{end}", given, case, more=more))
    return drafts


def _listed(content: Mapping[str, Any], root: Path) -> list[Draft]:
    """Read the cases that a dataset.json names itself, wherever their files are."""
    listed = content.get("dataset")
    drafts = []
    for case, files in sorted(listed.items()) if isinstance(listed, dict) else ():
        try:
            first, *others = [str(locate(image, root)) for image in files["images"]]
            label = locate(files["label"], root)
        except (TypeError, KeyError, ValueError):
            raise InputError(
                f"{root / 'dataset.json'} should give images and a label for case {case!r}, but "
                f"gives {files!r:.80}."
            ) from None
        drafts.append(Draft(Path(first), label, case, more={"channels": others} if others else {}))
    return drafts


def _splits_file(root: Path) -> Path | None:
    """Return the file with a dataset's folds, if there is one."""
    places = (root, root.parent.parent / "nnUNet_preprocessed" / root.name)
    files = (place / SPLITS_FILE for place in places)
    return next((file for file in files if file.is_file()), None)


def _split(cases: CaseList, file: Path | None, fold: int | None) -> CaseList:
    """Take one split of a dataset, or tell every case its fold."""
    if file is None:
        if fold is None:
            return cases
        raise InputError(
            f"{cases.path} has no {SPLITS_FILE} beside it, so there is no fold {fold}."
        )
    splits = _read_splits(file)
    if fold is None and len(splits) != 1:
        validated = {case: number for number, split in enumerate(splits) for case in split["val"]}
        told = tuple(replace(entry, fold=validated.get(entry.case)) for entry in cases.training)
        return replace(cases, training=told)
    if (fold or 0) >= len(splits):
        raise InputError(f"{file} has {len(splits)} folds from 0 on; there is no fold {fold}.")
    by_case = {entry.case: entry for entry in cases.training}
    split = splits[fold or 0]
    unknown = [case for part in ("train", "val") for case in split[part] if case not in by_case]
    if unknown:
        raise InputError(f"{file} names the case {unknown[0]!r}, which {cases.path} does not have.")
    return replace(
        cases,
        training=tuple(by_case[case] for case in split["train"]),
        validation=tuple(by_case[case] for case in split["val"]),
    )


def _read_splits(file: Path) -> list[dict[str, list[str]]]:
    """Read splits_final.json."""
    try:
        content = json.loads(file.read_text("utf-8"))
        return [
            {part: [str(c) for c in split[part]] for part in ("train", "val")} for split in content
        ]
    except (ValueError, TypeError, KeyError, OSError):
        raise InputError(
            f"{file} should be a list of {{train, val}} with case ids, as nnU-Net writes it."
        ) from None


def _ids(entries: Sequence[Entry]) -> list[str]:
    return [entry.case for entry in entries]
