"""Segment many scans into a folder that an interrupted run can be continued in."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oncoforge.errors import OutputError
from oncoforge.formats import read_image, write_image, write_labels
from oncoforge.formats.atomic import atomic_write
from oncoforge.formats.content import content_of, sha256_of
from oncoforge.lists import Entry
from oncoforge.lists.inputs import keep_inputs
from oncoforge.lists.sources import PathLike
from oncoforge.parallel import Failure, Progress, each, silent
from oncoforge.prediction.gate import MARGIN_MM
from oncoforge.prediction.inputs import OrganMasks, find_scans
from oncoforge.prediction.models import common_classes, describe, origin_of, pipeline_of
from oncoforge.prediction.postprocess import Postprocess, find
from oncoforge.prediction.predict import Prediction, check_gate, check_numbers, image_of, predict
from oncoforge.prediction.record import PICTURES, SHEET, Record, resume
from oncoforge.prediction.sliding import choose

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Predictions:
    """What a run over many scans left behind.

    Parameters
    ----------
    out
        The folder of the masks.
    cases
        Case to its record, those of earlier runs with the same settings included.
    made
        Ids of those that this run made.
    failures
        A sentence for each scan without a prediction.
    """

    out: Path
    cases: dict[str, dict[str, Any]]
    made: tuple[str, ...]
    failures: tuple[str, ...]


def predict_all(
    sources: PathLike | Sequence[PathLike],
    models: nn.Module | Sequence[nn.Module],
    out: PathLike,
    *,
    organs: PathLike | Sequence[PathLike] | None = None,
    convention: str = "oncoforge",
    organ: str | None = None,
    gate: str | None = None,
    margin_mm: float = MARGIN_MM,
    overlap: float | None = None,
    flips: Sequence[int] = (),
    precision: str = "auto",
    device: str | None = None,
    postprocess: str | Postprocess | None = None,
    probabilities: PathLike | None = None,
    root: PathLike | None = None,
    split: str | None = None,
    force: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
    windows: Progress = silent,
) -> Predictions:
    """Segment many scans.

    Parameters
    ----------
    sources
        Images, folders, patterns or lists, as for `find_scans`.
    models
        As for `predict`.
    out
        Folder for a mask of each case (``CASE.nii.gz``, uint8, oncoforge labels, on the grid of its
        scan), ``predictions.json``, a picture of each case, and one of all. Cases that an earlier
        run with the same settings left there are not done again, unless their image or the label
        map of their organ has changed since.
    organs
        Label maps with the organs, for the gate and for post-processing that takes them: as for
        `oncoforge.lists.sources.find_sources`; each belongs to the scan of the same case id.
    convention
        How these number their organs.
    organ
        The organ in them that is meant; by default those of the networks.
    gate, margin_mm, overlap, flips, precision, device, postprocess
        As for `predict`.
    probabilities
        Folder for the probabilities of tumours: ``CLASS/CASE.nii.gz``, float32 that were rounded to
        16 bits; outside of `out`.
    root
        Where the relative paths of lists begin.
    split
        Which part of lists to take.
    force
        Skip the checks that images are CT in HU.
    overwrite
        Replace what is in the folder.
    progress
        Called after each scan.
    windows
        Called after each window of a scan.

    Raises
    ------
    InputError
        If there are no scans, or a network or a setting cannot be used.
    OutputError
        If the folder holds predictions that were made otherwise, or cannot be written.
    """
    check_numbers(overlap, margin_mm)
    networks = list(models) if isinstance(models, Sequence) else [models]
    classes = common_classes(networks)
    entries = find_scans(sources, root, split)
    masks = None
    if organs is not None:
        given = [organs] if isinstance(organs, str | os.PathLike) else list(organs)
        masks = OrganMasks.find(given, convention, organ, classes, root).for_scans(entries)
    runner = choose(device, precision, flips)
    finish = find(pipeline_of(networks[0]).postprocess if postprocess is None else postprocess)
    gate = check_gate(gate, masks is not None, finish)
    settings = {
        "models": [describe(network) for network in networks],
        "gate": gate,
        **({"margin_mm": margin_mm} if gate in ("organ", "coarse") else {}),
        **({"organs": list(masks.organs), "convention": masks.convention.name} if masks else {}),
        "overlap": [pipeline_of(n).overlap if overlap is None else overlap for n in networks],
        "flips": list(runner.flips),
        "precision": runner.precision,
        "postprocess": finish.record(),
        "probabilities": probabilities is not None,
    }
    folder = _Folder(Path(out), None if probabilities is None else Path(probabilities), classes)
    folder.check(entries, masks)
    # As it is when it has been through a file.
    record = Record(json.loads(json.dumps(settings)), [origin_of(n) for n in networks])
    record = resume(folder.out, record, overwrite)
    todo = [_Scan(entry) for entry in entries if not _done(record, entry, folder, masks)]
    folder.make()
    work = partial(
        _one, networks=networks, masks=masks, folder=folder, record=record, force=force,
        options={
            "gate": gate, "margin_mm": margin_mm, "overlap": overlap, "flips": runner.flips,
            "precision": runner.precision, "device": runner.device, "postprocess": finish,
            "probabilities": probabilities is not None, "progress": windows,
        },
    )  # fmt: skip
    made = []
    for scan, result in zip(todo, each(work, todo, 1, progress), strict=True):
        if isinstance(result, Failure):
            record.failures[scan.entry.case] = _with_path(result.sentence, scan)
        else:
            made.append(scan.entry.case)
    record.write(folder.out)
    folder.sheet(record)
    return Predictions(
        folder.out, dict(sorted(record.cases.items())), tuple(made), tuple(record.failures.values())
    )


@dataclass(frozen=True)
class _Scan:
    """A scan that is to be done; its path is what people are told of it."""

    entry: Entry

    def __str__(self) -> str:
        return str(self.entry.image)


@dataclass(frozen=True)
class _Folder:
    """Where things go."""

    out: Path
    probabilities: Path | None
    classes: tuple[str, ...]

    def check(self, entries: Sequence[Entry], masks: OrganMasks | None) -> None:
        """Refuse places where inputs are, or where others would look for masks."""
        for place, option in ((self.out, "--out"), (self.probabilities, "--probabilities")):
            if place is not None and place.is_file():
                raise OutputError(f"{place} is a file; give {option} a folder, or a new name.")
        targets = [self.out / f"{entry.case}.nii.gz" for entry in entries]
        if self.probabilities is not None:
            inner, outer = self.probabilities.absolute(), self.out.absolute()
            if outer in (inner, *inner.parents):
                raise OutputError(
                    f"{self.probabilities} lies in {self.out}, where its maps would be taken for "
                    "masks; give --probabilities a folder of its own."
                )
            targets += [self.maps(e.case)[name] for e in entries for name in self.tumors]
        read = [*entries, *(masks.entries.values() if masks else ())]
        keep_inputs(targets, [path for entry in read for path in entry.files])

    def make(self) -> None:
        """Make the folders."""
        places = [self.out / PICTURES]
        if self.probabilities is not None:
            places += [self.probabilities / name for name in self.tumors]
        for place in places:
            try:
                place.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"{place} cannot be made ({error.strerror or error}); choose another folder."
                ) from error

    @property
    def tumors(self) -> list[str]:
        return [name for name in self.classes if name.endswith("_tumor")]

    def maps(self, case: str) -> dict[str, Path]:
        """Return where the probabilities of a case go."""
        if self.probabilities is None:
            return {}
        return {name: self.probabilities / name / f"{case}.nii.gz" for name in self.tumors}

    def write(self, case: str, prediction: Prediction) -> None:
        """Write a case; its mask last."""
        from oncoforge.reports.predictions import draw  # needs Matplotlib

        source, labels = prediction.scan.source, prediction.labels
        for name, path in self.maps(case).items():
            write_image(path, prediction.probabilities[name], source, "float32")
        png = draw(image_of(prediction.scan), labels, prediction.scan.spacing, case, self.classes,
                   prediction.volumes_mm3())  # fmt: skip
        with atomic_write(self.out / PICTURES / f"{case}.png") as file:
            file.write(png)
        write_labels(self.out / f"{case}.nii.gz", labels, source)

    def sheet(self, record: Record) -> None:
        """Put the pictures of all cases on one sheet."""
        from oncoforge.reports.predictions import stitch  # needs Matplotlib

        pictures = [self.out / PICTURES / f"{case}.png" for case in sorted(record.cases)]
        there = [path for path in pictures if path.is_file()]
        if there:
            png = stitch(there)
            with atomic_write(self.out / SHEET) as file:
                file.write(png)


def _done(record: Record, entry: Entry, folder: _Folder, masks: OrganMasks | None) -> bool:
    """Tell whether an earlier run has done a case; forget it, if it was made from other files."""
    row = record.cases.get(entry.case)
    if row is None:
        return False
    if row["input"] != str(entry.image):
        raise OutputError(
            f"{folder.out} holds the case {entry.case!r} as predicted from {row['input']}, and now "
            f"it is {entry.image}; choose another folder, or --overwrite to replace it."
        )
    read = _contents(entry, masks)
    if any(row.get(name) != content for name, content in read.items()):
        # Its mask shows other voxels, and must not stay if the case now fails.
        del record.cases[entry.case]
        if all(read.values()):
            for path in (
                folder.out / str(row["mask"]),
                folder.out / PICTURES / f"{entry.case}.png",
            ):
                path.unlink(missing_ok=True)
        return False
    return all(path.is_file() for path in folder.maps(entry.case).values())


def _contents(entry: Entry, masks: OrganMasks | None) -> dict[str, str]:
    """Return hashes of what a case is made from: its image, and the label map of its organ."""
    assert entry.image is not None  # find_scans gives no others
    told = {"input_sha256": content_of(entry.image)}
    found = None if masks is None else masks.entries.get(entry.case)
    if found is not None and found.label is not None:
        told["organs_sha256"] = content_of(found.label)
    return told


def _one(
    scan: _Scan,
    networks: Sequence[nn.Module],
    masks: OrganMasks | None,
    folder: _Folder,
    record: Record,
    force: bool,
    options: dict[str, Any],
) -> None:
    """Segment one scan, write it, and say so in the record."""
    entry = scan.entry
    assert entry.image is not None  # find_scans gives no others
    contents = _contents(entry, masks)
    volume = read_image(entry.image, force=force)
    organ = None if masks is None else masks.of(entry, volume)
    prediction = predict(volume, networks, organ=organ, **options)
    folder.write(entry.case, prediction)
    record.cases[entry.case] = {
        "input": str(entry.image),
        **contents,
        "mask": f"{entry.case}.nii.gz",
        "sha256": sha256_of(folder.out / f"{entry.case}.nii.gz"),
        "shape": list(volume.source.grid.shape),
        "spacing_mm": [round(mm, 6) for mm in volume.source.grid.spacing],
        "windows": prediction.windows,
        "windows_without_gate": prediction.windows_without_gate,
        "volumes_mm3": prediction.volumes_mm3(),
        "remarks": [*prediction.remarks, *(masks.remarks(prediction.classes) if masks else ())],
    }
    record.write(folder.out)


def _with_path(sentence: str, scan: _Scan) -> str:
    """Make sure that a sentence names the file that it is about."""
    return sentence if str(scan) in sentence else f"{scan}: {sentence}"
