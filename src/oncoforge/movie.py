"""The film of a growth: the same synthesis at earlier and earlier steps.

Random numbers depend on seed, step and place alone, so a tumour that grows for fewer steps is the
same tumour when it was younger. Each picture is therefore a synthesis of its own, by the recipe of
the run with its steps cut short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from oncoforge import anatomy
from oncoforge.reports.growth import Frame, GrowthView, render
from oncoforge.reports.synthesis_view import SynthesisView
from oncoforge.synthesis.base import Plain, Recipe, Synthesis
from oncoforge.synthesis.cases import SynthesizedCase, make_synthesizer
from oncoforge.synthesis.scene import Box, bounding_box

_FRAMES = 24
_LEAST_MM = 45.0
_AROUND_MM = 15.0
"""Pictures reach this far beyond the largest lesion, and at least 45 mm from its centre."""


def film(
    made: SynthesizedCase,
    before: NDArray[np.float32],
    box: Box,
    view: SynthesisView,
    device: str,
    step: Callable[[str], None],
) -> tuple[bytes, bytes]:
    """Film the growth of a synthesis that has lesions.

    Parameters
    ----------
    made
        The finished synthesis. Its image is worked on, and is as it was in the end.
    before
        float32: the scan before, on `box`.
    box
        Slices that hold the whole organ.
    view
        What the report shows of it.
    device
        As for the synthesis.
    step
        Called with a few words at each picture.

    Returns
    -------
    gif, png
        The film, and a strip of some of its pictures.
    """
    crop = _crop(made, view)
    ages = {
        lesion.plan: len(lesion.growth.volumes_mm3) - 1
        for lesion in made.synthesis.lesions
        if lesion.growth
    }
    after = made.image[box].copy()
    try:
        frames = list(_young(made, ages, before, box, crop, device, step))
    finally:
        made.image[box] = after
    frames.append(_frame(made.synthesis, crop, max(ages.values())))
    step("Drawing the film")
    labels = made.labels[crop]
    organ = anatomy.organ(made.organ_name)
    x, y, z = (f - c.start for f, c in zip(_seed(made, view, crop), crop, strict=True))
    return render(
        GrowthView(
            frames=frames,
            organ=(labels == organ.label) | (labels == organ.tumor_label),
            spacing=made.spacing,
            window=view.window,
            focus=(x, y, z),
            title=view.title,
        )
    )


def _seed(made: SynthesizedCase, view: SynthesisView, crop: Box) -> tuple[int, int, int]:
    """Return the voxel where the largest lesion starts: the lesion is there in every picture."""
    assert view.largest is not None  # there is nothing to film without lesions
    plan = made.synthesis.recipe.lesions[int(view.largest["plan"])]
    x, y, z = (
        min(max(round(mm / s), c.start), c.stop - 1)
        for mm, s, c in zip(plan.mask["cores_mm"][0], made.spacing, crop, strict=True)
    )
    return x, y, z


def _crop(made: SynthesizedCase, view: SynthesisView) -> Box:
    """Return the part of the scan to show: around the largest lesion."""
    assert view.largest is not None  # there is nothing to film without lesions
    held = bounding_box(view.instances == view.largest["id"])
    assert held is not None  # a lesion has voxels
    x, y, z = (
        slice(
            max(0, min(round(c - _LEAST_MM / s), b.start + h.start - round(_AROUND_MM / s))),
            min(n, max(round(c + _LEAST_MM / s) + 1, b.start + h.stop + round(_AROUND_MM / s))),
        )
        for c, s, n, b, h in zip(
            view.focus(), made.spacing, made.shape, view.box, held, strict=True
        )
    )
    return x, y, z


def _young(
    made: SynthesizedCase,
    ages: Mapping[int, int],
    before: NDArray[np.float32],
    box: Box,
    crop: Box,
    device: str,
    step: Callable[[str], None],
) -> Iterator[Frame]:
    """Make the pictures before the last; `ages` are the steps of each plan that was placed."""
    done, last = made.synthesis, max(ages.values())
    synth = make_synthesizer(done.recipe.method, made.organ_name, device=device)
    # What was the organ: lesions lie nowhere else, and tumours that were there already are not it.
    organ = made.parenchyma(made.organ_name) | done.tumor
    image = made.image
    for age in np.unique(np.linspace(0, last, _FRAMES + 1).round().astype(int))[:-1]:
        step(f"Filming step {age} of {last}")
        image[box] = before
        young = synth.apply(
            image, organ, made.spacing, _younger(done.recipe, ages, int(age)), out=image, force=True
        )
        yield _frame(young, crop, int(age))


def _younger(recipe: Recipe, ages: Mapping[int, int], step: int) -> Recipe:
    """Return a recipe whose lesions stop at a step; it leaves out those that were not placed."""
    lesions = []
    for number, age in ages.items():
        plan = recipe.lesions[number]
        mask: Plain = {
            **plan.mask,
            "steps": min(step, age),
            "diameter_mm": None,
            "necrosis": plan.mask["necrosis"] and step >= age,
        }
        lesions.append(replace(plan, mask=mask))
    return replace(recipe, lesions=tuple(lesions), skipped=())


def _frame(synthesis: Synthesis, crop: Box, step: int) -> Frame:
    """Cut a picture's part out of a synthesis."""
    wide = tuple(
        slice(min(a.start, b.start), max(a.stop, b.stop))
        for a, b in zip(synthesis.box, crop, strict=True)
    )
    part = tuple(
        slice(c.start - w.start, c.stop - w.start) for c, w in zip(crop, wide, strict=True)
    )
    volumes = [lesion.volume_mm3 for lesion in synthesis.lesions]
    return Frame(
        step=step,
        image=synthesis.image[crop].copy(),
        instances=synthesis.instances(wide)[part].copy(),  # type: ignore[arg-type]
        volume_mm3=sum(volumes),
        diameter_mm=max((lesion.diameter_mm for lesion in synthesis.lesions), default=0.0),
    )
