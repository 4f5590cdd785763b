"""Synthesis as TorchIO transforms: one that draws tumours, and one that makes what was drawn.

TorchIO keeps the second in the history of a subject, so that a history replays the same tumours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.grid import Grid
from oncoforge.synthesis.base import Plain, Recipe
from oncoforge.synthesis.cases import synthesizer_for
from oncoforge.synthesis.site import Site, check_parts
from oncoforge.synthesis.synthesizer import Synthesizer

try:
    import torch
    from torchio import Image, LabelMap, Subject
    from torchio.transforms import Transform
    from torchio.transforms.augmentation import RandomTransform
except ImportError as error:
    raise ImportError(
        "oncoforge's TorchIO transforms need TorchIO 1 and PyTorch; install them with "
        "pip install 'oncoforge[torchio]'."
    ) from error

_NUMPY_DEFAULTS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
"""TorchIO makes NumPy raise at the first NaN, which are a regular value in our measurements."""


class RandomTumor(RandomTransform):
    """Draw synthetic tumours and put them into an image and its label map.

    Parameters
    ----------
    synthesizer
        One of oncoforge's, such as ``oncoforge.Handcrafted(size="random")``.
    image, label
        Names of the CT and of the label map in the subject; None for its only one of the kind.
    organ_label, tumor_label
        Label values of the organ, and of its tumours.
    existing
        Change scans that hold a tumour already; False lets them pass through untouched.
    exophytic
        Let lesions bulge out of the organ into fat, where the label is 0.
    **kwargs
        See `torchio.transforms.Transform`, such as ``p=0.9``.

    Raises
    ------
    InputError
        If a parameter makes no sense; when called, if the two images are not found, are not two
        volumes of one grid, or the organ's values are not HU.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        image: str | None = None,
        label: str | None = None,
        organ_label: int = 1,
        tumor_label: int = 2,
        existing: bool = False,
        exophytic: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_parts(synthesizer, organ_label, tumor_label)
        self.synthesizer = synthesizer
        self.image, self.label = image, label
        self.organ_label, self.tumor_label = organ_label, tumor_label
        self.existing = existing
        self.exophytic = exophytic

    def apply_transform(self, subject: Subject) -> Subject:
        """Draw a recipe and make it."""
        # Drawn first, so that what one subject holds is nothing to the next.
        rng = np.random.default_rng(int(torch.randint(2**31, (1,))))
        image = self._name(subject, self.image, "image")
        label = self._name(subject, self.label, "label map")
        values = _volume(subject[label], label)
        if not self.existing and bool((values == self.tumor_label).any()):
            return subject
        scan = _volume(subject[image], image)
        with np.errstate(**_NUMPY_DEFAULTS):  # type: ignore[arg-type]
            site = _site(subject, scan, values, image, label, self.organ_label, self.exophytic)
            recipe = self.synthesizer.draw(site.scan, site.organ, site.spacing, rng, room=site.room)
        if not recipe.lesions:
            return subject
        made = Tumor(
            recipe,
            image,
            label,
            self.organ_label,
            self.tumor_label,
            copy=self.copy,
        )
        # What is made is not drawn again: the next subject's numbers are the same without it.
        with torch.random.fork_rng(devices=[]):
            return made(subject)

    def _name(self, subject: Subject, name: str | None, what: str) -> str:
        """Return the name of the image or of the label map."""
        held = subject.get_images_dict(
            intensity_only=False, include=self.include, exclude=self.exclude
        )
        wanted = [
            key for key, one in held.items() if isinstance(one, LabelMap) == (what != "image")
        ]
        if name is not None and name not in wanted:
            raise UnknownNameError(f"{what} in the subject", name, wanted)
        if name is None and len(wanted) != 1:
            raise InputError(
                f"The subject has {len(wanted)} images of the kind {what}"
                f"{': ' if wanted else ''}{', '.join(wanted)}; name the one that is meant, such as "
                f'{"image" if what == "image" else "label"}="{(*wanted, "ct")[0]}".'
            )
        return name or wanted[0]


class Tumor(Transform):
    """Make the synthetic tumours of a recipe in an image and its label map.

    Parameters
    ----------
    recipe
        A recipe, or its plain data.
    image, label
        Names of the CT and of the label map in the subject.
    organ_label, tumor_label
        Label values of the organ, and of its tumours.
    library
        Where the library of its tumours is now, if it moved.
    **kwargs
        See `torchio.transforms.Transform`.

    Raises
    ------
    InputError
        If this is no recipe; when called, as `RandomTumor`.
    """

    def __init__(
        self,
        recipe: Recipe | Mapping[str, Any],
        image: str,
        label: str,
        organ_label: int = 1,
        tumor_label: int = 2,
        library: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._recipe = recipe if isinstance(recipe, Recipe) else Recipe.from_dict(recipe)
        self.image, self.label = image, label
        self.organ_label, self.tumor_label = organ_label, tumor_label
        self.library = library
        self.args_names = ["recipe", "image", "label", "organ_label", "tumor_label", "library"]

    @property
    def recipe(self) -> Plain:
        """The recipe as plain data."""
        return self._recipe.to_dict()

    def apply_transform(self, subject: Subject) -> Subject:
        """Make what the recipe describes."""
        for name in (self.image, self.label):
            if name not in subject:
                raise UnknownNameError("image in the subject", name, subject)
        old = _volume(subject[self.image], self.image)
        values = _volume(subject[self.label], self.label)
        scan, labels = old.copy(), values.copy()
        with np.errstate(**_NUMPY_DEFAULTS):  # type: ignore[arg-type]
            site = _site(
                subject,
                scan,
                values,
                self.image,
                self.label,
                self.organ_label,
                self._recipe.exophytic,
            )
            # The organ's name only chooses among presets, of which a recipe needs none.
            made = synthesizer_for(self._recipe, "liver", library=self.library).apply(
                site.scan, site.organ, site.spacing, self._recipe, out=site.out, room=site.room
            )
            grid = _grid(subject[self.image], scan)
            site.write(made, grid.to_ras(labels), self.tumor_label)
        subject[self.image].set_data(torch.from_numpy(scan)[None])
        subject[self.label].set_data(torch.from_numpy(labels)[None])
        return subject


def _site(
    subject: Subject,
    scan: NDArray[Any],
    values: NDArray[Any],
    image: str,
    label: str,
    organ_label: int,
    exophytic: bool,
) -> Site:
    """Look at the volumes of an image and a label map, which must share one grid."""
    grid = _grid(subject[image], scan)
    if apart := grid.difference(_grid(subject[label], values)):
        raise InputError(
            f"{label} does not lie on the grid of {image}: {apart}. Put torchio.Resample('{image}')"
            " before the synthesis."
        )
    return Site.of(scan, values == organ_label, grid, values != 0 if exophytic else None)


def _grid(image: Image, volume: NDArray[Any]) -> Grid:
    x, y, z = volume.shape
    return Grid((x, y, z), image.affine)


def _volume(image: Image, name: str) -> NDArray[Any]:
    """View an image's (1, X, Y, Z) as a volume."""
    if image.num_channels != 1:
        raise InputError(f"{name} has {image.num_channels} channels; give a volume of one.")
    return image.data[0].numpy()
