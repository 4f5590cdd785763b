"""Which classes the cases of a training have: what none of them has cannot be learned or scored."""

from __future__ import annotations

from collections.abc import Sequence

from oncoforge.anatomy import NAMES, Organ
from oncoforge.errors import InputError
from oncoforge.networks import Pipeline
from oncoforge.store import StoredCase
from oncoforge.training.data.channels import tumor_labels
from oncoforge.training.data.synthetic import PatchTumors

_SHOWN = 8

_LEAST = 8
"""A case has at least one in so many of a patch's voxels along each axis."""


def count(pipeline: Pipeline, cases: Sequence[StoredCase]) -> dict[str, int]:
    """Return in how many cases each class but the background is."""
    return {
        name: sum(bool(case.voxels.get(label)) for case in cases)
        for name, label in zip(pipeline.classes, pipeline.labels, strict=True)
        if label
    }


def check_sizes(pipeline: Pipeline, cases: Sequence[StoredCase]) -> None:
    """Check that patches would hold more of a case than of what fills them up.

    Raises
    ------
    InputError
        If a case is too small, as a single slice is.
    """
    for case in cases:
        if any(n * _LEAST < whole for n, whole in zip(case.shape, pipeline.patch, strict=True)):
            x, y, z = case.shape
            a, b, c = pipeline.patch
            mm = " x ".join(f"{s:g}" for s in case.spacing_mm)
            raise InputError(
                f"{case.case} is too small: {x} x {y} x {z} voxels of {mm} mm, less than an eighth "
                f"of a patch of {a} x {b} x {c} along an axis; leave it out, or choose a smaller "
                "--model.pipeline.patch."
            )


def check_training(
    pipeline: Pipeline, cases: Sequence[StoredCase], tumors: PatchTumors, allow_missing: bool
) -> None:
    """Check that every class can be learned; a tumour that synthesis makes can.

    Raises
    ------
    InputError
        If a class is in no case, unless that is allowed, or tumours are to be made in an organ
        that no case has.
    """
    for organ in tumors.makers:
        if not any(_is_free(case, organ) for case in cases):
            raise InputError(
                f"Tumours are to be made in the {organ.name.replace('_', ' ')}, and none of the "
                f"{len(cases)} training cases has it without a tumour; they have {_held(cases)}. "
                "Is their convention the right one?"
            )
    made = {NAMES[label] for label in tumors.labels}
    found = count(pipeline, cases)
    lost = [name for name, number in found.items() if not number and name not in made]
    if lost and not allow_missing:
        raise InputError(_lacks(lost[0], "training", cases) + _how(lost[0]))


def _is_free(case: StoredCase, organ: Organ) -> bool:
    """Tell whether a case has an organ without a tumour of its own."""
    return bool(case.voxels.get(organ.label)) and not case.voxels.get(organ.label + 1)


def check_validation(pipeline: Pipeline, cases: Sequence[StoredCase], allow_missing: bool) -> None:
    """Check that every class can be scored.

    Raises
    ------
    InputError
        If there are no cases, or a class is in none of them, unless that is allowed.
    """
    if allow_missing:
        return
    if not cases:
        raise InputError(
            "There are no cases to validate on: give validation.lists, or lists with a validation "
            "part or a fold. To train without validation, say allow_missing: true."
        )
    found = count(pipeline, cases)
    tumors = [NAMES[label] for label in tumor_labels(pipeline)]
    if tumors and not any(found[name] for name in tumors):
        raise InputError(
            f"None of the {len(cases)} validation cases has a tumour ({', '.join(tumors)}); they "
            f"have {_held(cases)}. Validate on cases with real tumours."
        )
    lost = [name for name, number in found.items() if not number]
    if lost:
        raise InputError(_lacks(lost[0], "validation", cases) + " Leave it out of the classes.")


def _lacks(name: str, part: str, cases: Sequence[StoredCase]) -> str:
    return (
        f"None of the {len(cases)} {part} cases has the class {name}; they have {_held(cases)}. "
        "Is their convention the right one?"
    )


def _how(name: str) -> str:
    if name.endswith("_tumor"):
        return " Add cases with such tumours or a synthesis of them, or say allow_missing: true."
    return " To train without it all the same, say allow_missing: true."


def _held(cases: Sequence[StoredCase]) -> str:
    """Name what cases have, most of them first."""
    often: dict[int, int] = {}
    for case in cases:
        for label, voxels in case.voxels.items():
            if label and voxels:
                often[label] = often.get(label, 0) + 1
    names = [NAMES[label] for label in sorted(often, key=lambda label: (-often[label], label))]
    shown = names[:_SHOWN] + ["more"] * (len(names) > _SHOWN)
    return ", ".join(shown) or "no labels at all"
