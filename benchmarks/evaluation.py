"""Scoring masks: `oncoforge.evaluation.score` against DeepMind's surface-distance.

Both get the same two masks of a full volume, in the same process, alternating: oncoforge gives
Dice, IoU, NSD, HD95, Hausdorff and mean surface distances; surface-distance computes its surface
distances, and NSD and HD95 from them. The cases: a liver at 1 mm against a shifted, dilated copy;
a ball of 20 mm in the same volume against a shifted one; noise, which is all surface; two masks at
opposite ends of the volume.

What is compiled on the very first call is timed in processes of their own, with an empty numba
cache and with a full one. Last, what three definitions of NSD say of the same masks.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from case import ROOT, liver_at_1mm
from measure import RESULTS, keep, seconds
from scipy import ndimage

from oncoforge.evaluation import score
from oncoforge.evaluation.score import DEFINITIONS
from oncoforge.formats import read_labels

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import surface_distance

Pair = tuple[np.ndarray, np.ndarray]
MM = (1.0, 1.0, 1.0)
TOLERANCE_MM = 2.0


def cases(liver: np.ndarray) -> Iterator[tuple[str, Pair, int]]:
    """Yield what is scored, the two masks, and how often surface-distance scores them."""
    yield "liver", (disturbed(liver, (3, -2, 2), 2), liver), 5
    tumor = ball(liver.shape, np.argwhere(liver)[liver.sum() // 2], 10)
    yield "tumor_20mm", (disturbed(tumor, (2, -1, 1), 0), tumor), 5
    rng = np.random.default_rng(0)
    noise = rng.random((2, 100, 100, 100)) < 0.5
    yield "noise_100", (noise[0], noise[1]), 3
    far = np.zeros((2, *liver.shape), bool)
    far[0, :20, :20, :20], far[1, -20:, -20:, -20:] = True, True
    yield "far_apart", (far[0], far[1]), 2


def disturbed(mask: np.ndarray, shift: tuple[int, int, int], dilation: int) -> np.ndarray:
    """Return a mask moved by voxels, and dilated."""
    moved = ndimage.shift(mask, shift, order=0)
    return ndimage.binary_dilation(moved, iterations=dilation) if dilation else moved


def ball(shape: tuple[int, ...], centre: np.ndarray, radius: float) -> np.ndarray:
    index = np.ogrid[tuple(map(slice, shape))]
    return sum((i - c) ** 2 for i, c in zip(index, centre, strict=True)) <= radius**2


def theirs(pred: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Compute NSD and HD95 by surface-distance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = surface_distance.compute_surface_distances(truth, pred, MM)
    return (
        surface_distance.compute_surface_dice_at_tolerance(found, TOLERANCE_MM),
        surface_distance.compute_robust_hausdorff(found, 95),
    )


def timed(pair: Pair, repeats: int) -> dict[str, float]:
    """Time both on one pair of masks, and look at how far apart their results are."""
    ours_s, theirs_s = [], []
    found, (nsd, hd95_mm) = score(*pair, MM, TOLERANCE_MM), theirs(*pair)
    for _ in range(repeats):
        theirs_s.append(seconds(lambda: theirs(*pair)))
        ours_s += [seconds(lambda: score(*pair, MM, TOLERANCE_MM)) for _ in range(3)]
    return {
        "score_ms": 1e3 * float(np.median(ours_s)),
        "surface_distance_ms": 1e3 * float(np.median(theirs_s)),
        "ratio": float(np.median(theirs_s) / np.median(ours_s)),
        "nsd": found.nsd,
        "nsd_difference": float(abs(found.nsd - nsd)),
        "hd95_mm": found.hd95_mm,
        "hd95_difference_mm": float(abs(found.hd95_mm - hd95_mm)),
    }


_FIRST = """
import time, numpy as np
start = time.perf_counter()
from oncoforge.evaluation import score
mask = np.ones((9, 9, 9), bool)
score(mask, mask, (1, 1, 1))
print(time.perf_counter() - start)
"""


def first_call() -> dict[str, float]:
    """Time imports and one call on a small mask in new processes."""
    with tempfile.TemporaryDirectory() as folder:
        times = []
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", _FIRST],
                env=os.environ | {"NUMBA_CACHE_DIR": folder},
                capture_output=True,
                text=True,
                check=True,
            )
            times.append(float(done.stdout))
    return {"compiling_s": times[0], "from_cache_s": times[1]}


def definitions(liver: Pair) -> dict[str, dict[str, float]]:
    """Score masks by each definition of NSD."""
    table = {}
    pairs = [("liver at 1 mm, shifted and dilated", liver, MM), *kidney_tumors()]
    for (name, pair, spacing), tolerance_mm in ((p, t) for p in pairs for t in (1.0, 2.0)):
        table[f"{name}, {tolerance_mm:g} mm"] = {
            nsd: score(*pair, spacing, tolerance_mm, nsd=nsd).nsd for nsd in DEFINITIONS
        }
    return table


def kidney_tumors() -> Iterator[tuple[str, Pair, tuple[float, float, float]]]:
    """Yield two real tumours, one small, against copies dilated by a voxel and moved by one."""
    data = Path(os.environ.get("ONCOFORGE_DATA", ROOT.parent / "shared" / "data"))
    for case in ("case_00007", "case_00021"):
        path = data / "kits19_labels" / f"{case}.nii.gz"
        if path.exists():
            volume = read_labels(path, "kits")
            tumor = volume.array == 6
            sides = " x ".join(f"{side:.2g}" for side in volume.spacing)
            name = f"KiTS19 {case}, {sides} mm, dilated and shifted"
            yield name, (disturbed(tumor, (1, 0, 0), 1), tumor), volume.spacing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS / "evaluation.json")
    options = parser.parse_args()
    name, _, liver = liver_at_1mm()
    result: dict[str, object] = {"case": name, "shape": liver.shape}
    kept = {}
    for what, pair, repeats in cases(liver):
        kept[what] = pair
        result[what] = timed(pair, repeats)
        print(f"{what}: {result[what]}", flush=True)
    result["first_call"] = first_call()
    result["definitions"] = definitions(kept["liver"])
    print(result["first_call"], result["definitions"], sep="\n")
    keep(options.out, result)


if __name__ == "__main__":
    main()
