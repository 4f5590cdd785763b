"""Slices of a scan as they are shown: radiological convention, true proportions in mm.

Axial and coronal pictures have the patient's right on their left; sagittal ones have anterior
there. Anterior is up in axial pictures, superior in the other two. A RAS+ array therefore always
runs from right to left across a picture and upwards along it, in all three planes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from oncoforge.reports.synthesis_view import SynthesisView, Vector

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Plane:
    """One of the three anatomical planes through a RAS+ array.

    Parameters
    ----------
    name
        As written beside its pictures.
    normal, across, up
        Array axes: fixed in the plane, across the picture (its index falls from left to right),
        and along the picture (its index grows upwards).
    letters
        Sides of the patient at the left, right, top and bottom of the picture.
    """

    name: str
    normal: int
    across: int
    up: int
    letters: tuple[str, str, str, str]


AXIAL = Plane("axial", normal=2, across=0, up=1, letters=("R", "L", "A", "P"))
CORONAL = Plane("coronal", normal=1, across=0, up=2, letters=("R", "L", "S", "I"))
SAGITTAL = Plane("sagittal", normal=0, across=1, up=2, letters=("A", "P", "S", "I"))
PLANES = (AXIAL, CORONAL, SAGITTAL)


def cut(volume: NDArray[T], plane: Plane, index: int) -> NDArray[T]:
    """Return one slice as shown: a view whose first row is the top of the picture.

    Parameters
    ----------
    volume
        (X, Y, Z), RAS+.
    plane
        Which way to cut.
    index
        Where, along the plane's normal.

    Returns
    -------
    (rows, columns): the top row has the highest index of ``plane.up``, the left column the highest
    of ``plane.across``.
    """
    where: list[Any] = [slice(None)] * 3
    where[plane.normal] = index
    return turn(volume[tuple(where)])


def turn(plane: NDArray[T]) -> NDArray[T]:
    """Turn (across, up) in array order into (rows, columns) as shown, and back: a view."""
    return plane.T[::-1, ::-1]


@dataclass(frozen=True)
class Section:
    """One slice of a synthesis as shown, before and after; every array is (rows, columns).

    Parameters
    ----------
    plane
        Which way it was cut.
    after, before
        HU.
    organ
        bool.
    instances
        uint16 lesion ids, 0 for none.
    x_mm, y_mm
        Places of the columns and the rows, mm from the scan's first voxel; both fall, as columns
        run against the array's axis and rows run downwards.
    pixel_mm
        Width and height of a pixel.
    """

    plane: Plane
    after: NDArray[np.float32]
    before: NDArray[np.float32]
    organ: NDArray[np.bool_]
    instances: NDArray[np.uint16]
    x_mm: NDArray[np.float64]
    y_mm: NDArray[np.float64]
    pixel_mm: tuple[float, float]

    @classmethod
    def of(
        cls,
        plane: Plane,
        spacing: Vector,
        *,
        after: NDArray[np.float32],
        before: NDArray[np.float32],
        organ: NDArray[np.bool_],
        instances: NDArray[np.uint16],
    ) -> Section:
        """Put slices of a scan with voxels of `spacing` mm at their places."""
        rows, columns = after.shape
        across, up = spacing[plane.across], spacing[plane.up]
        return cls(
            plane,
            after,
            before,
            organ,
            instances,
            x_mm=np.arange(columns, dtype=np.float64)[::-1] * across,
            y_mm=np.arange(rows, dtype=np.float64)[::-1] * up,
            pixel_mm=(across, up),
        )

    @property
    def extent_mm(self) -> tuple[float, float, float, float]:
        """Outer edges of the picture at its left, right, bottom and top, mm."""
        dx, dy = (0.5 * mm for mm in self.pixel_mm)
        left, right = float(self.x_mm[0]) + dx, float(self.x_mm[-1]) - dx
        bottom, top = float(self.y_mm[-1]) - dy, float(self.y_mm[0]) + dy
        return left, right, bottom, top


def section(view: SynthesisView, plane: Plane, index: int) -> Section:
    """Cut a synthesis at one index of a plane's normal."""
    after = cut(view.image, plane, index)
    shape = after.shape
    return Section.of(
        plane,
        view.spacing,
        after=after,
        before=_paste(after.copy(), view.before, view, plane, index),
        organ=_paste(np.zeros(shape, np.bool_), view.organ, view, plane, index),
        instances=_paste(np.zeros(shape, np.uint16), view.instances, view, plane, index),
    )


def _paste(
    whole: NDArray[T], part: NDArray[T], view: SynthesisView, plane: Plane, index: int
) -> NDArray[T]:
    """Write the slice of an array that lives on the box into a slice of the whole scan."""
    local = index - view.box[plane.normal].start
    if 0 <= local < part.shape[plane.normal]:
        # In array order, where the box's own slices apply.
        turn(whole)[view.box[plane.across], view.box[plane.up]] = turn(cut(part, plane, local))
    return whole


@dataclass(frozen=True)
class Field:
    """The part of a slice that a picture shows, mm from the scan's first voxel.

    Parameters
    ----------
    left, right, bottom, top
        Edges as seen: ``left > right``, because the array's axis runs to the left.
    """

    left: float
    right: float
    bottom: float
    top: float

    @property
    def width(self) -> float:
        """Width, mm."""
        return self.left - self.right

    @property
    def height(self) -> float:
        """Height, mm."""
        return self.top - self.bottom

    def holds(self, x_mm: float, y_mm: float) -> bool:
        """Whether a point lies in the field."""
        return self.right < x_mm < self.left and self.bottom < y_mm < self.top


def field(section: Section, focus_mm: Vector, width_mm: float, height_mm: float) -> Field:
    """Frame a slice: around a point, moved so that as little as possible lies off the scan.

    Parameters
    ----------
    section
        The slice.
    focus_mm
        Point of the scan to have in the middle, mm from its first voxel.
    width_mm, height_mm
        Size of the frame.
    """
    left, right, bottom, top = section.extent_mm
    x = _hold(focus_mm[section.plane.across], right, left, width_mm)
    y = _hold(focus_mm[section.plane.up], bottom, top, height_mm)
    return Field(x + width_mm / 2, x - width_mm / 2, y - height_mm / 2, y + height_mm / 2)


def _hold(centre: float, low: float, high: float, size: float) -> float:
    """Return the centre of a window of `size` near `centre` that stays within low to high."""
    if high - low <= size:
        return (low + high) / 2
    return min(max(centre, low + size / 2), high - size / 2)
