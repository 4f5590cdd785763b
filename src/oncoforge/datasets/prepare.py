"""Prepare a dataset: find its cases, translate their labels, and write a list of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from oncoforge import anatomy
from oncoforge.datasets.find import Found, find
from oncoforge.datasets.label_table import style_name
from oncoforge.datasets.prepare_case import (
    DONE,
    FAILED,
    IMAGES,
    LABELS,
    Maker,
    Prepared,
    Wishes,
    label_names,
    targets_of,
)
from oncoforge.datasets.prepare_record import LIST, RECORD, head_of, read_earlier, remove, save
from oncoforge.datasets.record import Dataset
from oncoforge.datasets.tables import write_csv
from oncoforge.errors import InputError, OutputError
from oncoforge.lists import CaseList, Entry, patient_of, write_list
from oncoforge.lists.inputs import keep_inputs
from oncoforge.parallel import Failure, Progress, each, silent
from oncoforge.version import __version__

TABLE: Final = "cases.csv"

_SAVE_EVERY_S: Final = 5.0


@dataclass(frozen=True)
class Preparation:
    """A dataset that was prepared.

    Parameters
    ----------
    dataset, way
        Which, and how its folder looked.
    out
        Folder with the result.
    cases
        Every case that was found, in the order of their ids.
    """

    dataset: Dataset
    way: str
    out: Path
    cases: tuple[Prepared, ...]

    @property
    def failed(self) -> tuple[Prepared, ...]:
        """Cases that are not in the list."""
        return tuple(case for case in self.cases if case.status == FAILED)

    @property
    def list_path(self) -> Path | None:
        """The list; None if all cases failed."""
        return self.out / LIST if len(self.failed) < len(self.cases) else None

    def summary(self) -> dict[str, Any]:
        """Return what happened, for machines."""
        done = [case for case in self.cases if case.status == DONE]
        return {
            "dataset": self.dataset.name,
            "layout": self.way,
            "list": None if self.list_path is None else str(self.list_path),
            "cases": len(self.cases),
            "labelled": sum(1 for case in done if case.label),
            "unlabelled": sum(1 for case in done if not case.label),
            "kept": sum(1 for case in done if case.kept),
            "failed": {case.case: case.sentence for case in self.failed},
        }


def prepare(
    dataset: Dataset,
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    wishes: Wishes | None = None,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Preparation:
    """Turn the download of a dataset into images, translated label maps and a list.

    A second run with the same wishes goes on where the first one ended: label maps that are there
    and were made from the same files are kept.

    Parameters
    ----------
    dataset
        From `registry.dataset`.
    root
        Folder of the download.
    out
        Folder for ``images``, ``labels``, ``list.json``, ``cases.csv`` and ``prepare.json``.
    wishes
        How; by default oncoforge labels and links to the images.
    workers
        Number of processes; None for as many as there are cores.
    overwrite
        Replace what a run with other wishes made there.
    progress
        Called after each case.

    Returns
    -------
    Preparation
        All cases; those that failed say why.

    Raises
    ------
    InputError
        If nothing of the dataset is in `root`, or the labels need an organ.
    OutputError
        If `out` holds something else, its files would replace those of `root`, or it cannot be
        written.
    """
    wishes = _checked(wishes or Wishes(), dataset)
    start, target = Path(os.path.abspath(root)), Path(os.path.abspath(out))
    if os.path.realpath(start) == os.path.realpath(target):
        raise OutputError(f"{out} is the folder of the download; choose another --out.")
    findings = find(dataset, start, without=target)
    labelled = next((found for found in findings.cases if found.labels), None)
    if labelled is not None:
        Maker(dataset, wishes, start, target).table(labelled)  # refuses what makes no sense
    head = head_of(dataset, start, findings.way, wishes)
    targets = [RECORD, LIST, TABLE, *(name for f in findings.cases for name in targets_of(f))]
    keep_inputs([target / name for name in targets], _sources(findings.cases))
    earlier = read_earlier(target, head, overwrite, targets)
    _make_folders(target)
    maker = Maker(dataset, wishes, start, target, earlier)
    saved = time.monotonic()
    cases: list[Prepared] = []
    try:
        save(target, head, cases, earlier)  # from here on, what is there is of this run
        for found, result in _results(maker, findings.cases, workers, progress):
            cases.append(_as_case(found, result, dataset))
            if time.monotonic() - saved > _SAVE_EVERY_S:
                save(target, head, cases, earlier)
                saved = time.monotonic()
    finally:
        # Also when it is interrupted: the next run goes on from here.
        save(target, head, cases, earlier)
    made = Preparation(dataset, findings.way, target, tuple(cases))
    _finish(made, wishes, head, earlier)
    return made


def _results(
    maker: Maker, cases: Sequence[Found], workers: int | None, progress: Progress
) -> Iterator[tuple[Found, Prepared | Failure]]:
    return zip(cases, each(maker, cases, workers, progress), strict=True)


def _sources(cases: Sequence[Found]) -> list[Path]:
    images = [found.image for found in cases if found.image is not None]
    return images + [path for found in cases for path in found.labels.values()]


def _checked(wishes: Wishes, dataset: Dataset) -> Wishes:
    """Bring the wishes to their own names, and refuse those that cannot be met."""
    style = style_name(wishes.style)
    organ = None if wishes.organ is None else anatomy.organ(wishes.organ).name
    one_class = dataset.classes and all("{" in name for name in dataset.classes.values())
    if organ is None and (style != "oncoforge" or one_class):
        why = f"The label style {style} is" if style != "oncoforge" else f"{dataset.title} leaves"
        rest = "of one organ" if style != "oncoforge" else "open whose tumours it labels"
        raise InputError(f"{why} {rest}; name the organ with --organ.")
    return replace(wishes, style=style, organ=organ)


def _as_case(found: Found, result: Prepared | Failure, dataset: Dataset) -> Prepared:
    patient = found.patient or patient_of(found.case, dataset.name)
    if isinstance(result, Failure):
        return Prepared(found.case, found.split, patient, FAILED, sentence=result.sentence)
    return replace(result, patient=patient)


def _make_folders(out: Path) -> None:
    try:
        for name in (IMAGES, LABELS):
            (out / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written ({error.strerror or error}); choose another --out."
        ) from error


def _finish(
    made: Preparation, wishes: Wishes, head: Mapping[str, Any], earlier: Mapping[str, Prepared]
) -> None:
    """Write the list and the table, and remove what is of no case any more."""
    wanted = {case.case for case in made.cases if case.status == DONE}
    for name, case in earlier.items():
        if name not in wanted:
            remove(made.out, case)
    save(made.out, head, made.cases, {})
    write_csv(made.out / TABLE, [_row(case) for case in made.cases])
    if made.list_path is None:
        (made.out / LIST).unlink(missing_ok=True)
        return
    write_list(_list_of(made, wishes), made.list_path, kind="msd", overwrite=True)


def _row(case: Prepared) -> dict[str, object]:
    return {
        "case": case.case,
        "patient": case.patient,
        "split": case.split,
        "status": case.status,
        "image": case.image,
        "label": case.label,
        "labels": " ".join(name for name in case.voxels if name != "background"),
        "source_image": case.source_image,
        "source_labels": " ".join(case.source_labels.values()),
        "sentence": case.sentence,
    }


def _list_of(made: Preparation, wishes: Wishes) -> CaseList:
    """Make the list: cases with labels for training, those without as test cases."""
    done = [case for case in made.cases if case.status == DONE]
    entries = [
        Entry(
            case.case,
            made.out / case.image if case.image else None,
            made.out / case.label if case.label else None,
            case.patient,
            more=_part(case),
        )
        for case in done
    ]
    header = {
        "description": f"{made.dataset.title}, prepared by oncoforge",
        "reference": made.dataset.citation,
        "licence": made.dataset.licence,
        "modality": {"0": "CT"},
        "tensorImageSize": "3D",
        "oncoforge": __version__,
        "dataset": made.dataset.name,
        "convention": "oncoforge" if wishes.style == "oncoforge" else wishes.style,
    }
    return CaseList(
        training=tuple(entry for entry in entries if entry.label),
        test=tuple(entry for entry in entries if not entry.label),
        name=made.dataset.name,
        labels=_labels_of(made, wishes),
        header=header,
    )


def _part(case: Prepared) -> dict[str, str]:
    """Return what the dataset calls a case's part, where the list would not tell."""
    return {} if case.split == ("training" if case.label else "test") else {"part": case.split}


def _labels_of(made: Preparation, wishes: Wishes) -> dict[int, str]:
    """Return the values that the label maps can hold: what the dataset labels, seen or not."""
    names = label_names(wishes.style, wishes.organ)
    if wishes.style != "oncoforge":
        return names
    seen = {name for case in made.cases for name in case.voxels}
    convention = made.dataset.convention
    known = {} if convention is None else anatomy.CONVENTIONS[convention].targets
    possible = {*made.dataset.classes.values(), *made.dataset.parts.values(), *known.values()}
    organ = wishes.organ or "{organ}"
    wanted = {"background", *seen, *(name.format(organ=organ) for name in possible)}
    return {value: name for value, name in names.items() if name in wanted}
