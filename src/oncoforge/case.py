"""Case: one CT and its label map on one grid, in HU, mm and RAS+ axis order."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from oncoforge import anatomy
from oncoforge.errors import InputError
from oncoforge.grid import Affine, Grid, Shape
from oncoforge.source import Source

Image = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class Case:
    """One CT and its label map on one grid.

    Parameters
    ----------
    image
        float32 (X, Y, Z) in HU; another number type is converted, another memory order copied.
    labels
        uint8 (X, Y, Z) in the labels of :mod:`oncoforge.anatomy`, 0 is background.
    affine
        (4, 4) voxel index to RAS+ mm. The axes must run nearest to R, A and S already: use
        :meth:`from_arrays` for arrays in another order.
    source
        Where the case came from. By default it is its own source: a RAS+ grid without a file.

    Raises
    ------
    InputError
        If the arrays are not two volumes of one shape, the labels are not whole numbers from 0 to
        255, or the affine cannot be used.

    Examples
    --------
    >>> case = Case(np.zeros((4, 4, 4)), np.ones((4, 4, 4), np.uint8), np.eye(4))
    >>> case.organs()
    ('liver',)
    """

    image: Image
    labels: Labels
    affine: Affine
    # Never None once built, which spares every reader of `case.source` a check.
    source: Source = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Check the parts against each other and bring them to their promised types."""
        image, labels = np.asarray(self.image), np.asarray(self.labels)
        if image.ndim != 3 or image.dtype.kind not in "biuf":
            raise InputError(
                f"The image of a case is a real (X, Y, Z) array; found {image.dtype} with "
                f"shape {image.shape}."
            )
        if labels.shape != image.shape:
            raise InputError(
                f"The image and the labels of a case share one shape; found {image.shape} and "
                f"{labels.shape}."
            )
        grid = Grid(cast(Shape, image.shape), self.affine)
        if not grid.is_ras():
            raise InputError(
                f"The axes of a case run R, A, S; these run {', '.join(grid.axis_codes)}. "
                "Use Case.from_arrays, which reorients."
            )
        source = self.source if self.source is not None else Source(grid)
        _check_source(source, grid)
        object.__setattr__(self, "image", np.ascontiguousarray(image, dtype=np.float32))
        object.__setattr__(self, "labels", _as_labels(labels))
        object.__setattr__(self, "affine", grid.affine)
        object.__setattr__(self, "source", source)

    @classmethod
    def from_arrays(
        cls, image: npt.NDArray[Any], labels: npt.NDArray[Any], affine: npt.ArrayLike
    ) -> Case:
        """Build a case from arrays in any axis order; results can go back onto that order.

        Parameters
        ----------
        image, labels
            Two arrays of one shape, in HU and in oncoforge labels.
        affine
            (4, 4) voxel index of these arrays to RAS+ mm.
        """
        image, labels = np.asarray(image), np.asarray(labels)
        if image.ndim != 3 or labels.shape != image.shape:
            raise InputError(
                f"The image and the labels of a case are two (X, Y, Z) arrays of one shape; found "
                f"{image.shape} and {labels.shape}."
            )
        grid = Grid(cast(Shape, image.shape), np.asarray(affine, dtype=np.float64))
        source = Source(grid, dtype=image.dtype.name)
        return cls(grid.to_ras(image), grid.to_ras(labels), grid.ras().affine, source)

    @property
    def shape(self) -> Shape:
        """Voxels along R, A and S."""
        return cast(Shape, self.image.shape)

    @property
    def grid(self) -> Grid:
        """The RAS+ grid of the arrays (``source.grid`` is the one of the file)."""
        return Grid(self.shape, self.affine)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel spacing in mm along R, A and S."""
        return self.grid.spacing

    def organ(self, name: str) -> Mask:
        """Return bool (X, Y, Z): an organ together with its tumours.

        Raises
        ------
        UnknownNameError
            If the name is in no table.
        InputError
            If the label map does not have the organ; the sentence names those that it has.
        """
        mask = self._mask_of(name, tumours=True)
        return self._present(name, mask)

    def parenchyma(self, name: str) -> Mask:
        """Return bool (X, Y, Z): an organ without its tumours.

        Raises
        ------
        UnknownNameError
            If the name is in no table.
        InputError
            If the label map does not have the organ; the sentence names those that it has.
        """
        return self._present(name, self._mask_of(name, tumours=False))

    def tumor(self, name: str) -> Mask:
        """Return bool (X, Y, Z): the tumours of an organ, which may be none.

        Raises
        ------
        UnknownNameError
            If the name is in no table.
        InputError
            If the label convention knows no tumours of this structure.
        """
        label = anatomy.organ(name).tumor_label
        if label is None:
            raise InputError(f"The label convention has no tumours of the {_words(name)}.")
        return np.asarray(self.labels == label)

    def organs(self) -> tuple[str, ...]:
        """Names of the organs and structures in the label map, in the order of their labels."""
        # One axis plane at a time: bincount widens its input to eight bytes a voxel.
        counts = np.zeros(256, dtype=np.int64)
        for plane in self.labels:
            counts += np.bincount(plane.ravel(), minlength=256)
        names = []
        for name in anatomy.LABELS:
            record = anatomy.organ(name)
            if any(counts[label] for label in (record.label, record.tumor_label) if label):
                names.append(name)
        return tuple(names)

    def to_world(self, points_vox: npt.ArrayLike) -> Affine:
        """Voxel coordinates (..., 3) of the arrays to RAS+ mm (..., 3)."""
        return self.grid.to_world(points_vox)

    def to_voxel(self, points_mm: npt.ArrayLike) -> Affine:
        """RAS+ mm (..., 3) to voxel coordinates (..., 3) of the arrays."""
        return self.grid.to_voxel(points_mm)

    def replace(
        self, *, image: npt.NDArray[Any] | None = None, labels: npt.NDArray[Any] | None = None
    ) -> Case:
        """Return the same place and source with another image, other labels, or both."""
        return dataclasses.replace(
            self,
            image=self.image if image is None else image,
            labels=self.labels if labels is None else labels,
        )

    def __repr__(self) -> str:
        size = " x ".join(str(n) for n in self.shape)
        spacing = " x ".join(f"{mm:.3g}" for mm in self.spacing)
        return f"Case({size} voxels of {spacing} mm, from {self.source.image_path or 'arrays'})"

    def _mask_of(self, name: str, *, tumours: bool) -> Mask:
        record = anatomy.organ(name)
        mask = np.asarray(self.labels == record.label)
        if tumours and record.tumor_label is not None:
            mask |= self.labels == record.tumor_label
        return mask

    def _present(self, name: str, mask: Mask) -> Mask:
        if mask.any():
            return mask
        where = self.source.labels_path or "The label map"
        present = self.organs()
        if anatomy.organ(name).name in present:
            raise InputError(
                f"{where} has tumours of the {_words(name)} but no {_words(name)} around them. "
                "Give a label map with the organ too."
            )
        known = ", ".join(_words(organ) for organ in present) or "nothing"
        raise InputError(
            f"{where} has no {_words(name)}; it has {known}. Choose one of these, or another "
            "label convention."
        )


def _as_labels(labels: npt.NDArray[Any]) -> Labels:
    if labels.dtype != np.uint8 and labels.size:
        low, high = labels.min(), labels.max()
        if labels.dtype.kind not in "biuf" or not (low >= 0 and high <= 255):
            raise InputError(
                f"The labels of a case are whole numbers from 0 to 255; found {labels.dtype} "
                f"from {low} to {high}."
            )
        if labels.dtype.kind == "f" and not np.array_equal(labels, np.rint(labels)):
            raise InputError("The labels of a case are whole numbers; found fractions.")
    return np.ascontiguousarray(labels, dtype=np.uint8)


def _check_source(source: Source, grid: Grid) -> None:
    difference = source.grid.ras().difference(grid)
    if difference:
        raise InputError(
            f"The arrays of a case lie on the grid of its source, but {difference}. "
            "Build a cropped or resampled case without a source."
        )


def _words(name: str) -> str:
    return name.replace("_", " ")
