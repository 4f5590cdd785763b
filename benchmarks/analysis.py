"""Measuring tumours, and drawing them from what was measured.

Measuring: every lesion of a label map, in memory, against SimpleITK's label shape statistics
(connected components of the tumour, with Feret diameter and perimeter; it gives fewer numbers: no
diameter in the slice, no place in the organ, nothing of the organ). Both run in the same process on
the same label maps, alternating. Label maps: those of KiTS19 in the sample data, else phantoms with
synthetic tumours.

Drawing: a call with a fitted prior and room to bulge, against one Gaussian filter of the kidneys'
box as in the other benchmarks.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import psutil
import SimpleITK as sitk
from case import ROOT
from measure import RESULTS, keep, reference, seconds

import oncoforge as of
from oncoforge.analysis.measure import measure
from oncoforge.analysis.survey import survey
from oncoforge.formats import Volume, read_labels
from oncoforge.synthesis.scene import bounding_box


def label_maps(folder: Path) -> tuple[str, list[Path], str]:
    """Return what the label maps are, their files, and their convention."""
    data = Path(os.environ.get("ONCOFORGE_DATA", ROOT.parent / "shared" / "data"))
    found = sorted((data / "kits19_labels").glob("*.nii.gz"))
    if found:
        return f"{len(found)} KiTS19 label maps", found, "kits"
    made = []
    for seed in range(8):
        case = of.make_phantom(seed=seed, spacing_mm=(1.5, 1.5, 3.0)).case()
        out = of.synthesize(case, organ="kidney", size="mix", seed=seed)
        made.append(folder / f"phantom_{seed}.nii.gz")
        of.write_labels(made[-1], out.labels, out)
    return f"{len(made)} phantoms with synthetic kidney tumours", made, "oncoforge"


def shape_statistics(volume: Volume, label: int) -> sitk.LabelShapeStatisticsImageFilter:
    """Measure the components of a label by SimpleITK."""
    image = sitk.GetImageFromArray((volume.array == label).astype(np.uint8).transpose(2, 1, 0))
    image.SetSpacing(volume.spacing)
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.ComputeFeretDiameterOn()
    statistics.ComputePerimeterOn()
    statistics.Execute(sitk.ConnectedComponent(image, True))
    return statistics


def measuring(files: list[Path], convention: str) -> dict[str, float]:
    """Compare the two on every label map."""
    ours, theirs = [], []
    for path in files:
        volume = read_labels(path, convention)
        measure(volume.array, volume.grid, "warm", ["kidney"])
        theirs.append(seconds(lambda v=volume: shape_statistics(v, 6)))
        ours.append(seconds(lambda v=volume: measure(v.array, v.grid, "x", ["kidney"])))
    return {
        "measure_s": float(np.median(ours)),
        "simpleitk_s": float(np.median(theirs)),
        "ratio": float(np.median(np.array(ours) / theirs)),
    }


def whole_survey(files: list[Path], convention: str) -> dict[str, float]:
    """Time the whole of ``analyze``, files included, and look at its memory."""
    elapsed = seconds(lambda: survey(files, convention, workers=2))
    process = psutil.Process()
    everyone = [process, *process.children(recursive=True)]
    return {"survey_s": elapsed, "rss_after_mb": sum(p.memory_info().rss for p in everyone) / 1e6}


def drawing(files: list[Path], convention: str, seeds: int) -> dict[str, float]:
    """Time calls with a prior fitted to the label maps, on a phantom of 1.5 mm."""
    found = survey(files, convention, workers=2)
    prior = of.fit_prior(found.lesions, found.cases)
    case = of.make_phantom(seed=0, spacing_mm=(1.5, 1.5, 1.5)).case()
    organ = case.parenchyma("kidney")
    base = case.image[bounding_box(organ)].astype(np.float64)
    room_s = seconds(lambda: of.room_around(case.image, case.labels, organ, case.spacing))
    room = of.room_around(case.image, case.labels, organ, case.spacing)
    synth = of.make_synthesizer("handcrafted", "kidney", prior=prior)
    ratios, times = [], []
    for seed in range(-3, seeds):
        rng = np.random.default_rng(seed + 3)
        work = case.image.copy()
        gaussian = reference(base)
        took = seconds(lambda r=rng, w=work: synth(w, organ, case.spacing, r, out=w, room=room))
        if seed >= 0:  # the first ones fill caches
            times.append(took)
            ratios.append(took / gaussian)
    return {
        "room_s": room_s,
        "call_s": float(np.median(times)),
        "ratio": float(np.median(ratios)),
        "seeds": seeds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--out", type=Path, default=RESULTS / "analysis.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        name, files, convention = label_maps(Path(folder))
        result = {
            "label_maps": name,
            "measuring": measuring(files, convention),
            "survey": whole_survey(files, convention),
            "drawing": drawing(files, convention, options.seeds),
        }
    for part, numbers in result.items():
        print(f"{part}: {numbers}")
    keep(options.out, result)


if __name__ == "__main__":
    main()
