"""What a file does not tell of where its voxels are, or tells in a way that measures cannot use."""

from __future__ import annotations

from typing import Final

import numpy as np

from oncoforge.grid import Grid
from oncoforge.source import Source

_LEAST_SHEAR: Final = 0.002
"""Cosine between two axes, 0.1 degrees off the right angle; rounding in headers is far less."""


def unplaced(source: Source) -> bool:
    """Say whether a file is NIfTI with neither qform nor sform, so that its axes are a guess."""
    if source.format != "nifti" or source.nifti_header is None:
        return False
    import nibabel as nib

    two = len(source.nifti_header) == nib.Nifti2Header.sizeof_hdr
    kind = nib.Nifti2Header if two else nib.Nifti1Header
    header = kind(source.nifti_header, "<", check=False)
    return int(header["qform_code"]) <= 0 and int(header["sform_code"]) <= 0


def shear_degrees(grid: Grid) -> float:
    """Return by how much the axes miss a right angle, 0 if it is less than headers round."""
    cosines = grid.directions.T @ grid.directions
    largest = float(np.abs(cosines - np.diag(np.diag(cosines))).max())
    return float(np.degrees(np.arcsin(min(largest, 1.0)))) if largest > _LEAST_SHEAR else 0.0


def doubts(source: Source) -> list[tuple[str, str]]:
    """Return what is odd about a file's axes: kinds of finding, and what to say of the file."""
    found = []
    if unplaced(source):
        found.append(
            (
                "lost-geometry",
                "has neither qform nor sform: which way its axes run is a guess, so sides and "
                "places may be wrong.",
            )
        )
    if angle := shear_degrees(source.grid):
        found.append(
            (
                "sheared",
                f"has sheared axes, {angle:.2g} degrees off the right angle: shapes and places may "
                "be wrong; resample it to a straight grid.",
            )
        )
    return found
