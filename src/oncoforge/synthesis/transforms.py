"""Synthesis as MONAI transforms, for training pipelines.

Three ways to be random, and each can be repeated:

- MONAI's own ``self.R``: `set_random_state` is obeyed (call it on the outermost Compose, which
  seeds what it holds), and MONAI's DataLoader seeds each worker from its generator;
- in a worker that nobody seeded (PyTorch's plain DataLoader), the worker's own seed is mixed in, so
  that two workers or two epochs never draw alike; seed the loader's generator to repeat a run;
- with ``seed=``, each draw depends on (seed, epoch, item) alone and not on the number of workers.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from copy import deepcopy
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oncoforge.errors import InputError
from oncoforge.grid import Grid
from oncoforge.synthesis.scene import Vector, bounding_box, draw_voxel
from oncoforge.synthesis.site import Site, check_parts
from oncoforge.synthesis.synthesizer import Synthesizer

try:
    import torch
    from monai.config import KeysCollection
    from monai.data.meta_tensor import MetaTensor
    from monai.transforms import MapTransform, RandomizableTransform, SpatialCrop, SpatialPad
    from monai.utils.type_conversion import convert_to_dst_type
except ImportError as error:
    raise ImportError(
        "oncoforge's transforms need MONAI and PyTorch; install them with "
        "pip install 'oncoforge[monai]'."
    ) from error

_FINGERPRINT_STRIDE = 5


class SynthesizeTumor(RandomizableTransform):
    """Put synthetic tumours into an image and its label.

    Parameters
    ----------
    synthesizer
        Such as ``oncoforge.Handcrafted(size="random")``.
    prob
        Probability that an item is changed.
    organ_label, tumor_label
        Label values of the organ, and of its tumours: translate other conventions first, or name
        their values here (in a TotalSegmentator map, 2 is a kidney and no tumour).
    existing
        Change scans that hold a tumour already; False lets them pass through untouched.
    spacing
        Voxel size in mm, for arrays without an affine; a MetaTensor brings its own.
    seed
        Makes draws depend on (seed, epoch, item) alone; see `set_epoch`.
    exophytic
        Let lesions bulge out of the organ into fat, where the label is 0.

    Raises
    ------
    InputError
        If a parameter makes no sense; when called, if image and label are not two volumes of one
        grid, if the voxel size is unknown, or if the organ's values are not HU.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        prob: float = 1.0,
        organ_label: int = 1,
        tumor_label: int = 2,
        existing: bool = False,
        spacing: Vector | None = None,
        seed: int | None = None,
        exophytic: bool = False,
    ) -> None:
        if not 0.0 <= prob <= 1.0:
            raise InputError(f"prob is a probability, from 0 to 1, not {prob}.")
        check_parts(synthesizer, organ_label, tumor_label)
        if seed is not None and seed < 0:
            raise InputError(f"seed is a whole number from 0, not {seed}.")
        RandomizableTransform.__init__(self, prob)
        self.synthesizer = synthesizer
        self.organ_label = organ_label
        self.tumor_label = tumor_label
        self.existing = existing
        self.spacing = spacing
        self.seed = seed
        self.exophytic = exophytic
        # Shared memory: workers that are already running see the next epoch too.
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]
        self._seeded_for: int | None = None
        self._words = [0]

    def __deepcopy__(self, memo: dict[int, Any]) -> SynthesizeTumor:
        """Copy all but the epoch, which copies share: one `set_epoch` reaches them all."""
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        shared = {"_epoch": self._epoch}
        rest = {name: value for name, value in vars(self).items() if name not in shared}
        twin.__dict__.update(deepcopy(rest, memo) | shared)
        return twin

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch begins; with ``seed=`` every epoch draws anew."""
        if epoch < 0:
            raise InputError(f"epoch is a whole number from 0, not {epoch}.")
        self._epoch[0] = epoch

    def set_random_state(
        self, seed: int | None = None, state: np.random.RandomState | None = None
    ) -> SynthesizeTumor:
        """Seed MONAI's own random state (see `monai.transforms.Randomizable`)."""
        super().set_random_state(seed, state)
        self._seeded_for = _worker_seed()
        return self

    def randomize(self, data: Any = None) -> None:
        """Draw whether to act, and the generator to act with; `data` names the item."""
        if self.seed is None:
            words = [int(w) for w in self.R.randint(0, 2**32, size=4, dtype=np.uint64)]
            worker = _worker_seed()
            if worker is not None and worker != self._seeded_for:
                words.append(worker)
        else:
            words = [self.seed, int(self._epoch[0]), _digest(data)]
        self._words = words
        self._do_transform = bool(np.random.default_rng(words).random() < self.prob)

    def __call__(
        self, img: Any, label: Any, randomize: bool = True, item: Hashable | None = None
    ) -> tuple[Any, Any]:
        """Return the image and the label with tumours; the inputs stay as they are.

        Parameters
        ----------
        img
            (1, X, Y, Z) or (X, Y, Z): MetaTensor, tensor or array, HU.
        label
            The same shape, label values.
        randomize
            Draw anew; False acts on the last draw.
        item
            Names the item for ``seed=``; by default its file name or its contents do.
        """
        if randomize:
            self.randomize(item if item is not None else _identity(img, label))
        return self._on_pair(img, label, self._generator())

    def _generator(self) -> np.random.Generator:
        """Return the generator of the last draw, from its start."""
        return np.random.default_rng([*self._words, 1])

    def _on_pair(self, img: Any, label: Any, rng: np.random.Generator) -> tuple[Any, Any]:
        grid = _grid(img, label, self.spacing)
        if not self._do_transform or self._is_taken(label):
            return img, label
        return self._act(img, label, grid, 1.0, rng)

    def _is_taken(self, label: Any) -> bool:
        """Tell whether a scan holds a tumour already and is to be left alone for it."""
        return not self.existing and bool((_volume(label) == self.tumor_label).any())

    def _act(
        self, img: Any, label: Any, grid: Grid, share: float, rng: np.random.Generator
    ) -> tuple[Any, Any]:
        """Synthesise on copies of an image and a label."""
        new_img, new_label = _copy(img), _copy(label)
        values = _volume(label)
        taken = values != 0 if self.exophytic else None
        site = Site.of(_volume(new_img), values == self.organ_label, grid, taken)
        made = self.synthesizer(
            site.scan, site.organ, site.spacing, rng, out=site.out, share=share, room=site.room
        )
        site.write(made, grid.to_ras(_volume(new_label)), self.tumor_label)
        return _return(new_img, img), _return(new_label, label)


class SynthesizeTumord(SynthesizeTumor, MapTransform):
    """The same for dictionaries.

    Parameters
    ----------
    keys
        The image's key and the label's.
    synthesizer, prob, organ_label, tumor_label, existing, spacing, seed, exophytic
        See `SynthesizeTumor`.
    item_key
        Key whose value names the item for ``seed=``; None goes by file name or contents. Several
        crops of one file need names of their own to draw differently.
    allow_missing_keys
        See `monai.transforms.MapTransform`.
    """

    def __init__(
        self,
        keys: KeysCollection,
        synthesizer: Synthesizer,
        prob: float = 1.0,
        organ_label: int = 1,
        tumor_label: int = 2,
        existing: bool = False,
        spacing: Vector | None = None,
        seed: int | None = None,
        item_key: str | None = None,
        allow_missing_keys: bool = False,
        exophytic: bool = False,
    ) -> None:
        SynthesizeTumor.__init__(
            self, synthesizer, prob, organ_label, tumor_label, existing, spacing, seed, exophytic
        )
        MapTransform.__init__(self, keys, allow_missing_keys)
        if len(self.keys) != 2:
            raise InputError(
                f"keys are the image's and the label's; {len(self.keys)} were given: {self.keys}."
            )
        self.item_key = item_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:  # type: ignore[override]
        """Return the dictionary with a new image and label."""
        items = dict(data)
        image_key, label_key = self.keys
        if self.allow_missing_keys and not {image_key, label_key} <= set(items):
            return items
        img, label = items[image_key], items[label_key]
        self.randomize(_identity(img, label) if self.item_key is None else items[self.item_key])
        items[image_key], items[label_key] = self._on_pair(img, label, self._generator())
        return items


class SynthesizeTumorPatchd(SynthesizeTumord):
    """Choose a patch first, then synthesise inside it only.

    A patch holds the share of the organ's lesions that it holds of the organ, and at least one.
    Use it in place of a random crop, before intensities are scaled.

    Parameters
    ----------
    keys, synthesizer
        See `SynthesizeTumord`.
    spatial_size
        Size of the patch, voxels; smaller volumes are padded (image: its minimum, label: 0).
    pos, neg
        Relative odds that the patch is centred on a voxel of organ or tumour, or anywhere.
    **options
        Other parameters of `SynthesizeTumord`.
    """

    def __init__(
        self,
        keys: KeysCollection,
        synthesizer: Synthesizer,
        spatial_size: tuple[int, int, int] = (96, 96, 96),
        pos: float = 1.0,
        neg: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(keys, synthesizer, **options)
        size = np.asarray(spatial_size)
        if size.shape != (3,) or size.dtype.kind not in "iu" or size.min() < 1:
            raise InputError(f"spatial_size is three whole numbers from 1, not {spatial_size}.")
        if min(pos, neg) < 0 or pos + neg == 0:
            raise InputError(f"pos and neg are odds, not {pos} and {neg}.")
        self.spatial_size = tuple(int(n) for n in size)
        self.pos = pos
        self.neg = neg

    def _on_pair(self, img: Any, label: Any, rng: np.random.Generator) -> tuple[Any, Any]:
        grid = _grid(img, label, self.spacing)
        values = _volume(label)
        organ = values == self.organ_label
        start = self._start(organ | (values == self.tumor_label), rng)
        patch, patch_label = (_crop(x, start, self.spatial_size) for x in (img, label))
        inside = np.count_nonzero(_volume(patch_label) == self.organ_label)
        if self._do_transform and inside and not self._is_taken(label):
            affine = grid.affine.copy()
            affine[:3, 3] = grid.to_world(start)
            share = inside / np.count_nonzero(organ)
            shape = _volume(patch).shape
            patch, patch_label = self._act(patch, patch_label, Grid(shape, affine), share, rng)
        low = float(_volume(patch).min())
        return _pad(patch, self.spatial_size, low), _pad(patch_label, self.spatial_size, 0.0)

    def _start(self, held: NDArray[np.bool_], rng: np.random.Generator) -> list[int]:
        """Draw the first voxel of the patch, such that it lies in the volume if it can."""
        positive = rng.random() < self.pos / (self.pos + self.neg)
        box = bounding_box(held) if positive else None
        if box is None:
            centre = rng.integers(0, held.shape)
        else:
            centre = draw_voxel(held[box], rng) + [s.start for s in box]
        start = centre - np.array(self.spatial_size) // 2
        last = np.maximum(np.array(held.shape) - self.spatial_size, 0)
        return [int(v) for v in np.clip(start, 0, last)]


def _worker_seed() -> int | None:
    """Return the seed of this DataLoader worker, or None in the main process."""
    info = torch.utils.data.get_worker_info()
    return None if info is None else int(info.seed)


def _volume(data: Any) -> NDArray[Any]:
    """View a (1, X, Y, Z) or (X, Y, Z) tensor or array as a NumPy volume, sharing memory."""
    if isinstance(data, torch.Tensor):
        tensor = data.as_tensor() if isinstance(data, MetaTensor) else data
        array = tensor.detach().cpu().numpy()
    else:
        array = np.asarray(data)
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 3:
        raise InputError(
            f"Image and label are (1, X, Y, Z) volumes; found shape {tuple(data.shape)}. "
            "Put EnsureChannelFirstd before, and the synthesis before any batching."
        )
    return array


def _grid(img: Any, label: Any, spacing: ArrayLike | None) -> Grid:
    """Return where the voxels lie: by the affine, or by the spacing for an array that has none."""
    shape = _volume(img).shape
    if img.ndim == 3 and img.shape[0] == 1:
        raise InputError(f"The image has shape {tuple(img.shape)}, a plane; give (1, X, Y, Z).")
    if _volume(label).shape != shape:
        raise InputError(
            f"Image and label share one grid; found shapes {shape} and {_volume(label).shape}."
        )
    if isinstance(img, MetaTensor):
        return Grid(shape, img.affine.cpu().numpy())
    if spacing is None:
        raise InputError(
            "The image is no MetaTensor, so its voxel size is unknown; set spacing=(x, y, z) in mm."
        )
    return Grid(shape, np.diag([*np.asarray(spacing, float), 1.0]))


def _crop(data: Any, start: list[int], size: tuple[int, ...]) -> Any:
    """Cut a patch out of a volume, as a copy; a MetaTensor keeps its affine right."""
    cut = tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))
    if not isinstance(data, MetaTensor):
        part = data[(..., *cut)]
        return part.clone() if isinstance(part, torch.Tensor) else part.copy()
    stop = [a + n for a, n in zip(start, size, strict=True)]
    crop = SpatialCrop(roi_start=start, roi_end=stop)
    return crop(data) if data.ndim == 4 else crop(data[None])[0]


def _pad(data: Any, size: tuple[int, ...], value: float) -> Any:
    """Pad a patch to its size on both sides, and return it as what it was."""
    if _volume(data).shape == size:
        return data
    pad = SpatialPad(size, mode="constant", value=value)
    padded = pad(data) if data.ndim == 4 else pad(data[None])[0]
    return padded if isinstance(data, MetaTensor) else convert_to_dst_type(padded, data)[0]


def _copy(data: Any) -> Any:
    if isinstance(data, torch.Tensor):
        return data.detach().clone().cpu()
    return np.array(data)


def _return(new: Any, old: Any) -> Any:
    """Bring a result back to where its input was."""
    return new.to(old.device) if isinstance(old, torch.Tensor) else new


def _identity(img: Any, label: Any) -> bytes:
    """Name an item by its file, or else by what is in it."""
    if isinstance(img, MetaTensor) and img.meta.get("filename_or_obj"):
        return str(img.meta["filename_or_obj"]).encode()
    digest = blake2b(digest_size=8)
    coarse = (slice(None, None, _FINGERPRINT_STRIDE),) * 3
    for data in (img, label):
        digest.update(_volume(data)[coarse].tobytes())
    return digest.digest()


def _digest(item: Any) -> int:
    """Turn an item's name into a number that is the same in every process."""
    raw = item if isinstance(item, bytes) else repr(item).encode()
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "little")
