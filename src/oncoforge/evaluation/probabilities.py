"""How probable tumours are, by the maps that networks left: what patients are ranked by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from oncoforge.anatomy import ORGANS
from oncoforge.errors import InputError
from oncoforge.evaluation.pairs import Pair
from oncoforge.formats.open import open_volume
from oncoforge.lists.names import stem
from oncoforge.lists.sources import PathLike, find_sources


def with_probabilities(pairs: Sequence[Pair], places: Mapping[str, PathLike]) -> tuple[Pair, ...]:
    """Add the maps of tumour probabilities to cases.

    Parameters
    ----------
    pairs
        The cases.
    places
        Model to folder, as ``oncoforge predict --probabilities`` fills it:
        ``liver_tumor/CASE.nii.gz``.

    Raises
    ------
    InputError
        If a folder holds no maps, or not those of every case that the model has a prediction of.
    """
    maps: dict[str, dict[tuple[str, str], Path]] = {pair.case: {} for pair in pairs}
    for model, folder in places.items():
        for organ, files in _by_organ(Path(folder)).items():
            for pair in pairs:
                if model not in pair.predictions:
                    continue
                names = (pair.case, stem(pair.predictions[model]), stem(pair.truth))
                own = next((files[name] for name in names if name in files), None)
                if own is None:
                    raise InputError(
                        f"{Path(folder) / f'{organ}_tumor'} has no map of {pair.case}; patients "
                        "are ranked by probabilities only if every case has some."
                    )
                maps[pair.case][model, organ] = own
    return tuple(replace(pair, probabilities=maps[pair.case]) for pair in pairs)


def largest(path: Path) -> float:
    """Return the largest probability of a map.

    Raises
    ------
    InputError
        If it cannot be read, or holds other numbers than those from 0 to 1.
    """
    values = open_volume(path).image()
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        raise InputError(
            f"{path} holds values from {low:g} to {high:g}; probabilities are from 0 to 1."
        )
    return high


def _by_organ(folder: Path) -> dict[str, dict[str, Path]]:
    """Return the maps in a folder: organ, and name of the case, to file."""
    found = {}
    for name, organ in ORGANS.items():
        inner = folder / f"{name}_tumor"
        if organ.tumor_label is not None and inner.is_dir():
            entries = find_sources([inner])
            found[name] = {stem(e.label): e.label for e in entries if e.label is not None}
    if not found:
        raise InputError(
            f"{folder} holds no maps of tumour probabilities: no folder such as liver_tumor is in "
            "it, as oncoforge predict --probabilities makes them."
        )
    return found
