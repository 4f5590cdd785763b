"""The cases that lists name: found, told apart, and kept out of where they do not belong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oncoforge.anatomy import convention
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.lists import SPLITS, CaseList, Entry
from oncoforge.lists.read import read_list
from oncoforge.store import CaseFiles
from oncoforge.training.settings import SourceSettings

_RECORD = "lesions.json"
"""What `oncoforge synth` leaves beside its image."""

_YES = ("1", "true", "yes")


@dataclass(frozen=True)
class Found:
    """A case of a list.

    Parameters
    ----------
    files
        Its files, and how its labels are numbered.
    list
        The list that names it.
    """

    files: CaseFiles
    list: Path

    @property
    def entry(self) -> Entry:
        """The case as its list has it."""
        return self.files.entry


def find_cases(
    settings: SourceSettings, part: str, fold: int | None, organ: str | None, *, needs_fold: bool
) -> tuple[Found, ...]:
    """Return the cases of some lists.

    Parameters
    ----------
    settings
        Which lists.
    part
        Which part of them.
    fold
        Cases of this fold are the validation part; None takes the lists as they are.
    organ
        Which organ is meant by conventions that number "organ" and "tumour" only.
    needs_fold
        Refuse a list that knows no folds where one is asked for; else it is taken as it is.

    Raises
    ------
    InputError
        If a list cannot be read, or its files are not there.
    UnknownNameError
        If there is no such part or convention.
    """
    if part not in SPLITS:
        raise UnknownNameError("part of a list", part, SPLITS)
    open_organ = organ if convention(settings.convention, organ).organ else None
    found = []
    for path in settings.lists:
        cases = _read(path, settings.root, fold, needs_fold)
        source = cases.path or Path(path)
        entries = cases.part(part)
        _check_there(entries, source, part)
        found += [Found(CaseFiles(one, settings.convention, open_organ), source) for one in entries]
    return tuple(found)


def _read(path: str, root: str | None, fold: int | None, needs_fold: bool) -> CaseList:
    if not Path(path).exists():
        raise InputError(
            f"There is no list {path} in {Path.cwd()}; make it with 'oncoforge prepare', or name "
            "another one in --data.healthy.lists, --data.real.lists or --data.validation.lists."
        )
    if fold is None or needs_fold:
        return read_list(path, root, fold=fold)
    plain = read_list(path, root)
    if fold < 0:
        raise InputError(f"data.fold is {fold}; give one from 0.")
    known = any(entry.fold is not None for entry in plain)
    return read_list(path, root, fold=fold) if known else plain


def _check_there(entries: Sequence[Entry], source: Path, part: str) -> None:
    """Raise `InputError` if files of a list are not there, or not named."""
    for entry in entries:
        if entry.image is None or entry.label is None:
            lacks = "image" if entry.image is None else "label map"
            raise InputError(
                f"{source} names no {lacks} for the {part} case {entry.case}; training needs both."
            )
    files = [file for entry in entries for file in (entry.image, entry.label) if file]
    lost = [file for file in files if not file.exists()]
    if lost:
        raise InputError(
            f"{len(lost)} of the {len(files)} files that {source} names for {part} are not there, "
            f"such as {lost[0]}; if they were moved, say where the list's paths begin (root)."
        )


def check_apart(training: Sequence[Found], validation: Sequence[Found]) -> None:
    """Raise `InputError` if a patient, an image or a label map is in training and validation.

    Names of patients are compared in one list, and between lists where they are more than the id
    of the case: ids of two datasets need not mean the same patient.
    """
    known = {key: one for one in training for key in _keys(one)}
    for one in validation:
        for key in _keys(one):
            if key in known:
                what = {"file": f"the file {key[-1]}", "patient": f"the patient {key[-1]}"}[key[0]]
                raise InputError(
                    f"Training and validation share {what} (cases {known[key].entry.case} of "
                    f"{known[key].list} and {one.entry.case} of {one.list}); keep the cases of a "
                    "patient in one part (oncoforge prepare split does)."
                )


def _keys(one: Found) -> Iterator[tuple[str, ...]]:
    entry = one.entry
    for file in (entry.image, entry.label):
        if file is not None:
            yield "file", str(file.resolve())
    yield "patient", str(one.list), entry.patient
    if entry.patient != entry.case:
        yield "patient", entry.patient


def check_real(validation: Sequence[Found]) -> None:
    """Raise `InputError` if a case of validation has synthetic tumours."""
    made = [one for one in validation if _is_synthetic(one.entry)]
    if made:
        raise InputError(
            f"{len(made)} of the {len(validation)} validation cases have synthetic tumours, such "
            f"as {made[0].entry.case} of {made[0].list}; networks are validated on real ones. "
            "Move them to training."
        )


def _is_synthetic(entry: Entry) -> bool:
    """Tell whether a list says so, or `oncoforge synth` made the image."""
    if str(entry.more.get("synthetic", "")).lower() in _YES:
        return True
    record = entry.image.parent / _RECORD if entry.image else None
    return record is not None and record.is_file() and "recipe" in _content(record)


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
