"""A CT of the largest usual size goes through the main job in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from oncoforge.formats import write_image, write_labels
from oncoforge.grid import Grid

SHAPE = (512, 512, 800)
FLOAT_MB = 4 * np.prod(SHAPE) / 1e6
# The peak of this process's own children would count this process too: it is larger than zero
# at the moment of the fork. So the run measures itself.
RUN = """
import json, resource, sys
from oncoforge.cli import main

try:
    main(sys.argv[1:])
except SystemExit as stop:
    code = stop.code
try:
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
print(json.dumps({"code": code, "peak_mb": peak / 1e6}), file=sys.stderr)
"""


def _body() -> tuple[np.ndarray, np.ndarray]:
    """A noisy body in air with a liver (TotalSegmentator's 5) and a column all along it (27)."""
    # A small noisy block many times over: cheap, and as hard to compress as a CT.
    block = np.random.default_rng(0).normal(60, 15, (64, 64, 50)).astype(np.int16)
    image = np.full(SHAPE, -1000, np.int16)
    image[64:448, 128:448] = np.tile(block, (6, 5, 16))
    labels = np.zeros(SHAPE, np.uint8)
    x, y, z = np.ogrid[-1:1:230j, -1:1:180j, -1:1:200j]
    labels[200:430, 180:360, 350:550][x**2 + y**2 + z**2 < 1] = 5
    labels[100:180, 200:300] = 27
    return image, labels


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no measure of the peak")
@pytest.mark.parametrize(
    ("organ", "value", "style", "method"),
    [
        ("liver", 5, "oncoforge", "handcrafted"),
        ("vertebra", 27, "instances", "cellular"),
    ],
)
def test_full_size_ct_stays_within_three_times_its_float_size(
    tmp_path, organ, value, style, method
):
    image, labels = _body()
    grid = Grid(SHAPE, np.diag([-0.7, -0.7, 1.0, 1.0]))
    paths = [tmp_path / "ct.nii.gz", tmp_path / "labels.nii.gz"]
    write_image(paths[0], grid.to_ras(image), grid)
    write_labels(paths[1], grid.to_ras(labels), grid)

    out = tmp_path / "out"
    arguments = ["synth", *paths, "--preset", "realistic", "--seed", "1", "--out", out]
    arguments += ["--organ", organ, "--label-style", style, "--method", method]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stderr)
    assert found["code"] == 0
    assert found["peak_mb"] < 3 * FLOAT_MB, found

    record = json.loads((out / "lesions.json").read_text())
    assert record["lesions"]
    made = nib.load(out / "image.nii.gz")
    made_labels = np.asarray(nib.load(out / "label.nii.gz").dataobj)
    assert (made.shape, made.get_data_dtype()) == (SHAPE, np.int16)
    np.testing.assert_allclose(made.affine, grid.affine)
    tumor = made_labels > 0 if style == "instances" else made_labels == 2
    assert np.count_nonzero(tumor) == sum(r["voxels"] for r in record["lesions"])
    assert (labels[tumor] == value).all()
    np.testing.assert_array_equal(np.asarray(made.dataobj)[labels != value], image[labels != value])
