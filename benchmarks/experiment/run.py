"""Whether a network that never saw a real tumour finds tumours: end to end, on a CPU.

24 phantoms go through a simulated scanner. On 16 of them a small U-Net is trained in three ways:
on their healthy scans alone; on these with hand-crafted tumours; and on scans of the same patients
with reference lesions, which are no work of any synthesizer. The other 8 have other reference
lesions and are the test. The last weights are tested: nothing is chosen by the test, and nothing
by a validation.

    python benchmarks/experiment/run.py --out oncoforge-experiment

What is done is kept: the same command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phantoms import TEST, TRAIN, lesion_shapes, make_patients
from picture import draw
from table import markdown, measure

from oncoforge.evaluation import evaluate

HERE = Path(__file__).resolve().parent
KINDS = ("healthy", "handcrafted", "reference")
"""What a network is trained on."""

TUMORS = ", ".join(
    f"{{method: handcrafted, probability: 0.9, size: {size}}}"
    for size in ("small", "medium", "large")
)
"""As published, but for lesions of the smallest class: 8 mm are hardly three voxels here."""


@dataclass(frozen=True)
class Run:
    """One training and its predictions.

    Parameters
    ----------
    kind
        One of `KINDS`.
    seed
        Of the weights, the patches and the tumours in them.
    out
        Folder of the experiment.
    """

    kind: str
    seed: int
    out: Path

    @property
    def name(self) -> str:
        """Return what to call it."""
        return f"{self.kind}-{self.seed}"

    @property
    def predicted(self) -> Path:
        """Return the folder of its masks."""
        return self.out / "predicted" / self.name

    def train(self, lists: dict[str, Path], more: Sequence[str]) -> None:
        """Train, or go on with a training."""
        folder = self.out / "runs" / self.name
        data = {
            "healthy": [f"--data.healthy.lists=[{lists['healthy']}]"],
            "handcrafted": [
                f"--data.healthy.lists=[{lists['healthy']}]",
                f"--data.synthesis=[{TUMORS}]",
            ],
            "reference": [f"--data.real.lists=[{lists['reference']}]"],
        }
        _oncoforge(
            folder.with_suffix(".log"),
            "train", "segmentation", "--config", HERE / "recipe.yaml", "--out", folder, "--resume",
            f"--seed={self.seed}", f"--data.cache={self.out / 'store'}", *data[self.kind], *more,
        )  # fmt: skip

    def predict(self, test: Path) -> None:
        """Segment the test cases, where they are not yet."""
        weights = self.out / "runs" / self.name / "last.safetensors"
        _oncoforge(
            self.predicted.with_suffix(".log"),
            "predict", test, "--model", weights, "--out", self.predicted, "--split", "test",
        )  # fmt: skip


def _oncoforge(log: Path, *words: object) -> None:
    """Run a command of oncoforge on one core, and keep what it says."""
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "oncoforge.cli", *map(str, words)]
    one = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with log.open("a", encoding="utf-8") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=one)
    if done.returncode:
        last = log.read_text("utf-8").strip().splitlines()[-1:]
        raise SystemExit(
            f"{' '.join(command[3:6])} ended with {done.returncode}: {last}; see {log}"
        )


def _work(run: Run, lists: dict[str, Path], more: Sequence[str]) -> tuple[Run, float]:
    start = time.perf_counter()
    run.train(lists, more)
    run.predict(lists["test"])
    return run, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], allow_abbrev=False,
        epilog="All other options go to oncoforge train segmentation.",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("oncoforge-experiment"))
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each kind")
    parser.add_argument("--first-seed", type=int, default=1000, help="of the 24 phantoms")
    parser.add_argument("--shapes", choices=("auto", "kidney", "fields"), default="auto")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once, on a core each")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--keep", type=Path, help="write the numbers here too")
    options, more = parser.parse_known_args()
    out, start = options.out.resolve(), time.perf_counter()

    def say(words: str) -> None:
        print(f"{time.perf_counter() - start:6.0f} s  {words}", flush=True)

    source, shapes = lesion_shapes(options.shapes)
    say(f"Shapes of reference lesions: {source}")
    lists = make_patients(
        out / "cases", options.first_seed, shapes, options.jobs,
        lambda done, of: say(f"Patient {done} of {of} scanned"),
    )  # fmt: skip
    scanned = time.perf_counter() - start
    runs = [Run(kind, seed, out) for seed in range(options.seeds) for kind in options.kinds]
    seconds = {}
    with ThreadPoolExecutor(options.jobs) as pool:
        for run, took in pool.map(lambda run: _work(run, lists, more), runs):
            seconds[run.name] = round(took)
            say(f"{len(seconds)} of {len(runs)} trained and tested: {run.name}, in {took:.0f} s")
    first, *others = runs
    scores = evaluate(
        first.predicted, lists["test"], name=first.name, organ="liver",
        versus={run.name: run.predicted for run in others},
        images=out / "cases" / "images", out=out / "scores", overwrite=True,
        workers=options.jobs,
    )  # fmt: skip
    draw(out / "result.png", lists["test"], {run.kind: run.predicted for run in runs[::-1]})
    found = measure(scores, options.kinds, options.seeds) | {
        "lesions": source,
        "phantoms": [options.first_seed, options.first_seed + TRAIN + TEST - 1],
        "seconds": {
            "scans": round(scanned),
            "trainings": seconds,
            "all": round(time.perf_counter() - start),
        },
    }
    _keep(found, [out / "result.json", *([options.keep] if options.keep else [])])
    (out / "result.md").write_text(markdown(found), encoding="utf-8")
    print(f"\n{markdown(found)}\nPicture: {out / 'result.png'}\nScores:  {out / 'scores'}")


def _keep(found: dict[str, Any], places: Sequence[Path]) -> None:
    """Write the numbers, with the machine that they were measured on."""
    sys.path.append(str(HERE.parent))
    from measure import keep

    for path in places:
        keep(path, found)


if __name__ == "__main__":
    main()
