"""Grown tumours against the cost of one Gaussian filter of the liver's box.

The reference runs in the same process, alternating with ours, and the first table holds ratios to
it: ``scipy.ndimage.gaussian_filter(float64 array of the liver's box, sigma=1.5)``, on one core. The
original program scans the whole box for every step, on a GPU only.

The second table, and the picture, show that a step costs what the tumour's surface costs: steps
from N - 10 to N of the automaton alone, in uniform tissue. The third shows that the organ's box
does not matter: the same tumour in cubes of any size.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from case import liver_at_1mm
from matplotlib.figure import Figure
from measure import RESULTS, keep, reference, seconds
from rich.console import Console
from rich.table import Table
from scipy import ndimage

import oncoforge as of
from oncoforge.synthesis.appearance.bank import TEXTURES, tile
from oncoforge.synthesis.masks.growth.plan import GrowthPlan, backend
from oncoforge.synthesis.scene import bounding_box, make_scene

LIMITS = {50: 0.5, 149: 4.0}
STEPS = (10, 20, 30, 50, 80, 100, 149)
SPACING = (1.0, 1.0, 1.0)
LEVELS = (120.0, 140.0, 160.0)
CUBES = (64, 128, 256)


def ratios(
    image: np.ndarray, liver: np.ndarray, steps: int, preset: str, seeds: int, device: str
) -> dict[str, float]:
    """Measure a whole call for one focus: draw, grow, shade and measure, in place."""
    box = image[bounding_box(liver)].astype(np.float64)
    synth = of.Cellular(preset=preset, steps=steps, foci=1, device=device)
    work = image.copy()
    synth(work, liver, SPACING, np.random.default_rng(10_000), out=work)
    found, copies, references, voxels = [], [], [], []
    for seed in range(seeds):
        np.copyto(work, image)
        references.append(reference(box))
        made: list[of.Synthesis] = []
        ours = seconds(
            lambda s=seed, made=made: made.append(
                synth(work, liver, SPACING, np.random.default_rng(s), out=work)
            )
        )
        copy = seconds(lambda s=seed: synth(image, liver, SPACING, np.random.default_rng(s)))
        found.append(ours / references[-1])
        copies.append(copy / references[-1])
        voxels.append(sum(lesion.voxels for lesion in made[0].lesions))
    return {
        "reference_ms": 1e3 * float(np.median(references)),
        "ratio": float(np.median(found)),
        "ratio_p90": float(np.quantile(found, 0.9)),
        "ratio_with_copy": float(np.median(copies)),
        "voxels": float(np.median(voxels)),
    }


def growth(edge: int, steps: int, device: str, repeats: int = 7) -> tuple[float, np.ndarray]:
    """Return the median time, ms, of growth alone in a uniform cube, and what has grown."""
    shape = (edge,) * 3
    scene = make_scene(np.full(shape, 100, np.float32), np.ones(shape, np.bool_), SPACING)
    plan = GrowthPlan(((edge / 2,) * 3,), steps, LEVELS)
    run = backend(device)
    grown = plan.grow(scene, run)
    assert grown is not None
    times = [seconds(lambda: plan.grow(scene, run)) for _ in range(repeats)]
    return 1e3 * float(np.median(times)), grown.population > 0


def per_step(device: str) -> list[dict[str, float]]:
    """Measure what a step costs at several sizes."""
    rows = []
    for steps in STEPS[1:]:
        late, tumour = growth(128, steps, device)
        early, _ = growth(128, steps - 10, device)
        surface = int((tumour & ~ndimage.binary_erosion(tumour)).sum())
        cost = max(late - early, 0.0) / 10
        rows.append(
            {
                "steps": steps,
                "voxels": int(tumour.sum()),
                "surface_voxels": surface,
                "step_ms": cost,
                "ns_per_surface_voxel": 1e6 * cost / surface,
            }
        )
    return rows


def draw(rows: list[dict[str, float]], path: Path) -> None:
    """Draw the cost of a step against the tumour's surface, and what its volume would give."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    surface = [row["surface_voxels"] for row in rows]
    axes.loglog(surface, [row["step_ms"] for row in rows], "o-", label="measured")
    last = rows[-1]
    for power, name in ((1.0, "like the surface"), (1.5, "like the volume")):
        line = [last["step_ms"] * (s / last["surface_voxels"]) ** power for s in surface]
        axes.loglog(surface, line, "--", linewidth=1, label=name)
    axes.set_xlabel("surface voxels of the tumour")
    axes.set_ylabel("one step of growth (ms)")
    axes.legend()
    figure.savefig(path, dpi=100, metadata={"Software": None})
    print(f"Picture: {path}")


def main() -> None:
    """Measure, print the tables, and keep the numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--presets", nargs="+", default=["liver", "adaptive", "realistic"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=RESULTS / "cellular.json")
    arguments = parser.parse_args()
    console = Console(width=100)
    name, image, liver = liver_at_1mm()
    for sigmas in TEXTURES:
        tile(*map(float, sigmas))
    table = Table(title=f"{name}: multiples of one Gaussian filter of the liver's box")
    for column in ("preset", "steps", "voxels", "ours", "90 %", "limit", "with copy"):
        table.add_column(column, justify="right")
    calls = []
    for preset in arguments.presets:
        for steps in STEPS:
            row = ratios(image, liver, steps, preset, arguments.seeds, arguments.device)
            calls.append({"preset": preset, "steps": steps, **row})
            limit = LIMITS.get(steps) if preset == "liver" else None
            table.add_row(
                preset,
                str(steps),
                f"{row['voxels']:.0f}",
                f"{row['ratio']:.2f}",
                f"{row['ratio_p90']:.2f}",
                f"{limit:.1f}" if limit else "",
                f"{row['ratio_with_copy']:.2f}",
            )
    console.print(table)
    steps_table = Table(title="One step of growth, in uniform tissue")
    for column in ("steps", "voxels", "surface voxels", "ms", "ns per surface voxel"):
        steps_table.add_column(column, justify="right")
    curve = per_step(arguments.device)
    for row in curve:
        steps_table.add_row(
            str(row["steps"]),
            str(row["voxels"]),
            str(row["surface_voxels"]),
            f"{row['step_ms']:.3f}",
            f"{row['ns_per_surface_voxel']:.0f}",
        )
    console.print(steps_table)
    cubes = {str(edge): growth(edge, 50, arguments.device)[0] for edge in CUBES}
    print("50 steps in cubes:", ", ".join(f"{e} mm: {ms:.2f} ms" for e, ms in cubes.items()))
    draw(curve, arguments.out.with_suffix(".png"))
    keep(
        arguments.out,
        {
            "case": name,
            "seeds": arguments.seeds,
            "device": arguments.device,
            "rows": calls,
            "steps": curve,
            "cubes_50_steps_ms": cubes,
        },
    )


if __name__ == "__main__":
    main()
