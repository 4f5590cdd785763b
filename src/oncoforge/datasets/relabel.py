"""Turn label maps from one convention into another, with an account of every voxel."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from oncoforge import anatomy
from oncoforge.datasets.label_table import (
    LabelTable,
    Moved,
    convention_of,
    is_style,
    table_of_convention,
)
from oncoforge.errors import InputError
from oncoforge.formats.open import open_labels
from oncoforge.formats.write import write_labels
from oncoforge.lists import case_ids, read_list
from oncoforge.lists.inputs import keep_inputs
from oncoforge.lists.msd import dump
from oncoforge.lists.names import ENDINGS, ending
from oncoforge.parallel import Failure, Progress, each, silent
from oncoforge.staging import staging

REPORT: Final = "relabel.json"

_LISTS: Final = (".json", ".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class Relabelled:
    """One label map.

    Parameters
    ----------
    source
        The file as it was given.
    file
        Name of the new one; empty if it failed.
    moved
        How many voxels of each value became what.
    sentence
        Why it failed; else empty.
    """

    source: Path
    file: str = ""
    moved: tuple[Moved, ...] = ()
    sentence: str = ""


def translation(
    source: str | None,
    target: str | None,
    organ: str | None = None,
    first: Mapping[int, int] | None = None,
) -> LabelTable:
    """Make the table of a relabelling.

    Parameters
    ----------
    source
        Label convention of the files; None to change nothing but what `first` says.
    target
        A label style (``oncoforge``, ``organ-tumor``, ``tumor-only``) or another convention;
        None for ``oncoforge``.
    organ
        The organ of interest, for styles of one organ and conventions that leave it open.
    first
        Values that are replaced before anything else, such as ``{3: 1}`` for cysts of KiTS.

    Raises
    ------
    UnknownNameError
        If there is no such convention, style or organ.
    InputError
        If nothing would be changed, an organ is missing, or the target tells apart what the source
        does not.

    Examples
    --------
    >>> translation("btcv", "organ-tumor", organ="liver").values[6]
    1
    """
    replaced = dict(first or {})
    if source is None:
        if target is not None:
            raise InputError("Say with --from in which convention the label maps are.")
        if not replaced:
            raise InputError("Say what to change: --from and --to, or --map.")
        return LabelTable(replaced, "known", keep=True)
    if target is None or is_style(target):
        return table_of_convention(source, organ, target or "oncoforge").after(replaced)
    return _between(convention_of(source, organ), convention_of(target, organ)).after(replaced)


def relabel(
    labels: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    table: LabelTable,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> tuple[Relabelled, ...]:
    """Translate label maps into a folder; grids, headers and names stay as they are.

    Parameters
    ----------
    labels
        Files, folders, patterns with ``*``, or lists of cases.
    out
        Folder for the new maps and ``relabel.json``.
    table
        From `translation`.
    workers
        Number of processes; None for as many as there are cores.
    overwrite
        Replace files that are there.
    progress
        Called after each file.

    Returns
    -------
    tuple of Relabelled
        One per file, in their order; those that failed say why.

    Raises
    ------
    InputError
        If there are no label maps.
    OutputError
        If files are there already, or the folder cannot be written.
    """
    sources = label_files(labels)
    folder = Path(out).absolute()
    names = [
        f"{case}{ending(path) if path.name.lower().endswith(('.nii', '.nii.gz')) else '.nii.gz'}"
        for case, path in zip(case_ids(sources), sources, strict=True)
    ]
    targets = [REPORT, *names]
    keep_inputs([folder / name for name in targets], [*sources, *labels])
    # All or none, so that a run that is stopped can simply be started again.
    with staging(folder, targets, overwrite) as stage:
        work = partial(_relabel_one, folder=stage, table=table)
        results = each(work, list(zip(sources, names, strict=True)), workers, progress)
        done = tuple(
            Relabelled(source, sentence=one.sentence) if isinstance(one, Failure) else one
            for source, one in zip(sources, results, strict=True)
        )
        content = dump({"files": [_entry(one) for one in done], "moved": totals(done)})
        (stage / REPORT).write_bytes(content)
    return done


def label_files(given: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Return the label maps that files, folders, patterns and lists stand for.

    Raises
    ------
    InputError
        If one of them stands for nothing.
    """
    found: dict[Path, None] = {}
    for text in given:
        paths = list(_expanded(text))
        if not paths:
            raise InputError(f"{text} holds no label maps; expected {', '.join(ENDINGS)}.")
        found |= dict.fromkeys(paths)
    if not found:
        raise InputError("Give label maps: files, folders, patterns, or a list of cases.")
    return list(found)


def totals(done: Iterable[Relabelled]) -> list[dict[str, int]]:
    """Add up over files how many voxels of each value became what."""
    counts: dict[tuple[int, int], int] = {}
    for one in done:
        for m in one.moved:
            counts[m.value, m.to] = counts.get((m.value, m.to), 0) + m.voxels
    return [{"value": v, "to": to, "voxels": n} for (v, to), n in sorted(counts.items())]


def _expanded(text: str | os.PathLike[str]) -> Iterator[Path]:
    path = Path(os.path.abspath(text))
    if path.is_dir():
        yield from sorted(
            p for p in path.rglob("*") if ending(p) and not p.name.startswith(".") and p.is_file()
        )
    elif path.suffix.lower() in _LISTS and path.is_file():
        yield from (entry.label for entry in read_list(path) if entry.label)
    elif not path.exists() and glob.has_magic(str(path)):
        yield from (Path(name) for name in sorted(glob.glob(str(path), recursive=True)))
    else:
        yield path


def _relabel_one(item: tuple[Path, str], folder: Path, table: LabelTable) -> Relabelled:
    source, name = item
    stored = open_labels(source)
    array = stored.labels()
    try:
        labels, moved = table.apply(array)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    write_labels(folder / name, labels, stored.source)
    return Relabelled(source, name, moved)


def _entry(one: Relabelled) -> dict[str, Any]:
    return {
        "source": one.source.as_posix(),
        "file": one.file or None,
        "moved": totals([one]),
        "problem": one.sentence or None,
    }


def _between(source: anatomy.Convention, target: anatomy.Convention) -> LabelTable:
    """Translate one convention into another; what the target does not have becomes background."""
    values: dict[int, int] = {}
    for value, name in source.targets.items():
        if "{" in name:
            continue
        fitting = [v for v, there in target.targets.items() if there == name]
        if len(fitting) > 1:
            own = _words(source.classes[value])
            fitting = [v for v in fitting if _words(target.classes[v]) == own]
        if len(fitting) > 1 or (not fitting and name in target.targets.values()):
            raise InputError(
                f"{target.name!r} tells apart what {source.name!r} calls "
                f"{source.classes[value]!r}; translate to oncoforge or organ-tumor instead."
            )
        values[value] = fitting[0] if fitting else 0
    return LabelTable(values, repr(source.name))


def _words(name: str) -> frozenset[str]:
    """Return the words of a class name, so that left_kidney and "left kidney" are one."""
    return frozenset(name.lower().replace("_", " ").split())
