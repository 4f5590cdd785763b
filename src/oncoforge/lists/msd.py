"""Lists in the JSON of the Medical Segmentation Decathlon, as MONAI and many others use it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from oncoforge.errors import InputError
from oncoforge.lists.draft import Draft, assemble
from oncoforge.lists.entry import SPLITS, CaseList, Entry
from oncoforge.lists.labels import is_whole, read_labels
from oncoforge.lists.names import part_ids, patient_of
from oncoforge.lists.places import locate, written

PARTS: Final = {
    "training": ("training", "train"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}
"""By what keys lists name their parts; the first is ours and MSD's."""

COUNTS: Final = {
    "numTraining": "training",
    "numValidation": "validation",
    "numValid": "validation",
    "numTest": "test",
}
"""Header keys that count a part. Often stale: never believed, always written anew."""


def is_msd(content: object) -> bool:
    """Say whether the content of a JSON file is a list in this form."""
    return isinstance(content, dict) and any(
        isinstance(content.get(key), list) for keys in PARTS.values() for key in keys
    )


def read_msd(content: Mapping[str, Any], path: Path, root: Path) -> CaseList:
    """Read a list from the content of its JSON file.

    Parameters
    ----------
    content
        What the file holds.
    path
        The file, for messages and names.
    root
        Absolute folder that its paths start from.

    Raises
    ------
    InputError
        If an item names no files, or not as text.
    """
    parts = {
        part: [
            _draft(item, f"{path}: item {number} of {key!r}", root)
            for key in keys
            for number, item in enumerate(_items(content, key, path))
        ]
        for part, keys in PARTS.items()
    }
    labels, header = _labels(content)
    name = content.get("name")
    if not isinstance(name, str) or not name:
        name = path.parent.name if path.stem == "dataset" else path.stem
    header = {
        key: value
        for key, value in header.items()
        if key != "name" and not any(key in keys for keys in PARTS.values())
    }
    return assemble(parts, path, name, labels, header)


def msd_content(cases: CaseList, folder: Path) -> dict[str, Any]:
    """Return what the JSON file of a list holds.

    Parameters
    ----------
    cases
        The list.
    folder
        Folder that the file will be in, which its paths are relative to.
    """
    content: dict[str, Any] = {"name": cases.name, "description": ""} | dict(cases.header)
    if cases.labels:
        content["labels"] = {str(value): name for value, name in sorted(cases.labels.items())}
    content = {key: value for key, value in content.items() if key not in COUNTS}
    content |= {"numTraining": len(cases.training), "numTest": len(cases.test)}
    if cases.validation:
        content["numValidation"] = len(cases.validation)
    paths = [[e.label or e.image or Path(e.case) for e in cases.part(part)] for part in SPLITS]
    for part, names in zip(SPLITS, part_ids(paths), strict=True):
        entries = cases.part(part)
        if entries or part != "validation":
            content[part] = [
                _item(entry, default, cases.name, folder)
                for entry, default in zip(entries, names, strict=True)
            ]
    if not any(entry.label or entry.more or entry.fold is not None for entry in cases.test) and all(
        set(item) == {"image"} for item in content["test"]
    ):
        content["test"] = [item["image"] for item in content["test"]]
    return content


def _items(content: Mapping[str, Any], key: str, path: Path) -> Sequence[Any]:
    """Return the items of one part, none if it is not there."""
    items = content.get(key)
    if items is None:
        return ()
    if not isinstance(items, list):
        raise InputError(
            f"{path} should hold a list of cases as {key!r}, but holds {type(items).__name__}."
        )
    return items


def _draft(item: Any, where: str, root: Path) -> Draft:
    """Read one item: a dictionary, or the path of an image."""
    if isinstance(item, str):
        item = {"image": item}
    if not isinstance(item, dict):
        raise InputError(f"{where} should be a path or {{image, label}}, but is {item!r:.80}.")
    rest = dict(item)
    images = rest.pop("image", None)
    first, *channels = images if isinstance(images, list) and images else [images]
    image, label = (
        _path(value, f"{where}, {key},", root)
        for key, value in (("image", first), ("label", rest.pop("label", None)))
    )
    if image is None and label is None:
        raise InputError(f"{where} should name an image or a label, but is {item!r:.80}.")
    if channels:
        rest["channels"] = [str(_path(value, f"{where}, image,", root)) for value in channels]
    fold = rest.pop("fold") if is_whole(rest.get("fold")) else None
    names = {key: rest.pop(key) for key in ("case", "patient") if _text(rest.get(key))}
    return Draft(image, label, fold=None if fold is None else int(fold), more=rest, **names)


def _path(value: Any, where: str, root: Path) -> Path | None:
    """Return the place of a file; None for an empty one."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or "\0" in value:
        raise InputError(f"{where} should be a path, but is {value!r:.80}.")
    return locate(value, root)


def _labels(content: Mapping[str, Any]) -> tuple[dict[int, str], dict[str, Any]]:
    """Return the labels and the header without them; what cannot be read stays in the header."""
    header = dict(content)
    for key in ("labels", "label"):  # PANORAMA's list spells it "label"
        labels = read_labels(content.get(key))
        if labels is not None:
            del header[key]
            return labels, header
    return {}, header


def _item(entry: Entry, default: str, name: str, folder: Path) -> dict[str, Any]:
    """Return an entry as an item; id and patient only where the files do not tell them."""
    more = dict(entry.more)
    if entry.channels:
        del more["channels"]
    item: dict[str, Any] = {}
    if entry.image is not None:
        item["image"] = written(entry.image, folder)
        if entry.channels:
            item["image"] = [item["image"], *(written(path, folder) for path in entry.channels)]
    if entry.label is not None:
        item["label"] = written(entry.label, folder)
    if entry.fold is not None:
        item["fold"] = entry.fold
    if entry.case != default:
        item["case"] = entry.case
    if entry.patient != patient_of(entry.case, name):
        item["patient"] = entry.patient
    return item | more


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def dump(content: object) -> bytes:
    """Return JSON as we write it."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
