"""Cases as a file names them, before they have ids: what every reader hands over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oncoforge.errors import InputError
from oncoforge.lists.entry import SPLITS, CaseList, Entry
from oncoforge.lists.names import part_ids, patient_of


@dataclass(frozen=True)
class Draft:
    """One case as a file gives it; ids and patients are filled in where it gives none."""

    image: Path | None
    label: Path | None
    case: str = ""
    patient: str = ""
    fold: int | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def named_by(self) -> Path:
        """The file whose name is the case's."""
        path = self.label or self.image
        assert path is not None
        return path


def assemble(
    parts: Mapping[str, Sequence[Draft]],
    path: Path,
    name: str = "",
    labels: Mapping[int, str] | None = None,
    header: Mapping[str, Any] | None = None,
) -> CaseList:
    """Make a list of drafted cases.

    Parameters
    ----------
    parts
        Cases by part; each has an image or a label.
    path, name, labels, header
        As in `CaseList`.

    Raises
    ------
    InputError
        If there are none, or the file gives one id to two cases of a part.
    """
    drafts = [tuple(parts.get(part, ())) for part in SPLITS]
    if not any(drafts):
        raise InputError(f"{path} names no cases; expected images and label maps.")
    ids = part_ids([[draft.named_by for draft in part] for part in drafts])
    patients: dict[Path, str] = {}

    def entry(draft: Draft, case: str) -> Entry:
        case = draft.case or case
        patient = draft.patient or patient_of(case, name)
        if draft.image is not None and not draft.patient:
            # One image, listed twice with two label maps, is of one patient.
            patient = patients.setdefault(draft.image, patient)
        return Entry(case, draft.image, draft.label, patient, draft.fold, draft.more)

    training, validation, test = (
        tuple(entry(draft, case) for draft, case in zip(part, names, strict=True))
        for part, names in zip(drafts, ids, strict=True)
    )
    return CaseList(training, validation, test, name, labels or {}, header or {}, path)
