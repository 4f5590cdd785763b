"""Read a CT with its label map, or either alone."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import numpy.typing as npt

from oncoforge import anatomy
from oncoforge.case import Case
from oncoforge.errors import GridMismatchError, InputError
from oncoforge.formats.hounsfield import ENOUGH_ORGAN_VOXELS, check_hu, subsample
from oncoforge.formats.open import open_labels, open_volume
from oncoforge.formats.resample import onto_grid
from oncoforge.formats.stored import StoredVolume
from oncoforge.formats.volume import Volume


def read_case(
    image_path: str | os.PathLike[str],
    labels_path: str | os.PathLike[str],
    convention: str = "totalsegmentator",
    organ: str | None = None,
    series: str | int | None = None,
    resample_labels: bool = False,
    force: bool = False,
) -> Case:
    """Read a CT and its label map.

    Parameters
    ----------
    image_path
        A NIfTI, NRRD or MetaImage file, or a folder with a DICOM series.
    labels_path
        A NIfTI, NRRD or MetaImage file.
    convention
        How the label map numbers its organs: a name of :mod:`oncoforge.anatomy`.
    organ
        The organ of interest: needed by conventions that number "organ" and "tumour" only, and
        checked to have the HU that it should.
    series
        Which DICOM series, where the folder has several: the start of its UID, or its number.
    resample_labels
        Bring a label map on another grid onto the grid of the image (nearest neighbour).
    force
        Skip the checks that the image is CT in HU.

    Returns
    -------
    Case
        float32 HU and uint8 oncoforge labels in RAS+ order.

    Raises
    ------
    GridMismatchError
        If the grids differ and `resample_labels` is not set.
    InputError
        If a file cannot be read, or does not hold what it should.
    UnknownNameError
        If the convention or the organ is in no table.
    """
    translation = anatomy.convention(convention, organ)
    image = open_volume(image_path, series=series, force=force)
    stored_labels = open_labels(labels_path)
    difference = image.source.grid.ras().difference(stored_labels.source.grid.ras())
    if difference and not resample_labels:
        raise GridMismatchError(
            f"{stored_labels.path} is not on the grid of {image.path}: {difference}. Give the "
            "label map of this image, or bring it onto its grid with --resample-labels (in "
            "Python: resample_labels=True)."
        )
    # Labels first: they need twice their size for a moment, while the large array is not there.
    labels = _translated(stored_labels, translation)
    if difference:
        labels = _onto_image(labels, stored_labels, image, difference)
    source = dataclasses.replace(image.source, labels_path=stored_labels.path)
    case = Case(image.image(), labels, image.source.grid.ras().affine, source)
    if not force:
        _check_organ(case, organ, str(image_path))
    return case


def read_image(
    path: str | os.PathLike[str], series: str | int | None = None, force: bool = False
) -> Volume:
    """Read a CT without a label map.

    Parameters
    ----------
    path
        A NIfTI, NRRD or MetaImage file, or a folder with a DICOM series.
    series
        Which DICOM series, where the folder has several: the start of its UID, or its number.
    force
        Skip the checks that the image is CT in HU.

    Returns
    -------
    Volume
        float32 (X, Y, Z) in HU and RAS+ order, with its source.

    Raises
    ------
    InputError
        If it cannot be read, or does not look like CT in HU.
    """
    stored = open_volume(path, series=series, force=force)
    volume = Volume(stored.image(), stored.source)
    if not force:
        check_hu(volume.array, name=str(path))
    return volume


def read_labels(path: str | os.PathLike[str], convention: str | None = None) -> Volume:
    """Read a label map without its image.

    Parameters
    ----------
    path
        A NIfTI, NRRD or MetaImage file.
    convention
        Translate from this convention into oncoforge labels; by default keep the numbers.

    Returns
    -------
    Volume
        uint8 (uint16 if numbers are kept and the file is wider) in RAS+ order, with its source.

    Raises
    ------
    InputError
        If it cannot be read, or does not hold whole numbers from 0 to 65535.
    UnknownNameError
        If there is no such convention.
    """
    translation = None if convention is None else anatomy.convention(convention)
    stored = open_labels(path)
    array = stored.labels() if translation is None else _translated(stored, translation)
    source = dataclasses.replace(stored.source, image_path=None, labels_path=stored.path)
    return Volume(array, source)


def _check_organ(case: Case, organ: str | None, name: str) -> None:
    if organ is None:
        check_hu(case.image, name=name)
        return
    label = anatomy.organ(organ).label
    healthy = subsample(case.labels) == label
    if np.count_nonzero(healthy) >= ENOUGH_ORGAN_VOXELS:
        # The usual case needs no mask of the full size.
        check_hu(subsample(case.image), healthy, organ, name=name)
        return
    case.organ(organ)  # says so where it is absent
    # Maps of tumours only are allowed: an empty mask leaves the general checks.
    check_hu(case.image, case.labels == label, organ, name=name)


def _translated(stored: StoredVolume, convention: anatomy.Convention) -> npt.NDArray[np.uint8]:
    labels = stored.labels()
    try:
        return convention.to_oncoforge(labels)
    except InputError as error:
        raise InputError(f"{stored.path} does not fit its label convention. {error}") from None


def _onto_image(
    labels: npt.NDArray[np.uint8], stored: StoredVolume, image: StoredVolume, difference: str
) -> npt.NDArray[np.uint8]:
    moved = onto_grid(labels, stored.source.grid.ras(), image.source.grid.ras())
    if labels.any() and not moved.any():
        raise GridMismatchError(
            f"No label of {stored.path} lies within {image.path}: {difference}. Check that they "
            "belong to the same patient and scan."
        )
    return moved
