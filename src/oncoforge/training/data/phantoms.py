"""Patients who do not exist, written as files and lists, to try training without any data."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from oncoforge import anatomy
from oncoforge.case import Case
from oncoforge.errors import InputError, OutputError
from oncoforge.formats import write_image, write_labels
from oncoforge.lists import CaseList, Entry
from oncoforge.lists.write import write_list
from oncoforge.parallel import Failure, Progress, each, silent
from oncoforge.phantom import make_phantom
from oncoforge.synthesis.cases import synthesize
from oncoforge.training.seeds import number
from oncoforge.training.settings import PhantomSettings
from oncoforge.version import __version__

LIST = "list.json"
HEALTHY, TUMORS = "training", "validation"

_SIZES = ("medium", "large", "small")
"""Size classes of the tumours, phantom by phantom."""

_TRIES = 8
"""A tumour may find no place to grow; then its seed is changed."""


def phantoms(
    settings: PhantomSettings,
    organs: Sequence[anatomy.Organ],
    folder: Path,
    seed: int = 0,
    *,
    workers: int | None = None,
    progress: Progress = silent,
) -> Path:
    """Make phantoms, or find those that were made before.

    Parameters
    ----------
    settings
        How many.
    organs
        Those in which tumours are grown, for validation.
    folder
        Where they are kept, each set in a folder of its own.
    seed
        The same seed is the same patients.
    workers
        Processes; None for as many as there are cores. The result does not depend on it.
    progress
        Called after each phantom.

    Returns
    -------
    Path
        Of the list: healthy ones for training, ones with grown tumours for validation, their labels
        in oncoforge's numbers.

    Raises
    ------
    InputError
        If a number makes no sense.
    OutputError
        If the folder cannot be written.
    """
    if settings.healthy < 0 or settings.validation < 0:
        raise InputError(
            f"phantoms.healthy ({settings.healthy}) and validation ({settings.validation}) are "
            "numbers from 0."
        )
    what = {
        **asdict(settings),
        "organs": [organ.name for organ in organs],
        "seed": seed,
        "version": __version__,
    }
    place = folder / sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
    if not (place / LIST).is_file():
        _make(place, settings, organs, seed, workers, progress)
    return place / LIST


def _make(
    place: Path,
    settings: PhantomSettings,
    organs: Sequence[anatomy.Organ],
    seed: int,
    workers: int | None,
    progress: Progress,
) -> None:
    """Make a set under another name, and rename it when it is whole."""
    temporary = place.with_name(f".{place.name}-{secrets.token_hex(4)}")
    try:
        temporary.mkdir(parents=True)
        work = _Work(temporary, settings.spacing_mm, tuple(organs), seed)
        items = [(HEALTHY, n) for n in range(settings.healthy)]
        items += [(TUMORS, n) for n in range(settings.validation)]
        # All of them, as a generator that is left early warns.
        for failure in list(each(work, items, workers, progress)):
            if isinstance(failure, Failure):
                raise InputError(f"A phantom could not be made: {failure.sentence}")
        well, sick = (
            tuple(_entry(temporary, part, n) for one, n in items if one == part)
            for part in (HEALTHY, TUMORS)
        )
        write_list(CaseList(well, sick, name="phantoms"), temporary / LIST)
        # Another process may have been quicker; its files are the same.
        with suppress(FileExistsError, NotADirectoryError):
            _rename(temporary, place)
    except OSError as error:
        raise OutputError(
            f"{place.parent} cannot be written ({error.strerror or error}); choose another folder "
            "for the cache."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _rename(temporary: Path, place: Path) -> None:
    try:
        os.rename(temporary, place)
    except OSError:
        if not (place / LIST).is_file():
            raise


class _Work:
    """Makes one phantom, in any process."""

    def __init__(
        self,
        folder: Path,
        spacing_mm: tuple[float, float, float],
        organs: tuple[anatomy.Organ, ...],
        seed: int,
    ) -> None:
        self.folder, self.spacing_mm, self.organs, self.seed = folder, spacing_mm, organs, seed

    def __call__(self, item: tuple[str, int]) -> None:
        part, index = item
        patient = number(self.seed, "phantom", part, index)
        case = make_phantom(patient, self.spacing_mm).case()
        if part == TUMORS:
            for organ in self.organs:
                case = _grown(case, organ, _SIZES[index % len(_SIZES)], patient)
        entry = _entry(self.folder, part, index)
        assert entry.image is not None
        assert entry.label is not None
        write_image(entry.image, case.image, case)
        write_labels(entry.label, case.labels, case)


def _entry(folder: Path, part: str, index: int) -> Entry:
    name = f"phantom-{'healthy' if part == HEALTHY else 'tumors'}-{index:03d}"
    return Entry(name, folder / f"{name}.nii.gz", folder / f"{name}-labels.nii.gz")


def _grown(case: Case, organ: anatomy.Organ, size: str, patient: int) -> Case:
    """Grow tumours in an organ of a phantom."""
    for attempt in range(_TRIES):
        seed = number(patient, "growth", organ.name, attempt)
        made = synthesize(case, organ.name, "cellular", size, seed)
        if made.synthesis.lesions:
            return made
    raise InputError(f"No tumour found a place in the {organ.name} of a phantom; use finer voxels.")
