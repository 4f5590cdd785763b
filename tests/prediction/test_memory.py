"""A CT of the largest usual size is segmented in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from oncoforge.formats import write_image
from oncoforge.grid import Grid

SHAPE = (512, 512, 600)
RUN = """
import json, pathlib, resource, sys, warnings
warnings.simplefilter("ignore")
import torch
from oncoforge.networks import Config, Pipeline
from oncoforge.prediction import predict_all

torch.set_num_threads(1)
network = torch.nn.Conv3d(1, 3, 1)
with torch.no_grad():
    network.weight[:] = torch.tensor([0.0, 1.0, 2.0]).view(3, 1, 1, 1, 1)
    network.bias[:] = torch.tensor([0.0, 500.0, 500.0 - 200.0])
network.config = Config("unet", 1, 3, pipeline=Pipeline(
    ("background", "liver", "liver_tumor"), window_hu=(-1000, 1000), values=(-1000, 1000),
    patch=(160, 160, 160), overlap=0.0, postprocess="oncoforge",
))
scan, out, maps = sys.argv[1:]
found = predict_all(scan, network, out, probabilities=maps)
status = pathlib.Path("/proc/self/status")
if status.exists():
    # ru_maxrss starts from what the parent had at the fork; VmHWM is this program's own.
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    peak = int(line.split()[1]) * 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
print(json.dumps({"peak_gb": peak / 1e9, "cases": found.cases, "failures": found.failures}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no measure of the peak")
def test_a_whole_body_ct_with_three_classes_stays_below_8_gb(tmp_path):
    """Resampled to 1 mm and back, with probabilities and post-processing, files included."""
    grid = Grid(SHAPE, np.diag([-0.98, -0.98, 1.02, 1.0]))
    image = np.full(SHAPE, -1000, np.int16)
    block = np.random.default_rng(0).normal(60, 10, (64, 64, 50)).astype(np.int16)
    image[64:448, 128:448] = np.tile(block, (6, 5, 12))
    image[200:260, 200:260, 200:260] = 300
    write_image(tmp_path / "ct.nii.gz", grid.to_ras(image), grid)
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", RUN, tmp_path / "ct.nii.gz", out, tmp_path / "maps"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["failures"] == []
    assert found["peak_gb"] < 8, found
    labels = np.asarray(nib.load(out / "ct.nii.gz").dataobj)
    assert (labels.shape, labels.dtype) == (SHAPE, np.uint8)
    sizes = [np.count_nonzero(labels == n) for n in (1, 2)]
    assert sizes[1] == pytest.approx(60**3, rel=0.05)
    assert sizes[0] == pytest.approx(384 * 320 * 600, rel=0.01)
