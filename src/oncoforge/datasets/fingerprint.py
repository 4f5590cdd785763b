"""What tells two files or two volumes apart, in a few bytes each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from oncoforge.datasets.look import Look, look
from oncoforge.errors import InputError

_CHUNK_BYTES: Final = 2**20
_NORMALISED_SPAN: Final = 16.0
"""Values that span less than this are no HU; whole numbers would leave nothing of them."""
_FEWEST_VALUES: Final = 50
"""A histogram of fewer values than these may be of anything."""
_FEWEST_LABELLED: Final = 100


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What is remembered of one image, to recognise it in another file.

    Parameters
    ----------
    file
        SHA-256 of the bytes of its file, or of the files of its folder.
    voxels
        Hash of its voxels in RAS+ order: the same whatever the file's axis order, number type,
        compression or header say.
    values
        Hash of how often each HU occurs: the same for any order of the axes, so that a copy that
        lost its geometry is recognised too. Empty for images of few values.
    look
        Its `Look`: much the same after noise, resampling, clipping, or a cut of some slices.
    """

    file: str
    voxels: str
    values: str
    look: Look


def fingerprint(
    path: str | os.PathLike[str],
    image: NDArray[np.float32],
    spacing: tuple[float, float, float],
    hu: bool = True,
) -> Fingerprint:
    """Take the fingerprint of an image.

    Parameters
    ----------
    path
        The file or DICOM folder that it was read from.
    image
        (X, Y, Z) in RAS+ order.
    spacing
        Of the image, mm.
    hu
        Whether it is CT.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    voxels, values = image_digests(image)
    return Fingerprint(file_digest(path), voxels, values, look(image, spacing, hu))


def file_digest(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes; of a folder, that of its files' sorted sums.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    place = Path(path)
    try:
        if place.is_dir():
            sums = sorted(_bytes_digest(file) for file in place.iterdir() if file.is_file())
            return sha256("".join(sums).encode()).hexdigest()
        return _bytes_digest(place)
    except OSError as error:
        raise InputError(f"{place} cannot be read: {error.strerror or error}.") from None


def image_digests(image: NDArray[np.float32]) -> tuple[str, str]:
    """Hash the voxels of an image, whole HU, in their order and whatever their order.

    Parameters
    ----------
    image
        float32 (X, Y, Z) in RAS+ order, finite.

    Returns
    -------
    voxels, values
        As in `Fingerprint`.
    """
    # Images that were scaled to 0..1 or to unit variance keep three decimals instead.
    normalised = float(image.max()) - float(image.min()) < _NORMALISED_SPAN
    factor = np.float32(1000.0 if normalised else 1.0)
    counts = np.zeros(2**16, np.int64)
    voxels = _started(image)
    for plane in image:
        whole = np.clip(np.rint(plane * factor), -(2**15), 2**15 - 1).astype("<i2")
        voxels.update(whole.tobytes())
        counts += np.bincount(whole.ravel().astype(np.int64) + 2**15, minlength=2**16)
    several = np.count_nonzero(counts) >= _FEWEST_VALUES
    values = blake2b(counts.astype("<i8").tobytes(), digest_size=20).hexdigest() if several else ""
    return voxels.hexdigest(), values


def label_digest(labels: NDArray[Any]) -> str:
    """Hash the voxels of a label map; empty if next to nothing is labelled.

    Parameters
    ----------
    labels
        Whole numbers from 0 to 65535, (X, Y, Z) in RAS+ order.
    """
    if np.count_nonzero(labels) < _FEWEST_LABELLED:
        return ""
    voxels = _started(labels)
    for plane in labels:
        voxels.update(plane.astype("<u2").tobytes())
    return voxels.hexdigest()


def _started(array: NDArray[Any]) -> Any:
    """Return a hash that knows the shape, so that a reshaped volume is another."""
    return blake2b(np.array(array.shape, "<i8").tobytes(), digest_size=20)


def _bytes_digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
