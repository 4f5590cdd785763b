"""What a real tumour looked like, copied along with its shape.

TumorCP (Yang et al., MICCAI 2021) pastes the values of a tumour into another scan; CarveMix (Zhang
et al., MICCAI 2021) pastes a region carved around it. Here the seam is softened, and the values may
be shifted so that the organs around agree, since scans differ in contrast phase.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.fields import build
from oncoforge.synthesis.appearance.blur import soft_mask
from oncoforge.synthesis.appearance.tones import Range, check_hu
from oncoforge.synthesis.base import LesionMask, LesionPlan, Plain
from oncoforge.synthesis.library.items import Item
from oncoforge.synthesis.library.pose import Pose
from oncoforge.synthesis.library.shelf import Crop, Shelf, open_shelf
from oncoforge.synthesis.scene import Scene

_WIDEST_MM = 10.0
_AROUND_MM = 10.0
"""The organ that counts as around a lesion: as far as the crops of a library reach by default."""

_BOX_SD = 1 / math.sqrt(12.0)
"""Standard deviation of a box of width 1: what a voxel averages over."""


@dataclass(frozen=True)
class Copy(Pose):
    """The appearance of one lesion: another one's.

    Parameters
    ----------
    centre_mm, quaternion, scale, flip
        Those of its mask (see `Pose`).
    library
        Folder of its library.
    tumor
        Its name there.
    mask_sha256, image_sha256
        Of its files.
    edge_mm
        Sigma that softens the seam.
    shift_hu
        HU added to its values.
    """

    library: str
    tumor: str
    mask_sha256: str
    image_sha256: str
    edge_mm: float
    shift_hu: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_hu((self.shift_hu,))
        if not 0 <= self.edge_mm <= _WIDEST_MM:
            raise InputError(f"edge_mm is from 0 to {_WIDEST_MM:g} mm, not {self.edge_mm:g}.")


@dataclass(frozen=True)
class Copied:
    """Appearance model: the values of the tumours whose shapes are pasted.

    Parameters
    ----------
    library
        Folder of the library, where it is not the one that the masks say.
    edge_mm
        Range of the sigma that softens the seam.
    match
        Shift the values so that the mean of the organ around is that of the scan; False pastes
        them as they are, as TumorCP does.

    Raises
    ------
    InputError
        If edge_mm is no range.
    """

    library: str = field(default="", metadata={"setting": False})
    edge_mm: Range = (0.5, 1.0)
    match: bool = True

    def __post_init__(self) -> None:
        low, high = self.edge_mm
        if not 0 <= low <= high <= _WIDEST_MM:
            raise InputError(
                f"edge_mm is a range within 0 to {_WIDEST_MM:g} mm, not {self.edge_mm}."
            )

    def draw(
        self, scene: Scene, plans: Sequence[LesionPlan], rng: np.random.Generator
    ) -> list[Plain]:
        """Draw each lesion's appearance (see `base.AppearanceModel`)."""
        return [dict(vars(self._draw_one(scene, plan, rng))) for plan in plans]

    def _draw_one(self, scene: Scene, plan: LesionPlan, rng: np.random.Generator) -> Copy:
        try:
            pose = {name: plan.mask[name] for name in ("centre_mm", "quaternion", "scale", "flip")}
            library, tumor = plan.mask["library"], plan.mask["tumor"]
        except KeyError:
            raise InputError(
                "Appearance copy copies the tumours of a library, so it needs their masks; use "
                "masks library, or another appearance."
            ) from None
        library = self.library or library
        shelf = open_shelf(library)
        item = shelf.item(tumor)
        if item.image_sha256 is None:
            raise InputError(
                f"Library {library} has no image of {tumor}, so there is no appearance to copy; "
                "make it with oncoforge prepare crops --images, or use appearance texture."
            )
        return Copy(
            **pose,
            library=library,
            tumor=tumor,
            mask_sha256=item.mask_sha256,
            image_sha256=item.image_sha256,
            edge_mm=float(rng.uniform(*self.edge_mm)),
            shift_hu=self._shift(scene, plan, shelf, item) if self.match else 0.0,
        )

    def _shift(self, scene: Scene, plan: LesionPlan, shelf: Shelf, item: Item) -> float:
        if item.organ_hu is None:
            raise InputError(
                f"The crop of {item.name} in library {shelf.folder} shows nothing of its organ, so "
                "its values cannot be matched; use match=false."
            )
        reach = item.equivalent_diameter_mm * plan.mask["scale"] / 2 + _AROUND_MM
        return _organ_mean(scene, plan.mask["centre_mm"], reach) - item.organ_hu

    def paint(self, scene: Scene, mask: LesionMask, parameters: Plain) -> None:
        """Paint one lesion (see `base.AppearanceModel`)."""
        copy = build(Copy, parameters, "parameter of a copied tumour")
        shelf = open_shelf(self.library or copy.library)
        crop = shelf.crop(copy.tumor, copy.mask_sha256, copy.image_sha256)
        box, soft = soft_mask(scene, mask, copy.edge_mm)
        values = copy.sample(
            _as_coarse(crop, copy.scale, scene), crop.spacing, crop.centroid_vox, scene, box
        )
        image = scene.image[box]
        change = soft * (values + np.float32(copy.shift_hu) - image)
        np.add(image, change, out=image, where=scene.room[box])


def _organ_mean(scene: Scene, centre_mm: Sequence[float], reach_mm: float) -> float:
    """Return the mean HU of the organ around a point, or of all of it if it is not around."""
    centre = scene.to_voxel(centre_mm)
    reach = reach_mm / np.asarray(scene.spacing)
    box = scene.clip(np.floor(centre - reach), np.ceil(centre + reach) + 1)
    if box is not None and scene.organ[box].any():
        return float(scene.image[box][scene.organ[box]].mean(dtype=np.float64))
    return float(scene.organ_sample().mean(dtype=np.float64))


def _as_coarse(crop: Crop, scale: float, scene: Scene) -> NDArray[np.float32]:
    """Return a crop's image, smoothed where the scene's voxels would skip some of its own.

    The noise of thin voxels is strong, and would stay so if coarse ones sampled it.
    """
    assert crop.image is not None  # it was asked for
    own = np.asarray(crop.spacing)
    wanted = math.prod(scene.spacing) ** (1 / 3) / scale
    sigma = _BOX_SD * np.sqrt(np.maximum(wanted**2 - own**2, 0.0)) / own
    if not sigma.any():
        return crop.image
    smooth: NDArray[np.float32] = scipy.ndimage.gaussian_filter(crop.image, sigma, mode="nearest")
    return smooth
