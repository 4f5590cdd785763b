"""The published generator's shapes, written plainly and apart from oncoforge, as a reference.

Written from a description of the program (Hu et al., CVPR 2023) with nothing of oncoforge in it:
whole ellipsoid arrays, the elasticdeform package for the three planar passes, one canvas. It prints
the tumour voxels of many scans, of which the tests hold medians. elasticdeform needs NumPy 1:

    python -m venv /tmp/published
    /tmp/published/bin/pip install "numpy<2" "scipy<1.14" elasticdeform==0.5.1
    .venv/bin/python benchmarks/published_reference.py --save-liver /tmp/liver.npy
    /tmp/published/bin/python benchmarks/published_reference.py /tmp/liver.npy
"""

from __future__ import annotations

import argparse
import random

import numpy as np
from scipy import ndimage

# Nominal radius, elastic sigma, lesions in a scan, lesions in a mix.
CLASSES = {
    "tiny": (4, lambda: random.uniform(0.5, 1.0), (3, 10), (3, 10)),
    "small": (8, lambda: random.randint(1, 2), (3, 10), (5, 10)),
    "medium": (16, lambda: random.randint(3, 6), (2, 5), (2, 5)),
    "large": (32, lambda: random.randint(5, 10), (1, 3), (1, 3)),
}
PAD = 80


def lesion(radius: int, sigma: float) -> np.ndarray:
    """Return one deformed ellipsoid in an array of four times its semi-axes."""
    import elasticdeform

    axes = [random.randint(int(0.75 * radius), int(1.25 * radius)) for _ in range(3)]
    grid = np.indices([4 * a for a in axes])
    value = sum(((g - 2 * a) / a) ** 2 for g, a in zip(grid, axes))  # noqa: B905
    shape = (value < 1).astype(float)
    for plane in ((0, 1), (1, 2), (0, 2)):
        shape = elasticdeform.deform_random_grid(shape, sigma=sigma, points=3, order=0, axis=plane)
    return shape > 0.5


def place(liver: np.ndarray) -> tuple[int, int, int]:
    """Return a pixel of the eroded slice in the central band."""
    levels = np.flatnonzero(liver.any(axis=(0, 1)))
    while True:
        z = levels[0] + round(random.uniform(0.3, 0.7) * (levels[-1] - levels[0]))
        pixels = np.argwhere(ndimage.binary_erosion(liver[:, :, z], np.ones((5, 5))))
        if len(pixels):
            x, y = pixels[np.random.randint(len(pixels))]  # noqa: NPY002
            return x, y, z


def scan(liver: np.ndarray, size: str) -> int:
    """Return the tumour voxels of one scan."""
    canvas = np.zeros([n + 2 * PAD for n in liver.shape], bool)
    for kind in CLASSES if size == "mix" else [size]:
        radius, sigma, alone, mixed = CLASSES[kind]
        for _ in range(random.randint(*(mixed if size == "mix" else alone))):
            shape = lesion(radius, sigma())
            centre = place(liver)
            corner = [c + PAD - n // 2 for c, n in zip(centre, shape.shape)]  # noqa: B905
            canvas[tuple(slice(c, c + n) for c, n in zip(corner, shape.shape))] |= shape  # noqa: B905
    return int((canvas[PAD:-PAD, PAD:-PAD, PAD:-PAD] & liver).sum())


def main() -> None:
    """Print medians of tumour voxels, or save the liver that they are measured on."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("liver", nargs="?", help="bool array of a liver at 1 mm")
    parser.add_argument("--save-liver", help="save the benchmark's liver here, and stop")
    parser.add_argument("--scans", type=int, default=60)
    arguments = parser.parse_args()
    if arguments.save_liver:
        from case import liver_at_1mm

        np.save(arguments.save_liver, liver_at_1mm()[2])
        return
    liver = np.load(arguments.liver)
    where = np.argwhere(liver)
    # The program's own cut of the organ's box: one voxel below, two above.
    liver = liver[tuple(slice(a + 1, b - 1) for a, b in zip(where.min(0), where.max(0)))]  # noqa: B905
    for size in (*CLASSES, "mix"):
        voxels = []
        for seed in range(arguments.scans):
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            voxels.append(scan(liver, size))
        twenties = [int(np.median(voxels[i : i + 20])) for i in range(0, len(voxels), 20)]
        print(f"{size:8} median {np.median(voxels):9.0f}   by twenty seeds: {twenties}", flush=True)


if __name__ == "__main__":
    main()
