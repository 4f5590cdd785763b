"""The whole of ``oncoforge evaluate``: pair, score, sum up, compare, write."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from functools import partial as bind
from pathlib import Path
from typing import Final

from oncoforge import anatomy
from oncoforge.analysis.measure import MIN_VOXELS
from oncoforge.anatomy.organs import tumor_bearing
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.evaluation.bootstrap import Bootstrap
from oncoforge.evaluation.cases import CaseScores, Rules, score_case
from oncoforge.evaluation.gather import gather
from oncoforge.evaluation.lesions import OVERLAP, RULES
from oncoforge.evaluation.pairs import Pair, find_pairs
from oncoforge.evaluation.patients import patient_rows, ranking_remarks
from oncoforge.evaluation.probabilities import with_probabilities
from oncoforge.evaluation.published import SPREADS
from oncoforge.evaluation.region import ORGAN_MASKS
from oncoforge.evaluation.results import FILES, Evaluation, check_out
from oncoforge.evaluation.score import DEFINITIONS
from oncoforge.evaluation.summary import EMPTY_RULES, summarize
from oncoforge.evaluation.versus import compare
from oncoforge.lists.names import ending, stem
from oncoforge.lists.sources import PathLike
from oncoforge.parallel import Failure, Progress, each, silent
from oncoforge.staging import staging

Places = PathLike | Sequence[PathLike]

_CHOICES: Final = {
    "organ_mask": ORGAN_MASKS,
    "empty": EMPTY_RULES,
    "matching": RULES,
    "spread": SPREADS,
    "nsd": DEFINITIONS,
}


def evaluate(
    pred: Places,
    truth: Places,
    *,
    name: str | None = None,
    versus: Mapping[str, Places] | None = None,
    convention: str = "oncoforge",
    pred_convention: str | None = None,
    organ: str | None = None,
    organ_mask: str = "whole",
    tolerance_mm: float = 2.0,
    nsd: str = "surfel",
    empty: str = "defined",
    matching: str = "one-to-one",
    overlap: float = OVERLAP,
    min_voxels: int = MIN_VOXELS,
    positive_mm3: float = 0.0,
    resample: bool = False,
    fold: int | None = None,
    partial: bool = False,
    images: PathLike | None = None,
    probabilities: Mapping[str, PathLike] | PathLike | None = None,
    root: PathLike | None = None,
    draws: int = 2000,
    seed: int = 0,
    spread: str = "sd",
    out: PathLike | None = None,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Compare predicted masks with true ones, and models with each other.

    Parameters
    ----------
    pred
        Predicted label maps: files, folders, patterns or lists of cases; the folders of several
        folds are one set.
    truth
        True label maps, likewise; cases are paired by the names of their files.
    name
        What to call the model of `pred`; by default the name of its folder.
    versus
        Other models: name to predicted label maps. The first model is compared with each.
    convention, pred_convention
        How truths and predictions number their organs; the second is as the first by default.
    organ
        Score this organ and its tumours only; ``organ-tumor`` and FLARE need it to name theirs.
    organ_mask
        ``"whole"``: an organ's mask includes its tumours. ``"parenchyma"``: it does not, as in the
        predecessors' tables.
    tolerance_mm, nsd
        Tolerance and definition of the NSD, as for `score`.
    empty
        ``"defined"`` or ``"predecessors"``: what undefined values count; see `summary.value`.
    matching, overlap, min_voxels
        How lesions are matched; see `lesions.match`.
    positive_mm3
        A patient counts as ill, in the prediction, with more tumour than this in one scan.
    resample
        Bring predictions on another grid onto the truth's (nearest voxel) instead of failing.
    fold
        Score the cases that the list of truths validates in this fold only.
    partial
        A truth without a prediction is no failure.
    images
        Folder with the images, paired by case id: pictures of the worst cases are drawn on them.
    probabilities
        Folder of tumour probabilities that ``oncoforge predict`` made, of the first model; or
        model to folder. Patients are ranked by the largest one instead of by predicted volume.
    root
        Where the relative paths of lists begin.
    draws, seed
        Resamples of the bootstrap, and where its chance starts.
    spread
        What stands beside the means of the table: ``"sd"`` or ``"ci"``.
    out
        Folder for the files; None writes none.
    overwrite
        Replace the files of an earlier evaluation.
    workers
        Processes at once; None for as many as there are cores. The result is the same.
    progress
        Called after each case.

    Returns
    -------
    Evaluation
        With a sentence for each case that could not be scored.

    Raises
    ------
    InputError
        If nothing is there, nothing belongs together, or nothing could be scored; or a setting
        makes no sense.
    OutputError
        If the files cannot be written, or would replace others.
    UnknownNameError
        If there is no such convention, organ or rule.
    """
    given = {
        "organ_mask": organ_mask,
        "empty": empty,
        "matching": matching,
        "spread": spread,
        "nsd": nsd,
    }
    least = {
        "draws": (draws, 1),
        "seed": (seed, 0),
        "tolerance_mm": (tolerance_mm, 0),
        "positive_mm3": (positive_mm3, 0),
        "overlap": (overlap, 0),
        "min_voxels": (min_voxels, 1),
    }
    _check(given, least)
    if overlap >= 1:
        raise InputError(f"overlap is {overlap}; give a part from 0 to below 1.")
    models = _models(pred, name, versus or {})
    chosen = None if organ is None else tumor_bearing(organ).name
    rules = Rules(
        convention=anatomy.convention(convention, chosen),
        pred_convention=anatomy.convention(pred_convention or convention, chosen),
        organs=None if chosen is None else (chosen,),
        organ_mask=organ_mask,
        tolerance_mm=tolerance_mm,
        nsd=nsd,
        min_voxels=min_voxels,
        matching=matching,
        overlap=overlap,
        resample=resample,
    )
    _check_organ(rules)
    found = find_pairs(_several(truth), models, images=images, root=root, fold=fold)
    pairs = with_probabilities(found.pairs, _of_models(probabilities, list(models)))
    bootstrap = Bootstrap(draws, seed)
    settings = {
        "models": list(models),
        "convention": rules.convention.name,
        "pred_convention": rules.pred_convention.name,
        "organ": chosen,
        **given,
        "tolerance_mm": tolerance_mm,
        "overlap": overlap,
        "min_voxels": min_voxels,
        "connectivity": 26,
        "positive_mm3": positive_mm3,
        "resample": resample,
        "fold": fold,
        "cases": len(pairs),
        "probabilities": probabilities is not None,
        "draws": draws,
        "seed": seed,
        "level": bootstrap.level,
    }
    left_over = [] if partial else list(found.missing)
    remarks = list(found.remarks) + (list(found.missing) if partial else [])

    def run() -> Evaluation:
        scored = _scored(pairs, rules, workers, progress)
        rows = gather(pairs, scored, list(models), rules)
        patients = patient_rows(rows.scores, positive_mm3, rows.likely)
        tables = (rows.scores, rows.lesions, patients, bootstrap, empty)
        return Evaluation(
            tuple(rows.scores),
            tuple(rows.lesions),
            tuple(patients),
            tuple(summarize(*tables)),
            tuple(compare(*tables)),
            (*left_over, *rows.failures),
            (*remarks, *rows.remarks, *ranking_remarks(patients, rows.likely)),
            settings,
            pairs,
            rules,
            workers,
        )

    if out is None:
        return run()
    check_out(Path(out), pairs)
    with staging(Path(out), FILES, overwrite) as folder:
        evaluation = run()
        evaluation.write_into(folder)
    return evaluation


def _check(choices: Mapping[str, str], numbers: Mapping[str, tuple[float, float]]) -> None:
    """Refuse settings that make no sense, before the long work."""
    for what, choice in choices.items():
        if choice not in _CHOICES[what]:
            raise UnknownNameError(what.replace("_", " "), choice, _CHOICES[what])
    for what, (value, least) in numbers.items():
        if not (math.isfinite(value) and value >= least):
            raise InputError(f"{what} is {value}; give a finite number from {least}.")


def _check_organ(rules: Rules) -> None:
    """Refuse an organ that a convention does not know, before the long work."""
    sides = (("truths", rules.convention), ("predictions", rules.pred_convention))
    for name in rules.organs or ():
        for whose, numbers in sides:
            held = [target for target in numbers.targets.values() if target != "background"]
            if not {name, f"{name}_tumor"} & set(held):
                named = ", ".join(dict.fromkeys(target.replace("_", " ") for target in held[:8]))
                named += ", ..." if len(held) > 8 else ""
                raise InputError(
                    f"The convention {numbers.name!r} of the {whose} has no "
                    f"{name.replace('_', ' ')}; it holds {named}."
                )


def _several(places: Places) -> list[PathLike]:
    return [places] if isinstance(places, (str, os.PathLike)) else list(places)


def _models(
    pred: Places, name: str | None, versus: Mapping[str, Places]
) -> dict[str, list[PathLike]]:
    """Return every model's places by its name, the first model first."""
    places = _several(pred)
    if name is None:
        first = Path(places[0]) if len(places) == 1 else Path()
        name = first.resolve().name if first.is_dir() and first.name else _file_name(first)
        name = name if name and "*" not in name else "prediction"
    if name in versus:
        raise InputError(f"Two models are called {name!r}; give them names of their own (--name).")
    return {name: places, **{other: _several(own) for other, own in versus.items()}}


def _file_name(path: Path) -> str:
    """Return the name of a label map, a list or a pattern without its ending."""
    return stem(path) if ending(path) else path.stem


def _of_models(
    places: Mapping[str, PathLike] | PathLike | None, models: Sequence[str]
) -> Mapping[str, PathLike]:
    """Return where each model's probabilities are."""
    if places is None:
        return {}
    given = places if isinstance(places, Mapping) else {models[0]: places}
    strange = next((name for name in given if name not in models), None)
    if strange is not None:
        raise UnknownNameError("model", strange, models)
    return given


def _scored(
    pairs: Sequence[Pair], rules: Rules, workers: int | None, progress: Progress
) -> list[CaseScores | Failure]:
    return list(each(bind(score_case, rules=rules), pairs, workers, progress))
