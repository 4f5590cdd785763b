"""A full-size CT in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from oncoforge.formats import write_image, write_labels
from oncoforge.grid import Grid

SHAPE = (512, 512, 800)
READ_AND_WRITE = """
import json, pathlib, resource, sys, time
from oncoforge.formats import read_case, write_image

def peak_mb():
    # Linux lets ru_maxrss start from what the parent had at the fork; VmHWM is this program's own.
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS

image, labels, out = sys.argv[1:]
start = time.perf_counter()
case = read_case(image, labels, organ="liver")
read, read_mb = time.perf_counter() - start, peak_mb()
start = time.perf_counter()
write_image(out, case.image, case.source)
write = time.perf_counter() - start
print(json.dumps({"read_s": read, "read_mb": read_mb, "write_s": write, "write_mb": peak_mb()}))
"""


@pytest.mark.slow
def test_a_whole_body_ct_needs_little_more_than_its_own_size(tmp_path):
    grid = Grid(SHAPE, np.diag([-0.7, -0.7, 1.0, 1.0]))
    plane = np.full(SHAPE[:2], -1000, np.int16)
    plane[100:400, 150:400] = np.random.default_rng(0).normal(60, 15, (300, 250))
    organ = np.zeros(SHAPE[:2], np.uint8)
    organ[150:300, 200:300] = 5
    for name, flat, write in (("ct", plane, write_image), ("l", organ, write_labels)):
        stack = np.broadcast_to(flat[:, :, None], SHAPE)
        write(tmp_path / f"{name}.nii.gz", grid.to_ras(stack), grid)
    paths = [str(tmp_path / name) for name in ("ct.nii.gz", "l.nii.gz", "out.nii.gz")]
    done = subprocess.run(
        [sys.executable, "-c", READ_AND_WRITE, *paths], check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    found = json.loads(done.stdout)
    image_mb = 4 * np.prod(SHAPE) / 1e6
    assert found["read_mb"] < 1.5 * image_mb, found
    assert found["write_mb"] < 1.6 * image_mb, found
    assert (tmp_path / "out.nii.gz").read_bytes() == (tmp_path / "ct.nii.gz").read_bytes()
