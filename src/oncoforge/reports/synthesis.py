"""The report of one synthesis: a picture for a glance, a page for the details."""

from __future__ import annotations

from oncoforge.reports import before_after
from oncoforge.reports.growth_chart import growth_chart
from oncoforge.reports.histogram import histogram
from oncoforge.reports.page import fill
from oncoforge.reports.synthesis_view import SynthesisView
from oncoforge.reports.wording import count, number, volume

__all__ = ["SynthesisView", "render"]


def render(view: SynthesisView) -> tuple[str, bytes]:
    """Write the report of a synthesis; the same view gives the same bytes.

    Parameters
    ----------
    view
        The scan, its lesions, and what to say about them.

    Returns
    -------
    html
        A page that needs no other file: picture, histograms, growth, tables.
    png
        The picture by itself.
    """
    png = before_after.draw(view)
    content = {
        "title": view.title,
        "lead": _lead(view),
        "png": png,
        "alt": _alt(view),
        "caption": _caption(view),
        "histogram": histogram(view),
        "growth": growth_chart(view.lesions),
        "strip": view.strip,
        "lesions": view.lesions,
        "total": _total(view),
        "skipped": view.skipped,
        "remarks": view.remarks,
        "facts": tuple(view.facts.items()),
    }
    return fill("synthesis.html.j2", content), png


def _lead(view: SynthesisView) -> str:
    largest = view.largest
    if largest is None:
        why = " The reasons are below." if view.skipped else ""
        return f"No lesion was placed, so the scan is as it was.{why}"
    together = volume(sum(float(row["volume_mm3"]) for row in view.lesions))
    across = f"{number(largest['diameter_mm'], 1)} mm"
    missing = " Not all that were asked for could be placed; see below." if view.skipped else ""
    if len(view.lesions) == 1:
        return f"1 synthetic lesion of {together}, {across} in diameter.{missing}"
    number_of = count(len(view.lesions), "synthetic lesion")
    return f"{number_of}, {together} together; the largest is {across} in diameter.{missing}"


def _alt(view: SynthesisView) -> str:
    if not view.lesions:
        return "Axial, coronal and sagittal slices of the scan, without lesions."
    return (
        "Axial, coronal and sagittal slices through the largest lesion: the whole slice, and close "
        "up before synthesis, after it, and the difference."
    )


def _caption(view: SynthesisView) -> str:
    sides = "Axial and coronal slices have the patient's right on the left of the picture."
    if not view.lesions:
        return f"The organ is outlined. {sides}"
    return (
        "Slices through the centre of the largest lesion; the white frame is the part that is "
        "shown close up. Lesions are outlined in orange, the organ in blue; in the difference "
        f"blue is darker than before, orange brighter. {sides}"
    )


def _total(view: SynthesisView) -> dict[str, float | None]:
    volumes = [float(row["volume_mm3"]) for row in view.lesions]
    voxels = sum(int(row["voxels"]) for row in view.lesions)
    weighted = sum(float(row["mean_hu"]) * int(row["voxels"]) for row in view.lesions)
    return {
        "volume_mm3": sum(volumes),
        "volume_digits": 0 if min(volumes, default=10.0) >= 10 else 2,
        "voxels": voxels,
        "mean_hu": weighted / voxels if voxels else None,
    }
