"""Hand-crafted tumours against the cost of one Gaussian filter of the liver's box.

The reference runs in the same process, alternating with ours, and the table holds ratios to it:
``scipy.ndimage.gaussian_filter(float64 array of the liver's box, sigma=1.5)``. The original program
takes 3.2 (tiny), 3.2 (small), 3.1 (medium), 4.3 (large) and 5.6 (mix) times the reference on the
same case, after about 100 s of start-up and with 3.2 GB of textures.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import psutil
from case import liver_at_1mm
from measure import RESULTS, keep, reference, seconds
from rich.console import Console
from rich.table import Table

import oncoforge as of
from oncoforge.synthesis.appearance.bank import TEXTURES, tile
from oncoforge.synthesis.scene import bounding_box

LIMITS = {"tiny": 0.2, "small": 0.25, "medium": 0.5, "large": 1.0, "mix": 1.2}
ORIGINAL = {"tiny": 3.2, "small": 3.2, "medium": 3.1, "large": 4.3, "mix": 5.6}
SPACING = (1.0, 1.0, 1.0)


def building() -> dict[str, float]:
    """Measure what it costs to build a synthesizer, and to fill the texture bank."""
    import oncoforge.synthesis.handcrafted  # noqa: F401  # imports are not building

    process = psutil.Process()
    before = process.memory_info().rss
    build_s = seconds(lambda: of.Handcrafted(size="mix"))
    build_mb = (process.memory_info().rss - before) / 1e6
    bank_s = seconds(lambda: [tile(float(a), float(b)) for a, b in TEXTURES])
    bank_mb = sum(tile(float(a), float(b)).nbytes for a, b in TEXTURES) / 1e6
    return {
        "build_s": build_s,
        "build_mb": build_mb,
        "all_textures_s": bank_s,
        "all_textures_mb": bank_mb,
    }


def one_size(
    image: np.ndarray, liver: np.ndarray, size: str, preset: str, seeds: int
) -> dict[str, float]:
    """Measure one size: in place, and with a copy of the volume."""
    box = image[bounding_box(liver)].astype(np.float64)
    synth = of.Handcrafted(size=size, preset=preset)
    work = image.copy()
    first = seconds(lambda: synth(work, liver, SPACING, np.random.default_rng(10_000), out=work))
    ratios, copies, references = [], [], []
    for seed in range(seeds):
        np.copyto(work, image)
        base = reference(box)
        ours = seconds(
            lambda s=seed: synth(work, liver, SPACING, np.random.default_rng(s), out=work)
        )
        copy = seconds(lambda s=seed: synth(image, liver, SPACING, np.random.default_rng(s)))
        references.append(base)
        ratios.append(ours / base)
        copies.append(copy / base)
    return {
        "reference_ms": 1e3 * float(np.median(references)),
        "ratio": float(np.median(ratios)),
        "ratio_p90": float(np.quantile(ratios, 0.9)),
        "ratio_with_copy": float(np.median(copies)),
        "first_call_s": first,
    }


def main() -> None:
    """Measure, print the table, and keep the numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--presets", nargs="+", default=["published", "realistic"])
    parser.add_argument("--out", type=Path, default=RESULTS / "handcrafted.json")
    arguments = parser.parse_args()
    built = building()
    name, image, liver = liver_at_1mm()
    table = Table(title=f"{name}: multiples of one Gaussian filter of the liver's box")
    for column in ("preset", "size", "ours", "90 %", "limit", "original", "with copy"):
        table.add_column(column, justify="right")
    rows = []
    for preset in arguments.presets:
        for size in LIMITS:
            row = one_size(image, liver, size, preset, arguments.seeds)
            rows.append({"preset": preset, "size": size, **row})
            published = preset == "published"
            table.add_row(
                preset,
                size,
                f"{row['ratio']:.2f}",
                f"{row['ratio_p90']:.2f}",
                f"{LIMITS[size]:.2f}" if published else "",
                f"{ORIGINAL[size]:.1f}" if published else "",
                f"{row['ratio_with_copy']:.2f}",
            )
    Console(width=100).print(table)
    print(
        f"Building: {built['build_s'] * 1e3:.1f} ms, {built['build_mb']:.1f} MB. "
        f"All ten textures: {built['all_textures_s']:.2f} s, {built['all_textures_mb']:.0f} MB."
    )
    keep(
        arguments.out,
        {"case": name, "seeds": arguments.seeds, "building": built, "rows": rows},
    )


if __name__ == "__main__":
    main()
