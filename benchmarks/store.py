"""Where cases are kept for training: Blosc2 against Zarr and against plain memory maps.

The sample CT at 1 mm, cropped to its body: HU as int16 and labels as uint8, as the store has them.
Each way of keeping them is written once, weighed, and then read in random boxes of 96 x 96 x 96
voxels, image and labels, by one thread, after a check that they are what was written. Warm: the
files are in the system's memory; by the time of the processor, since others may use the machine.
Cold: the files are dropped from that memory and opened anew before each read; the fastest, with
the megabytes that the disk gave for it (the machine under a virtual one may still have had them).
A resampled CT is smoother than one that was scanned at 1 mm, so all of it is done again with noise
of 15 HU. Before them the store itself: built from the files by one process, asked for again, read.
And a process of its own that builds a scan of 512 x 512 x 500 voxels at 1 mm: its peak of memory.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Workers of a loader share the cores among themselves.
os.environ.setdefault("BLOSC_NTHREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import blosc2
import nibabel as nib
import numpy as np
import zarr
from case import ROOT
from measure import RESULTS, keep, seconds

import oncoforge as of
from oncoforge.lists import Entry
from oncoforge.store import CaseFiles, build_store
from oncoforge.store import arrays as store_arrays

LARGE = (512, 512, 500)
ALONE = """
import json, sys, time
from pathlib import Path

from oncoforge.lists import Entry
from oncoforge.store import CaseFiles, build_store

folder = Path(sys.argv[1])
entry = Entry("large", folder / "ct.nii", folder / "labels.nii")
start = time.process_time()
(stored,) = build_store([CaseFiles(entry)], folder / "store", workers=1).cases
took = time.process_time() - start
status = Path("/proc/self/status").read_text().splitlines()
[line] = [line for line in status if line.startswith("VmHWM")]
peak = int(line.split()[1]) * 1024 / 1e9
print(json.dumps({"build_s": took, "peak_gb": peak, "stored": list(stored.shape)}))
"""
NAMES = ("image", "labels")
PATCH = (96, 96, 96)
PLACE = os.environ.get("ONCOFORGE_BENCH_DISK")
"""Folder on the disk that is measured; by default the one for temporary files."""

NOISE_HU = 15.0
Arrays = dict[str, np.ndarray]
Read = Callable[[str, tuple[slice, ...]], np.ndarray]


def sample(folder: Path) -> CaseFiles:
    """Return the sample CT, or a phantom where there is none."""
    data = Path(os.environ.get("ONCOFORGE_DATA", ROOT.parent / "shared" / "data")) / "ct_abdomen"
    image, labels = data / "image.nii.gz", data / "totalsegmentator_labels.nii.gz"
    if data.is_dir():
        return CaseFiles(Entry("ct_abdomen", image, labels), "totalsegmentator")
    case = of.make_phantom(seed=0, spacing_mm=(1.0, 1.0, 1.0)).case()
    image, labels = folder / "phantom.nii.gz", folder / "phantom_labels.nii.gz"
    nib.save(nib.Nifti1Image(case.image, case.affine), image)
    nib.save(nib.Nifti1Image(case.labels, case.affine), labels)
    return CaseFiles(Entry("phantom", image, labels))


class Npy:
    """Plain arrays, mapped into memory."""

    def write(self, arrays: Arrays, folder: Path) -> None:
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)

    def open(self, folder: Path) -> Read:
        maps = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in NAMES}
        return lambda name, box: np.array(maps[name][box])


@dataclass(frozen=True)
class B2nd:
    """Blosc2's arrays of several dimensions, mapped into memory."""

    codec: str
    level: int
    chunk: int
    block: int
    shuffle: str = "BITSHUFFLE"

    def write(self, arrays: Arrays, folder: Path) -> None:
        for name, array in arrays.items():
            made = blosc2.empty(
                array.shape,
                dtype=array.dtype,
                chunks=(self.chunk,) * 3,
                blocks=(self.block,) * 3,
                urlpath=str(folder / f"{name}.b2nd"),
                mode="w",
                cparams=blosc2.CParams(
                    codec=blosc2.Codec[self.codec],
                    clevel=self.level,
                    nthreads=1,
                    filters=[blosc2.Filter[self.shuffle]],
                    filters_meta=[0],
                ),
            )
            for rows in slabs(len(array), self.chunk):
                made[rows] = array[rows]

    def open(self, folder: Path) -> Read:
        one = blosc2.DParams(nthreads=1)
        opened = {
            name: blosc2.open(str(folder / f"{name}.b2nd"), mode="r", mmap_mode="r", dparams=one)
            for name in NAMES
        }
        return lambda name, box: opened[name][box]


@dataclass(frozen=True)
class Zarr:
    """Zarr 3, of chunks that are files of their own, or parts of shards."""

    codec: str
    level: int
    chunk: int
    shard: int | None = None

    def write(self, arrays: Arrays, folder: Path) -> None:
        packing: Any = (
            zarr.codecs.ZstdCodec(level=self.level)
            if self.codec == "zstd"
            else zarr.codecs.BloscCodec(cname=self.codec, clevel=self.level, shuffle="bitshuffle")
        )
        group = zarr.create_group(folder / "case.zarr")
        for name, array in arrays.items():
            made = group.create_array(
                name,
                shape=array.shape,
                dtype=array.dtype,
                chunks=(self.chunk,) * 3,
                shards=None if self.shard is None else (self.shard,) * 3,
                compressors=packing,
            )
            for rows in slabs(len(array), self.shard or self.chunk):
                made[rows] = array[rows]

    def open(self, folder: Path) -> Read:
        group = zarr.open_group(folder / "case.zarr", mode="r")
        opened: dict[str, Any] = {name: group[name] for name in NAMES}
        return lambda name, box: np.asarray(opened[name][box])


WAYS: dict[str, Npy | B2nd | Zarr] = {
    "npy": Npy(),
    "b2nd lz4-9 bits, chunk 96, block 24": B2nd("LZ4", 9, 96, 24),
    "b2nd lz4-9 bytes, chunk 96, block 24": B2nd("LZ4", 9, 96, 24, "SHUFFLE"),
    "b2nd lz4-1 bits, chunk 96, block 24": B2nd("LZ4", 1, 96, 24),
    "b2nd lz4-9 bits, chunk 96, block 48": B2nd("LZ4", 9, 96, 48),
    "b2nd lz4-9 bits, chunk 128, block 16": B2nd("LZ4", 9, 128, 16),
    "b2nd lz4-9 bits, chunk 128, block 32": B2nd("LZ4", 9, 128, 32),
    "b2nd lz4-9 bits, chunk 192, block 24": B2nd("LZ4", 9, 192, 24),
    "b2nd lz4hc-9 bits, chunk 96, block 24": B2nd("LZ4HC", 9, 96, 24),
    "b2nd zstd-1 bits, chunk 96, block 24": B2nd("ZSTD", 1, 96, 24),
    "b2nd zstd-5 bits, chunk 96, block 24": B2nd("ZSTD", 5, 96, 24),
    "zarr lz4-9 bits, chunk 32, shard 96": Zarr("lz4", 9, 32, 96),
    "zarr lz4-9 bits, chunk 32": Zarr("lz4", 9, 32),
    "zarr lz4-9 bits, chunk 64": Zarr("lz4", 9, 64),
    "zarr lz4-9 bits, chunk 96": Zarr("lz4", 9, 96),
    "zarr zstd-1, chunk 64": Zarr("zstd", 1, 64),
}


def slabs(length: int, step: int) -> Iterator[slice]:
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))


def boxes(shape: tuple[int, ...], number: int) -> list[tuple[slice, ...]]:
    rng = np.random.default_rng(0)
    starts = rng.integers(0, np.subtract(shape, PATCH) + 1, (number, 3))
    return [tuple(slice(a, a + n) for a, n in zip(s, PATCH, strict=True)) for s in starts]


def forget(folder: Path) -> None:
    """Ask the system to drop files from its memory; it keeps those that are still mapped."""
    store_arrays._opened.cache_clear()
    gc.collect()
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def from_disk() -> int:
    """Return how many bytes the disk has given to this process."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split(":")[1]) for line in lines if line.startswith("read_bytes"))


def measured(
    opened: Callable[[], Callable[[tuple[slice, ...]], Any]], places: Any, folder: Path
) -> dict[str, float]:
    """Time reads, warm and cold."""
    read = opened()
    warm, cold, disk = [], [], []
    for box in places:
        start = time.process_time()
        read(box)
        warm.append(time.process_time() - start)
    for box in places[::4]:
        del read
        forget(folder)
        before, start = from_disk(), time.perf_counter()
        read = opened()
        read(box)
        cold.append(time.perf_counter() - start)
        disk.append(from_disk() - before)
    return {
        "warm_ms": round(1e3 * float(np.median(warm)), 2),
        "cold_ms": round(1e3 * min(cold), 2),
        "cold_mb": round(float(np.median(disk)) / 1e6, 2),
    }


def weigh(folder: Path) -> float:
    return round(sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6, 1)


def compare(arrays: Arrays, reads: int) -> dict[str, Any]:
    """Write and read by each way."""
    places = boxes(arrays["image"].shape, reads)
    rows = {}
    for name, way in WAYS.items():
        with tempfile.TemporaryDirectory(dir=PLACE) as temporary:
            folder = Path(temporary)
            start = time.process_time()
            way.write(arrays, folder)
            written = time.process_time() - start

            def opened(way: Any = way, folder: Path = folder) -> Any:
                read = way.open(folder)
                return lambda box: [read(kind, box) for kind in NAMES]

            for found, kind in zip(opened()(places[0]), NAMES, strict=True):
                np.testing.assert_array_equal(found, arrays[kind][places[0]])
            rows[name] = {"write_s": round(written, 3), "mb": weigh(folder)}
            rows[name] |= measured(opened, places, folder)
            print(f"{name:40}", rows[name], flush=True)
    return rows


def whole_store(case: CaseFiles, place: Path, reads: int) -> dict[str, Any]:
    """Build and read as training does."""
    start = time.process_time()
    store = build_store([case], place, workers=1)
    built = time.process_time() - start
    again = seconds(lambda: build_store([case], place, workers=1))
    (stored,) = store.cases

    def opened() -> Any:
        return lambda box: (
            stored.image([part.start for part in box], PATCH),
            stored.labels([part.start for part in box], PATCH),
        )

    found = measured(opened, boxes(stored.shape, reads), stored.folder)
    return {
        "build_s": round(built, 2),
        "again_ms": round(1e3 * again, 2),
        "mb": weigh(stored.folder),
        **found,
    }


def large(folder: Path) -> dict[str, Any]:
    """Build a large scan, a cylinder of noise in air, in a process of its own."""
    rng = np.random.default_rng(0)
    x, y = np.ogrid[: LARGE[0], : LARGE[1]]
    inside = ((x - 256) / 220) ** 2 + ((y - 256) / 170) ** 2 < 1
    plane = np.where(inside, 40, -1000) + rng.normal(0, NOISE_HU, LARGE[:2])
    image = np.repeat(plane.astype(np.int16)[..., None], LARGE[2], axis=2)
    labels = np.zeros(LARGE, np.uint8)
    labels[100:250, 150:300, 100:300] = 1
    affine = np.diag([0.8, 0.8, 1.0, 1.0])
    nib.save(nib.Nifti1Image(image, affine), folder / "ct.nii")
    nib.save(nib.Nifti1Image(labels, affine), folder / "labels.nii")
    command = [sys.executable, "-c", ALONE, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    row = json.loads(done.stdout)
    return {
        "shape": list(LARGE),
        **{k: v if k == "stored" else round(v, 2) for k, v in row.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reads", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RESULTS / "store.json")
    options = parser.parse_args()
    zarr.config.set({"threading.max_workers": 1, "async.concurrency": 1})
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        place = Path(folder)
        case = sample(place)
        build_store([case], place / "first", workers=1)  # compiles
        result: dict[str, Any] = {"store": whole_store(case, place / "store", options.reads)}
        print("store", result["store"], flush=True)
        result["large"] = large(place)
        print("large", result["large"], flush=True)
        (stored,) = build_store([case], place / "store", workers=1).cases
        image = stored.image((0, 0, 0), stored.shape)
        labels = stored.labels((0, 0, 0), stored.shape)
    noise = np.random.default_rng(0).normal(0, NOISE_HU, image.shape)
    noisy = np.rint(image + noise).astype(np.int16)
    result |= {
        "case": case.entry.case,
        "shape": list(stored.shape),
        "patch": list(PATCH),
        "reads": options.reads,
        "resampled": compare({"image": image.astype(np.int16), "labels": labels}, options.reads),
        "noisy": compare({"image": noisy, "labels": labels}, options.reads),
        "libraries": {"blosc2": blosc2.__version__, "zarr": zarr.__version__},
    }
    keep(options.out, result)


if __name__ == "__main__":
    main()
