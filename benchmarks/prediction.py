"""Sliding windows with a gate, against all of them and against MONAI; and the peak of memory.

Windows: how many of 96 x 96 x 96 voxels touch an organ with a margin of 5 mm on the sample CT at
1 mm. Seconds: a whole prediction of the liver with a small network, by all windows and by those of
the gate, after a check that the labels within the liver are the same; and the windows alone, with
MONAI's ``sliding_window_inference`` on the same input. Memory: the peak of a process of its own
that segments a CT of 512 x 512 x 600 voxels from its file, with three classes and a network of one
convolution, resampled to 1 mm and back.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from case import ROOT, liver_at_1mm
from measure import RESULTS, keep, seconds
from scipy import ndimage

import oncoforge as of
from oncoforge.formats import Volume, write_image
from oncoforge.grid import Grid
from oncoforge.networks import Config, Pipeline
from oncoforge.prediction import predict, sliding_window
from oncoforge.prediction.gate import MARGIN_MM, around
from oncoforge.prediction.windows import plan_windows
from oncoforge.source import Source

ORGANS = ("liver", "kidney", "pancreas", "spleen")
PATCH = (96, 96, 96)
LARGE = (512, 512, 600)
ALONE = """
import json, pathlib, sys
import torch
from oncoforge.networks import Config, Pipeline
from oncoforge.prediction import predict_all

torch.set_num_threads(int(sys.argv[3]))
network = torch.nn.Conv3d(1, 3, 1)
classes = ("background", "liver", "liver_tumor")
network.config = Config("unet", 1, 3, pipeline=Pipeline(classes, patch=(160, 160, 160), overlap=0))
found = predict_all(sys.argv[1], network, sys.argv[2])
[row] = found.cases.values()
status = pathlib.Path("/proc/self/status").read_text().splitlines()
[line] = [line for line in status if line.startswith("VmHWM")]
print(json.dumps({"peak_gb": int(line.split()[1]) * 1024 / 1e9, "windows": row["windows"]}))
"""


def organs_at_1mm() -> tuple[str, np.ndarray, dict[str, np.ndarray]]:
    """Return a name, the CT and the masks of organs, all at 1 mm."""
    name, image, liver = liver_at_1mm()
    data = Path(os.environ.get("ONCOFORGE_DATA", ROOT.parent / "shared" / "data")) / "ct_abdomen"
    if data.is_dir():
        case = of.read_case(data / "image.nii.gz", data / "totalsegmentator_labels.nii.gz")
    else:
        case = of.make_phantom(seed=0, spacing_mm=(1.0, 1.0, 1.0)).case()
    factors = np.divide(image.shape, case.shape)
    masks = {"liver": liver}
    for organ in ORGANS[1:]:
        masks[organ] = ndimage.zoom(case.organ(organ).astype(np.float32), factors, order=1) > 0.5
    return name, image, masks


def small_network() -> Any:
    """Return three convolutions with the weights of a seed."""
    torch.manual_seed(0)
    network: Any = torch.nn.Sequential(
        torch.nn.Conv3d(1, 8, 3, padding=1),
        torch.nn.LeakyReLU(),
        torch.nn.Conv3d(8, 3, 3, padding=1),
    )
    classes = ("background", "liver", "liver_tumor")
    network.config = Config("unet", 1, 3, pipeline=Pipeline(classes, patch=PATCH))
    return network.eval()


def counts(masks: dict[str, np.ndarray]) -> dict[str, Any]:
    """Count the windows that touch each organ, and all of them."""
    found: dict[str, Any] = {}
    for organ, mask in masks.items():
        near = around(mask, (1.0, 1.0, 1.0), MARGIN_MM)
        for overlap in (0.5, 0.75):
            plan = plan_windows(mask.shape, PATCH, overlap, near)
            found[f"{organ}, overlap {overlap}"] = {
                "windows": len(plan.starts),
                "without_gate": plan.total,
                "ratio": round(plan.total / len(plan.starts), 2),
            }
    return found


def times(image: np.ndarray, liver: np.ndarray, overlap: float, repeats: int) -> dict[str, float]:
    """Time a prediction with and without the gate, and the windows alone against MONAI's.

    The shortest of some runs counts, in turns: others work on the machine too.
    """
    from monai.inferers import sliding_window_inference

    network = small_network()
    volume = Volume(image, Source(Grid(image.shape, np.eye(4))))
    made = {}

    def run(name: str, **how: Any) -> float:
        return seconds(
            lambda: made.update({name: predict(volume, network, overlap=overlap, **how)})
        )

    run("warm", gate=np.zeros_like(liver))
    tensor = torch.from_numpy(image)[None] / 400

    @torch.no_grad()
    def monai() -> None:
        sliding_window_inference(tensor[None], PATCH, 1, network, overlap=overlap, mode="gaussian")

    calls: dict[str, Callable[[], float]] = {
        "gated_s": lambda: run("gated", organ=liver),
        "whole_s": lambda: run("whole", gate="none"),
        "windows_alone_s": lambda: seconds(lambda: sliding_window(tensor, network, PATCH, overlap)),
        "monai_s": lambda: seconds(monai),
    }
    rounds = [{name: call() for name, call in calls.items()} for _ in range(repeats)]
    took = {name: min(one[name] for one in rounds) for name in calls}
    same = np.array_equal(made["gated"].labels[liver], made["whole"].labels[liver])
    return {
        **took,
        "ratio": took["whole_s"] / took["gated_s"],
        "same_labels_in_liver": same,
    }


def memory() -> dict[str, float]:
    """Return the peak of a process that segments a large CT."""
    rng = np.random.default_rng(0)
    image = np.full(LARGE, -1000, np.int16)
    block = rng.normal(60, 10, (64, 64, 50)).astype(np.int16)
    image[64:448, 128:448] = np.tile(block, (6, 5, 12))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ct.nii.gz")
        write_image(path, image, Grid(LARGE, np.diag([0.98, 0.98, 1.02, 1.0])))
        del image
        words = [sys.executable, "-c", ALONE, path, Path(folder, "out"), "2"]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--overlap", type=float, default=0.5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "prediction.json")
    options = parser.parse_args()
    torch.set_num_threads(2)
    name, image, masks = organs_at_1mm()
    result: dict[str, Any] = {"case": name, "counts": counts(masks), "memory": memory()}
    result["times"] = {
        "overlap": options.overlap,
        **times(image, masks["liver"], options.overlap, options.repeats),
    }
    for part in ("counts", "memory", "times"):
        for key, value in result[part].items():
            print(f"{part}: {key}: {value}")
    keep(options.out, result)


if __name__ == "__main__":
    main()
