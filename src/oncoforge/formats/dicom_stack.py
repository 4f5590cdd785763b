"""Put DICOM slices in order, and refuse those that are not an upright, even stack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from oncoforge.errors import InputError
from oncoforge.formats.dicom_slice import Slice
from oncoforge.formats.stored import grid_of
from oncoforge.grid import Grid

_SAME_POSITION_MM = 1e-3
_SAME_DIRECTION = 1e-4
_MISSING_RATIO = 1.5  # a gap of so many usual ones has room for a lost slice
_EVEN_MM, _EVEN_SHARE = 0.1, 0.02  # positions are often rounded to 0.1 mm
_UPRIGHT_PIXELS = 0.5
_SHOWN = 3

Points = npt.NDArray[np.float64]


def stack(folder: Path, slices: Sequence[Slice]) -> tuple[Grid, list[Slice]]:
    """Order slices along their normal and build their grid.

    Parameters
    ----------
    folder
        Where they are, for the sentences.
    slices
        The slices of one series, in any order.

    Returns
    -------
    grid : Grid
        Shape (columns, rows, slices) and affine in RAS+.
    ordered : list of Slice
        The slices along the third axis of the grid.

    Raises
    ------
    InputError
        If sizes or orientations differ, a position is there twice or missing, or the stack is
        uneven or sheared.
    """
    if len(slices) < 2:
        raise InputError(
            f"The DICOM series in {folder} has one slice; expected at least two. Give the folder "
            "of the whole series."
        )
    _check_alike(folder, slices)
    row, column, normal = _axes(folder, slices[0])
    positions = np.array([slice_.position_mm for slice_ in slices])
    along = positions @ normal
    order = np.argsort(along, kind="stable")
    ordered = [slices[int(index)] for index in order]
    positions, along = positions[order], along[order]
    _check_gaps(folder, ordered, along)
    step = (positions[-1] - positions[0]) / (len(ordered) - 1)
    _check_upright(folder, step, normal, len(ordered), min(slices[0].spacing_mm))
    _check_even(folder, positions, step)

    affine = np.eye(4)
    between_rows, between_columns = slices[0].spacing_mm
    affine[:3, 0] = row * between_columns
    affine[:3, 1] = column * between_rows
    affine[:3, 2] = step
    affine[:3, 3] = positions[0]
    affine[:2] *= -1  # LPS to RAS
    return grid_of(folder, (slices[0].columns, slices[0].rows, len(ordered)), affine), ordered


def _check_alike(folder: Path, slices: Sequence[Slice]) -> None:
    first = slices[0]
    for other in slices[1:]:
        for what, ours, theirs, tolerance in (
            ("size", (first.columns, first.rows), (other.columns, other.rows), 0.0),
            ("pixel spacing", first.spacing_mm, other.spacing_mm, 1e-4),
            ("orientation", first.orientation, other.orientation, _SAME_DIRECTION),
        ):
            if np.abs(np.subtract(ours, theirs)).max() > tolerance:
                raise InputError(
                    f"The DICOM series in {folder} mixes slices: the {what} of {first.path.name} "
                    f"is {_row(ours)} and that of {other.path.name} is {_row(theirs)}. Keep one "
                    "kind in the folder."
                )


def _axes(folder: Path, first: Slice) -> tuple[Points, Points, Points]:
    row, column = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if abs(row @ column) > 1e-3 or np.abs(np.subtract(lengths, 1)).max() > 1e-3:
        raise InputError(
            f"The DICOM series in {folder} has an orientation that is none: "
            f"{_row(first.orientation)}; expected two perpendicular unit vectors. Export it again."
        )
    row, column = row / lengths[0], column / lengths[1]
    normal = np.cross(row, column)
    return row, column, normal / np.linalg.norm(normal)


def _check_gaps(folder: Path, ordered: Sequence[Slice], along: Points) -> None:
    gaps = np.diff(along)
    twice = np.flatnonzero(gaps < _SAME_POSITION_MM)
    if twice.size:
        index = int(twice[0])
        one, other = ordered[index], ordered[index + 1]
        raise InputError(
            f"The DICOM series in {folder} has {twice.size + 1 if twice.size == 1 else 'several'} "
            f"slices at one position: {one.path.name} and {other.path.name} are both at "
            f"{_row(one.position_mm)} mm. Keep one phase or reconstruction in the folder."
        )
    usual = float(gaps.min())
    wide = np.flatnonzero(gaps > _MISSING_RATIO * usual)
    if not wide.size:
        return
    counts = gaps[wide] / usual
    if np.abs(counts - np.rint(counts)).max() > 0.2:
        raise _uneven(folder, usual, float(gaps.max()))
    missing = [
        _between(ordered[index], ordered[index + 1], part / round(count))
        for index, count in zip(wide.tolist(), counts.tolist(), strict=True)
        for part in range(1, round(count))
    ]
    where = ", ".join(f"({place})" for place in missing[:_SHOWN])
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    raise InputError(
        f"The DICOM series in {folder} lacks {len(missing)} of its {len(ordered) + len(missing)} "
        f"slices, which are {usual:g} mm apart: at {where}{more} mm (LPS) there is none. Copy the "
        "whole series."
    )


def _check_upright(folder: Path, step: Points, normal: Points, count: int, pixel_mm: float) -> None:
    sideways = step - (step @ normal) * normal
    drift = float(np.linalg.norm(sideways)) * (count - 1)
    if drift > _UPRIGHT_PIXELS * pixel_mm:
        angle = np.degrees(np.arctan2(np.linalg.norm(sideways), step @ normal))
        raise InputError(
            f"The DICOM series in {folder} is sheared: its slices are stacked at {angle:.3g} "
            "degrees from upright, as with a tilted gantry. Resample it onto an upright grid, with "
            "dcm2niix for example."
        )


def _check_even(folder: Path, positions: Points, step: Points) -> None:
    expected = positions[0] + np.outer(np.arange(len(positions)), step)
    off = float(np.linalg.norm(positions - expected, axis=1).max())
    if off > max(_EVEN_MM, _EVEN_SHARE * float(np.linalg.norm(step))):
        gaps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
        raise _uneven(folder, float(gaps.min()), float(gaps.max()))


def _uneven(folder: Path, low: float, high: float) -> InputError:
    return InputError(
        f"The DICOM series in {folder} is uneven: neighbouring slices are {low:g} to {high:g} mm "
        "apart. Give a series with one slice distance, or resample it to one."
    )


def _between(one: Slice, other: Slice, part: float) -> str:
    place = np.array(one.position_mm) * (1 - part) + np.array(other.position_mm) * part
    return _row(place)


def _row(values: Any) -> str:
    return ", ".join(f"{value:.6g}" for value in np.asarray(values).tolist())
