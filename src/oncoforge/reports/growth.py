"""How lesions grew: a film of all three planes, and a strip of pictures to print."""

from __future__ import annotations

from oncoforge.errors import InputError
from oncoforge.reports import growth_film, growth_strip
from oncoforge.reports.growth_view import Frame, GrowthView

__all__ = ["Frame", "GrowthView", "render"]


def render(view: GrowthView) -> tuple[bytes, bytes]:
    """Draw lesions as they grow; the same view gives the same bytes.

    Parameters
    ----------
    view
        The frames, and how to show them.

    Returns
    -------
    gif
        A film that runs for ever: axial, coronal and sagittal slices, and the size over time.
    png
        A strip of at most eight axial slices, close up, from the first frame to the last.

    Raises
    ------
    InputError
        If there is no frame.
    """
    if not view.frames:
        raise InputError("A growth needs at least one frame to show, but there is none.")
    return growth_film.draw(view), growth_strip.draw(view)
