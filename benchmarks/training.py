"""Training patches per second and worker, against the published chain on the same case.

The published chain of SyntheticTumors (Hu et al., CVPR 2023), per item, in MONAI's transforms: load
a compressed NIfTI of image and label, channel first, RAS, resample to 1 mm (bilinear, nearest),
synthesise in the whole liver (probability 0.9, a size class at random), window -21 to 189 HU, pad
to 96, one 96-voxel crop by positive and negative voxels (1 : 1), three flips (0.2), a quarter turn
(0.2), scale (0.15) and shift (0.15) of intensities. The authors' generator cannot be used here; in
its place is ours in the whole organ (`SynthesizeTumord`), which takes 0.1 of its time (see
``handcrafted.py``), so that the chain below is faster than the published one was. Once the volume
is cached, as their training did, the steps up to resampling are left out.

Ours makes the same from the store: same window, patch, odds, generator, sizes and augmentations.
One process, one thread, alternating, on one 1 mm case; processor time, which other work on the
machine changes less than the clock's (the workers are timed by the clock). Memory is that of the
workers of PyTorch's DataLoader: what is their own (USS), and that plus their part of what they
share (PSS).
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import torch
from case import liver_at_1mm
from measure import RESULTS, keep
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader

import oncoforge as of
from oncoforge.networks import Pipeline
from oncoforge.training.data.draws import Draw, EpochSampler
from oncoforge.training.data.patches import collate
from oncoforge.training.settings import SourceSettings, SynthesisSettings

if TYPE_CHECKING:  # workers that are spawned import this file, and need neither
    from oncoforge.training.data.module import SegmentationData

PATCH = (96, 96, 96)
WINDOW = (-21.0, 189.0)
KEYS = ["image", "label"]
LOADING = 4
"""Transforms of the chain whose result can be cached."""
STAGES = {
    "read from the store": (("case.py", "image"), ("case.py", "labels")),
    "synthesise": (("synthetic.py", "apply"),),
    "window, flip, turn, intensities": (("patches.py", "_finish"),),
}


def write_case(folder: Path) -> tuple[str, dict[str, str]]:
    """Write the 1 mm case as compressed NIfTI, and a list of it."""
    name, image, liver = liver_at_1mm()
    case = of.Case(image, liver.astype(np.uint8), np.eye(4))
    files = {key: str(folder / f"{key}.nii.gz") for key in KEYS}
    of.write_image(files["image"], case.image, case)
    of.write_labels(files["label"], case.labels, case)
    (folder / "list.json").write_text(json.dumps({"training": [files]}), encoding="utf-8")
    return name, files


def published(spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> list[Any]:
    """Return the published chain."""
    from monai import transforms as mt

    crop = {"image_key": "image", "image_threshold": 0, "pos": 1, "neg": 1, "num_samples": 1}
    return [
        mt.LoadImaged(KEYS),
        mt.EnsureChannelFirstd(KEYS),
        mt.Orientationd(KEYS, "RAS", labels=None),
        mt.Spacingd(KEYS, spacing, mode=("bilinear", "nearest")),
        of.SynthesizeTumord(KEYS, of.Handcrafted(size="random"), prob=0.9),
        mt.ScaleIntensityRanged("image", *WINDOW, 0.0, 1.0, clip=True),
        mt.SpatialPadd(KEYS, PATCH, mode=("minimum", "constant")),
        mt.RandCropByPosNegLabeld(KEYS, label_key="label", spatial_size=PATCH, **crop),
        *[mt.RandFlipd(KEYS, prob=0.2, spatial_axis=axis) for axis in range(3)],
        mt.RandRotate90d(KEYS, prob=0.2, max_k=3),
        mt.RandScaleIntensityd("image", factors=0.1, prob=0.15),
        mt.RandShiftIntensityd("image", offsets=0.1, prob=0.15),
        mt.ToTensord(KEYS),
    ]


def run_chain(chain: list[Any], item: Any, spent: dict[str, list[float]]) -> Any:
    """Run a chain once, and note the time of every step."""
    for step in chain:
        start = time.process_time()
        item = [step(one) for one in item] if isinstance(item, list) else step(item)
        spent.setdefault(type(step).__name__, []).append(time.process_time() - start)
    return item


def ours(folder: Path, **settings: Any) -> SegmentationData:
    """Return the same from the store."""
    from oncoforge.training.data.module import SegmentationData

    data = SegmentationData(
        Pipeline(("background", "liver", "liver_tumor"), window_hu=WINDOW, patch=PATCH),
        healthy=SourceSettings([str(folder / "list.json")]),
        synthesis=[SynthesisSettings(size="random", preset="published", probability=0.9)],
        patches_per_epoch=100_000,
        cache=str(folder / "cache"),
        allow_missing=True,
        **settings,
    )
    data.prepare_data()
    data.setup()
    return data


def compare(folder: Path, files: dict[str, str], rounds: int, patches: int) -> dict[str, Any]:
    """Time both, alternating: one item of the chain, then some patches of ours."""
    from monai.transforms import Compose

    start = time.process_time()
    data = ours(folder)
    opened_s = time.process_time() - start
    data.tumors.warm()
    chain = published()
    torch.manual_seed(0)
    Compose(chain).set_random_state(0)
    loaded = run_chain(chain[:LOADING], dict(files), {})
    run_chain(chain[LOADING:], dict(loaded), {})  # compiles, and makes textures
    full, cached, mine, spent = [], [], [], {}
    for number in range(rounds):
        start = time.process_time()
        run_chain(chain, dict(files), spent)
        full.append(time.process_time() - start)
        start = time.process_time()
        run_chain(chain[LOADING:], dict(loaded), {})
        cached.append(time.process_time() - start)
        start = time.process_time()
        for item in range(patches):
            data.patches[Draw(number, item)]
        mine.append((time.process_time() - start) / patches)
    return {
        "opened_s": opened_s,
        "published_s": float(np.mean(full)),
        "published_cached_s": float(np.mean(cached)),
        "published_stages_ms": {name: 1e3 * sum(t) / rounds for name, t in spent.items()},
        "ours_s": float(np.mean(mine)),
        "ours_stages_ms": stages(data, patches),
        "ratio": float(np.mean(full) / np.mean(mine)),
        "ratio_cached": float(np.mean(cached) / np.mean(mine)),
        "patches_per_s": float(1 / np.mean(mine)),
    }


def stages(data: SegmentationData, patches: int) -> dict[str, float]:
    """Return where the time of ours goes, ms per patch, by a profiler, which slows it down."""
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    for item in range(patches):
        data.patches[Draw(1000, item)]
    profile.disable()
    rows = pstats.Stats(profile).stats
    found = {}
    for stage, functions in STAGES.items():
        hits = [
            row[3]
            for (file, _, name), row in rows.items()
            if (Path(file).name, name) in functions and "oncoforge" in file
        ]
        found[stage] = 1e3 * sum(hits) / patches
    return found


def with_workers(
    folder: Path, workers: int, context: str | None, batches: int, **how: Any
) -> dict[str, Any]:
    """Measure throughput and memory of a loader's workers."""
    data = ours(folder, workers=workers)
    if how.get("warm", True):
        data.tumors.warm()
    loader = DataLoader(
        data.patches,
        batch_size=2,
        sampler=EpochSampler(2 * batches),
        num_workers=workers,
        collate_fn=collate,
        multiprocessing_context=context,
    )
    processes: list[psutil.Process] = []
    uss, pss = 0.0, 0.0
    start = rate = 0.0
    for number, _ in enumerate(loader):
        if number == batches // 4:  # workers have started, and opened what they read
            start = time.perf_counter()
            children = psutil.Process().children()
            processes = [child for child in children if "resource_tracker" not in _line(child)]
        if number % 8 == 7 and processes:
            full = [process.memory_full_info() for process in processes]
            uss = max(uss, *(f.uss for f in full))
            pss = max(pss, *(f.pss for f in full))
        if number == batches - 2 * workers - 1:
            rate = 2 * (number - batches // 4) / (time.perf_counter() - start)
    return {
        "workers": workers,
        "start": context or "default",
        "patches_per_s_and_worker": rate / workers,
        "uss_mb": uss / 1e6,
        "pss_mb": pss / 1e6,
    }


def _line(process: psutil.Process) -> str:
    return " ".join(process.cmdline())


def show(result: dict[str, Any]) -> None:
    """Print tables."""
    table = Table(title=f"{result['case']}: time of one 96-voxel training patch")
    for column in ("", "ms", "ours is faster by"):
        table.add_column(column, justify="right")
    table.add_row("published chain", f"{1e3 * result['published_s']:.0f}", f"{result['ratio']:.0f}")
    table.add_row(
        "the same, volume cached",
        f"{1e3 * result['published_cached_s']:.0f}",
        f"{result['ratio_cached']:.0f}",
    )
    table.add_row("ours", f"{1e3 * result['ours_s']:.1f}", "")
    console = Console(width=100)
    console.print(table)
    for who in ("published", "ours"):
        print(f"{who}, ms: {json.dumps(_rounded(result[f'{who}_stages_ms']))}")
    memory = Table(title="Workers")
    for column in result["workers"][0]:
        memory.add_column(column.replace("_", " "), justify="right")
    for row in result["workers"]:
        memory.add_row(*(f"{v:.1f}" if isinstance(v, float) else str(v) for v in row.values()))
    console.print(memory)


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in values.items()}


def main() -> None:
    """Measure, print the tables, and keep the numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--patches", type=int, default=100)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RESULTS / "training.json")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # MONAI's own
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        name, files = write_case(folder)
        # First, so that workers fork from a process that has read nothing.
        loaders = [
            with_workers(folder, workers, context, arguments.batches)
            for workers, context in ((1, "fork"), (2, "fork"), (1, "spawn"))
        ]
        result = compare(folder, files, arguments.rounds, arguments.patches)
    result = {"case": name, **result, "workers": loaders}
    show(result)
    keep(arguments.out, result)


if __name__ == "__main__":
    main()
