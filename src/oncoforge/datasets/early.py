"""Keep small tumours only: label maps and lists of early tumours, as DiffTumor is trained on."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from oncoforge import anatomy
from oncoforge.anatomy.organs import tumor_bearing
from oncoforge.datasets.early_maps import Limits, Tally, select_case, tumor_classes
from oncoforge.errors import InputError
from oncoforge.lists import CaseList, Entry
from oncoforge.lists.inputs import keep_inputs
from oncoforge.lists.sources import PathLike, find_sources
from oncoforge.lists.write import write_list
from oncoforge.parallel import Failure, Progress, each, silent
from oncoforge.staging import staging
from oncoforge.version import __version__

LIST: Final = "list.json"
LATE: Final = "late.json"
RECORD: Final = "early.json"
LABELS: Final = "labels"


@dataclass(frozen=True)
class Selection:
    """What was selected.

    Parameters
    ----------
    tallies
        Of every case and organ with tumour voxels.
    early, late
        The lists that were written: cases with early tumours, and with larger ones.
    failures
        Cases that could not be used: one sentence each.
    cases
        How many there were.
    """

    tallies: tuple[Tally, ...]
    early: CaseList
    late: CaseList
    failures: tuple[str, ...]
    cases: int


def select_early(
    sources: PathLike | Sequence[PathLike],
    out: PathLike,
    convention: str = "oncoforge",
    organ: str | None = None,
    limits: Limits | None = None,
    *,
    images: PathLike | None = None,
    root: PathLike | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Selection:
    """Write label maps in which only early tumours are tumours; all others become organ.

    The folder gets ``labels`` (one map for each case with an early tumour, in the convention of the
    input), ``list.json`` (these cases), ``late.json`` (cases with a larger tumour, with their
    label maps as they were; a case may be in both) and ``early.json`` (counts per case). Where a
    dataset labels tumours of several organs, there are lists per organ too, such as
    ``list-liver.json``. Where its maps hold no organ, tumours that go become background.

    Parameters
    ----------
    sources
        Label maps: files, folders, patterns or lists of cases, as for `find_sources`.
    out
        Folder for the result.
    convention
        How the label maps number organs and tumours.
    organ
        Organ whose tumours are selected, the others stay as they are; None for all.
    limits
        What counts as early.
    images
        Folder with the images, paired by case id; lists may name images too.
    root
        Where the relative paths of lists begin.
    workers
        Number of processes; None for as many as there are cores.
    overwrite
        Replace an earlier selection.
    progress
        Called after each case.

    Raises
    ------
    InputError
        If there are no label maps, none can be used, or none holds an early tumour.
    OutputError
        If the folder holds a selection already, or cannot be written. Nothing is left behind.
    """
    limits, folder = limits or Limits(), Path(out).absolute()
    name = None if organ is None else tumor_bearing(organ).name
    translation = anatomy.convention(convention, name)
    classes = tumor_classes(translation, name)
    given = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    entries = find_sources(given, images, root)
    files = _file_names([entry.case for entry in entries])
    lists = [LIST, LATE, RECORD]
    lists += [f"{kind}-{o}.json" for o in classes for kind in ("list", "late")]
    names = dict.fromkeys([*files, *_earlier(folder)])
    targets = [*(folder / n for n in lists), *(folder / LABELS / n for n in names)]
    keep_inputs(targets, [*given, *(path for entry in entries for path in entry.files)])
    with (
        staging(folder, lists, overwrite) as stage,
        staging(folder / LABELS, list(names), overwrite) as maps,
    ):
        work = partial(
            select_case,
            convention=translation,
            classes=classes,
            limits=limits,
            paired=images is not None,
            folder=maps,
        )
        named = list(zip(entries, files, strict=True))
        tallies: list[Tally] = []
        failures: list[str] = []
        for entry, result in zip(entries, each(work, named, workers, progress), strict=True):
            if isinstance(result, Failure):
                sentence, label = result.sentence, str(entry.label)
                failures.append(sentence if label in sentence else f"{label}: {sentence}")
            else:
                tallies += result
        _check(tallies, failures, len(entries), limits)
        originals = {entry.case: entry for entry in entries}
        places = {e.case: folder / LABELS / file for e, file in named}
        lister = _Lister(tallies, originals, places, translation.classes)
        early, late = lister.lists(None)
        for kind in [None, *classes] if len(classes) > 1 else [None]:
            ending = "" if kind is None else f"-{kind}"
            for stem, cases in zip(("list", "late"), lister.lists(kind), strict=True):
                if len(cases):
                    write_list(cases, stage / f"{stem}{ending}.json", relative_to=folder)
        record = {
            "oncoforge": __version__,
            "convention": translation.name,
            "organ": name,
            **asdict(limits),
            "cases": [asdict(tally) for tally in tallies],
            "labels": sorted(path.name for path in maps.iterdir()),
            "failures": failures,
        }
        text = json.dumps(record, indent=2, ensure_ascii=False)
        (stage / RECORD).write_text(text + "\n", encoding="utf-8")
    return Selection(tuple(tallies), early, late, tuple(failures), len(entries))


@dataclass(frozen=True)
class _Lister:
    """Makes the lists of cases with early tumours and with larger ones."""

    tallies: Sequence[Tally]
    originals: Mapping[str, Entry]
    places: Mapping[str, Path]
    classes: Mapping[int, str]

    def lists(self, organ: str | None) -> tuple[CaseList, CaseList]:
        """Return both, of one organ or of all."""
        mine = [tally for tally in self.tallies if organ in (None, tally.organ)]
        early = dict.fromkeys(tally.case for tally in mine if tally.early)
        late = dict.fromkeys(tally.case for tally in mine if tally.late)
        of = "" if organ is None else f", {organ}"
        return (
            CaseList(
                tuple(replace(self.originals[c], label=self.places[c]) for c in early),
                name=f"early tumours{of}",
                labels=self.classes,
            ),
            CaseList(
                tuple(self.originals[c] for c in late),
                name=f"larger tumours{of}",
                labels=self.classes,
            ),
        )


def _check(tallies: Sequence[Tally], failures: Sequence[str], cases: int, limits: Limits) -> None:
    """Refuse to write a selection of nothing."""
    if len(failures) == cases:
        raise InputError(f"None of the {cases} cases could be used. {failures[0]}")
    if not any(tally.early for tally in tallies):
        sizes = [tally.smallest_mm for tally in tallies if tally.smallest_mm is not None]
        told = (
            f"the smallest is {min(sizes):.1f} mm; raise --max-diameter"
            if sizes
            else "there is no tumour at all; check the convention"
        )
        raise InputError(
            f"No tumour of {cases} case{'s' * (cases != 1)} is {limits.max_diameter_mm:g} mm or "
            f"less in diameter: {told}."
        )


def _file_names(cases: Sequence[str]) -> list[str]:
    """Return a file name for each case, no two alike whatever the file system makes of them."""
    names: list[str] = []
    taken: set[str] = set()
    for case in cases:
        stem = re.sub(r"[^\w.+-]+", "_", case).strip("._") or "case"
        own, number = stem, 2
        while own.casefold() in taken:
            own, number = f"{stem}_{number}", number + 1
        taken.add(own.casefold())
        names.append(f"{own}.nii.gz")
    return names


def _earlier(folder: Path) -> list[str]:
    """Return the label maps of an earlier selection: they go if another one is written."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))["labels"]
        return [n for n in found if isinstance(n, str) and n == Path(n).name and ".nii" in n]
    return []
