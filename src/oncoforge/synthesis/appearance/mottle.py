"""The mottle of a lesion: a texture of the bank, sampled where the lesion lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oncoforge.compiled import compiled
from oncoforge.errors import InputError
from oncoforge.synthesis.appearance.bank import LEVELS, TEXTURES, TILE, tile
from oncoforge.synthesis.base import Plain
from oncoforge.synthesis.scene import Box, Scene, Vector


@dataclass(frozen=True)
class Mottle:
    """Which texture a lesion has, and which part of it.

    Parameters
    ----------
    texture
        (sigma_a, sigma_b) of the texture, mm.
    offset_mm
        Where in the texture's tile the scan's first voxel lies.
    """

    texture: tuple[float, float]
    offset_mm: Vector

    def __post_init__(self) -> None:
        if max(map(abs, self.offset_mm)) > TILE:
            raise InputError(f"offset_mm {self.offset_mm} is beyond the tile of {TILE} mm.")
        if tuple(self.texture) not in TEXTURES:
            raise InputError(f"texture {self.texture} is not one of {TEXTURES}.")

    def times(
        self, scene: Scene, box: Box, soft: NDArray[np.float32], scale: float, shift: float = 0.0
    ) -> NDArray[np.float32]:
        """Return ``scale * (texture + shift) * soft`` on a box of the scene; the texture is 0 to 1.

        Parameters
        ----------
        scene
            Where the box lies.
        box
            Slices into the scene's arrays.
        soft
            float32, shape of the box.
        scale, shift
            As in the formula.
        """
        return _times(scene, box, self, soft, shift, scale)


def draw_mottle(rng: np.random.Generator) -> Plain:
    """Draw the fields of a `Mottle`."""
    a, b = TEXTURES[int(rng.integers(len(TEXTURES)))]
    return {
        "texture": (float(a), float(b)),
        "offset_mm": tuple(float(o) for o in rng.integers(0, TILE, 3)),
    }


def _times(
    scene: Scene, box: Box, paint: Mottle, soft: NDArray[np.float32], shift: float, scale: float
) -> NDArray[np.float32]:
    origin = scene.to_mm([s.start for s in box]) + paint.offset_mm
    out = np.empty(soft.shape, np.float32)
    cells = [_cells(origin[axis], scene.spacing[axis], soft.shape[axis]) for axis in range(3)]
    whole = all(not fraction.any() for _, fraction in cells)
    (i, a), (j, b), (k, c) = cells
    _modulate(soft, tile(*paint.texture), i, a, j, b, k, c, whole, shift, scale / LEVELS, out)
    return out


def _cells(origin: float, spacing: float, n: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return each voxel's cell in the periodic tile and how far into it the voxel lies."""
    at = origin + spacing * np.arange(n)
    low = np.floor(at)
    return low.astype(np.int64) % TILE, (at - low).astype(np.float32)


@compiled
def _modulate(soft, texture, ix, fx, iy, fy, iz, fz, whole, shift, scale, out):  # type: ignore[no-untyped-def]
    """Write ``(texture + shift) * scale * soft``; `whole` means that no interpolation is needed."""
    n = texture.shape[0]
    offset = np.float32(shift * LEVELS)
    factor = np.float32(scale)
    nx, ny, nz = soft.shape
    for i in range(nx):
        i0, a = ix[i], fx[i]
        i1 = (i0 + 1) % n
        for j in range(ny):
            j0, b = iy[j], fy[j]
            j1 = (j0 + 1) % n
            for k in range(nz):
                w = soft[i, j, k]
                if w == 0.0:
                    out[i, j, k] = 0.0
                    continue
                k0 = iz[k]
                if whole:
                    value = np.float32(texture[i0, j0, k0])
                else:
                    c = fz[k]
                    k1 = (k0 + 1) % n
                    t00 = texture[i0, j0, k0] * (1 - c) + texture[i0, j0, k1] * c
                    t01 = texture[i0, j1, k0] * (1 - c) + texture[i0, j1, k1] * c
                    t10 = texture[i1, j0, k0] * (1 - c) + texture[i1, j0, k1] * c
                    t11 = texture[i1, j1, k0] * (1 - c) + texture[i1, j1, k1] * c
                    low = t00 * (1 - b) + t01 * b
                    high = t10 * (1 - b) + t11 * b
                    value = np.float32(low * (1 - a) + high * a)
                out[i, j, k] = (value + offset) * factor * w
