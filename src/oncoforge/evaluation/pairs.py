"""Which prediction belongs to which truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oncoforge.errors import InputError
from oncoforge.lists import Entry
from oncoforge.lists.names import stem
from oncoforge.lists.sources import PathLike, find_sources
from oncoforge.reports.wording import count

_MOST_NAMES = 5


@dataclass(frozen=True)
class Pair:
    """One case: its true label map, and those that models predicted.

    Parameters
    ----------
    case, patient, fold
        Which it is, of whom, and in which fold it is validated.
    truth
        Its label map.
    predictions
        Model to label map; models that have none are absent.
    image
        The CT, for pictures.
    probabilities
        Model and organ to a map of the organ's tumour probabilities.
    """

    case: str
    patient: str
    fold: int | None
    truth: Path
    predictions: Mapping[str, Path]
    image: Path | None = None
    probabilities: Mapping[tuple[str, str], Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Pairing:
    """All cases, and what was left over.

    Parameters
    ----------
    pairs
        Those that any model has a prediction of, in the order of the truths.
    missing
        A sentence for each truth and model without a prediction.
    remarks
        A sentence for each model with predictions that have no truth.
    """

    pairs: tuple[Pair, ...]
    missing: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def find_pairs(
    truth: Sequence[PathLike],
    models: Mapping[str, Sequence[PathLike]],
    *,
    images: PathLike | None = None,
    root: PathLike | None = None,
    fold: int | None = None,
) -> Pairing:
    """Pair predictions with truths by the names of their cases.

    A prediction is named like the case, or like the file of its truth or of its image. Several
    folders of one model, as of the folds of a cross-validation, are one set.

    Parameters
    ----------
    truth
        Label maps: files, folders, patterns, or lists of cases.
    models
        Name of each model to where its predictions are, likewise.
    images
        Folder with the images, for pictures.
    root
        Where the relative paths of lists begin.
    fold
        Keep the cases that the list of truths validates in this fold.

    Raises
    ------
    InputError
        If nothing is there, no names agree, a model has two predictions of one case, or a file is
        both truth and prediction.
    """
    entries = find_sources(truth, images, root)
    found = {name: _of_model(name, places, entries, root) for name, places in models.items()}
    remarks = [_extra(name, extra) for name, (_, extra) in found.items() if extra]
    if fold is not None:
        entries = _of_fold(entries, fold)
    missing, pairs = [], []
    for entry in entries:
        assert entry.label is not None  # find_sources gives no others
        own = {name: by[entry.case] for name, (by, _) in found.items() if entry.case in by}
        missing += [
            f"{entry.label}: {name} has no prediction of this case ({entry.case})."
            for name in models
            if name not in own
        ]
        if own:
            pairs.append(Pair(entry.case, entry.patient, entry.fold, entry.label, own, entry.image))
    if not pairs:
        raise InputError(f"No model has a prediction of any case of fold {fold}.")
    return Pairing(tuple(pairs), tuple(missing), tuple(remarks))


def _of_model(
    name: str, places: Sequence[PathLike], truths: Sequence[Entry], root: PathLike | None
) -> tuple[dict[str, Path], list[Path]]:
    """Return a model's predictions by case, and those that belong to none."""
    cases = _names(truths)
    labels = {entry.label for entry in truths}
    found: dict[str, Path] = {}
    extra: list[Path] = []
    for entry in find_sources(places, None, root):
        assert entry.label is not None  # find_sources gives no others
        if entry.label in labels:
            raise InputError(f"{entry.label} is both a truth and a prediction of {name}.")
        case = cases.get(entry.case) or cases.get(stem(entry.label))
        if case is None:
            extra.append(entry.label)
        elif case in found:
            raise InputError(
                f"{name} has two predictions of {case}: {found[case]} and {entry.label}; give one "
                "of each case."
            )
        else:
            found[case] = entry.label
    if not found and len(truths) == 1 and [Path(place).absolute() for place in places] == extra:
        return {truths[0].case: extra[0]}, []  # one file against one file, whatever they are called
    if not found:
        raise InputError(
            f"None of {count(len(extra), 'prediction')} of {name}, such as {extra[0].name}, is "
            f"named like one of {count(len(truths), 'truth')}, such as {_example(truths[0])}. "
            "Name them alike, or give lists of cases."
        )
    return found, extra


def _names(truths: Sequence[Entry]) -> dict[str, str]:
    """Return every name by which one truth alone may be called, and its case."""
    names: dict[str, str] = {}
    for of_entry in (_of_image, _of_label, _of_case):  # the surest last
        given = [(of_entry(entry), entry.case) for entry in truths]
        often = Counter(name for name, _ in given)
        names |= {name: case for name, case in given if name and often[name] == 1}
    return names


def _of_case(entry: Entry) -> str:
    return entry.case


def _of_label(entry: Entry) -> str:
    return "" if entry.label is None else stem(entry.label)


def _of_image(entry: Entry) -> str:
    return "" if entry.image is None else stem(entry.image)


def _example(entry: Entry) -> str:
    name = "" if entry.label is None else entry.label.name
    return name if stem(Path(name)) == entry.case else f"{name} ({entry.case})"


def _of_fold(entries: Sequence[Entry], fold: int) -> tuple[Entry, ...]:
    kept = tuple(entry for entry in entries if entry.fold == fold)
    if not kept:
        known = sorted({entry.fold for entry in entries if entry.fold is not None})
        has = f"the folds {', '.join(map(str, known))}" if known else "no folds"
        raise InputError(f"The truths have {has}; there is no fold {fold}.")
    return kept


def _extra(name: str, extra: Sequence[Path]) -> str:
    shown = ", ".join(path.name for path in extra[:_MOST_NAMES])
    more = f" and {len(extra) - _MOST_NAMES} more" if len(extra) > _MOST_NAMES else ""
    return f"{count(len(extra), 'prediction')} of {name} without a truth: {shown}{more}."
