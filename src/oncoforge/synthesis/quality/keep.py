"""Take lesions out that fail a check: the recipe is applied again without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.synthesis.base import Recipe, Synthesis
from oncoforge.synthesis.quality.verdict import Exhibit, Judge, Verdict
from oncoforge.synthesis.scene import Vector
from oncoforge.synthesis.synthesizer import Synthesizer


@dataclass(frozen=True)
class Kept:
    """A synthesis of which every lesion passes.

    Parameters
    ----------
    synthesis
        What is left; those taken out are among its `skipped`, and not in its recipe.
    verdicts
        Of the lesions that are left, by their ids.
    rejected
        Of the lesions that were taken out, only where they failed; their ids are those they had.
    """

    synthesis: Synthesis
    verdicts: tuple[Verdict, ...]
    rejected: tuple[Verdict, ...]


def judge(
    result: Synthesis,
    before: NDArray[Any],
    organ: NDArray[np.bool_],
    spacing: Vector,
    checks: Sequence[Judge],
) -> list[Verdict]:
    """Return the verdicts of every check on every lesion of a synthesis.

    Parameters
    ----------
    result
        The scan with its lesions.
    before
        (X, Y, Z), HU: the scan as it was. It must not be the result's own array.
    organ
        bool (X, Y, Z): the organ without tumours that were there already.
    spacing
        Voxel size, mm.
    checks
        What to check.
    """
    exhibit = Exhibit(
        result.image, before, organ, spacing, result.lesions, result.box,
        result.instances(result.box),
    )  # fmt: skip
    return [verdict for check in checks for verdict in check(exhibit)]


def keep(
    synth: Synthesizer,
    before: NDArray[Any],
    organ: NDArray[np.bool_],
    spacing: Vector,
    result: Synthesis,
    checks: Sequence[Judge],
    **how: Any,
) -> Kept:
    """Take out the lesions that fail a check.

    The recipe is applied again without them. Others may then differ where they met, so that all are
    judged anew, until every one passes.

    Parameters
    ----------
    synth
        The synthesizer that made the result.
    before
        (X, Y, Z), HU: the scan as it was; not the result's own array.
    organ
        bool (X, Y, Z): the organ without tumours that were there already.
    spacing
        Voxel size, mm.
    result
        The scan with its lesions.
    checks
        What to check.
    **how
        What else ``synth.apply`` takes, such as ``out`` and ``force``.

    Raises
    ------
    InputError
        If `before` is the result's own array: the scan as it was is gone.
    """
    if np.shares_memory(before, result.image) or how.get("out") is before:
        raise InputError("To take lesions out, the scan as it was is needed: do not work in place.")
    rejected: list[Verdict] = []
    while True:
        verdicts = judge(result, before, organ, spacing, checks)
        failed = [verdict for verdict in verdicts if not verdict.kept]
        if not failed:
            return Kept(result, tuple(verdicts), tuple(rejected))
        rejected += failed
        result = synth.apply(before, organ, spacing, _without(result, failed), **how)


def _without(result: Synthesis, failed: Sequence[Verdict]) -> Recipe:
    """Return the recipe of a synthesis without the lesions that failed."""
    recipe = result.recipe
    plans = {lesion.id: lesion.plan for lesion in result.lesions}
    out = {plans[verdict.lesion] for verdict in failed}
    left = tuple(plan for number, plan in enumerate(recipe.lesions) if number not in out)
    # One sentence for a lesion, however many checks it fails.
    said = {verdict.lesion: verdict.sentence for verdict in reversed(failed)}
    sentences = tuple(said[lesion] for lesion in sorted(said))
    return replace(recipe, lesions=left, skipped=(*recipe.skipped, *sentences))
