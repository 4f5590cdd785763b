"""SegMamba's scan, in chunks, against the sequential recurrence; and the network that it is for.

The scan: both in the same process on the same tensors, alternating, forward and forward with
backward. The recurrence is a loop over positions in PyTorch; `sequential_scan` works out each
position's decays as it goes, and `prepared` those of all positions before, which takes all the
memory that our scan does without. Times are the fastest of all repeats, since other work on the
machine only adds to them; medians of the ratios of pairs stand beside. Differences are relative to
the largest number. Memory is what is live beyond the inputs, as a part of the states of all
positions.

The network: one window of 96 x 96 x 96 voxels in a process of its own, with its peak of memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from measure import RESULTS, keep, seconds

from oncoforge.networks.memory import LivePeak
from oncoforge.networks.scan import selective_scan, sequential_scan

Tensors = dict[str, torch.Tensor]

STATES = 16

WINDOW = """
import json, pathlib, sys, time, warnings
warnings.simplefilter("ignore")
import torch
from oncoforge.networks.registry import build
version, threads = int(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)
network = build("segmamba", 1, 3, version=version, seed=0).eval()
volume = torch.rand(1, 1, 96, 96, 96)
times = []
with torch.no_grad():
    for _ in range(3):
        start = time.perf_counter()
        network(volume)
        times.append(time.perf_counter() - start)
status = pathlib.Path("/proc/self/status").read_text().splitlines()
[line] = [line for line in status if line.startswith("VmHWM")]
print(json.dumps({"forward_s": min(times), "peak_gb": int(line.split()[1]) * 1024 / 1e9}))
"""


def drawn(channels: int, length: int) -> Tensors:
    """Draw the tensors of a scan as a new Mamba layer has them."""
    noise = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=noise)

    rates = torch.arange(1, STATES + 1, dtype=torch.float32)
    return {
        "u": normal(1, channels, length),
        "delta": normal(1, channels, length) - 3,
        "A": -rates * torch.exp(0.1 * normal(channels, STATES)),
        "B": normal(1, STATES, length),
        "C": normal(1, STATES, length),
        "D": normal(channels),
    }


def prepared(
    u: torch.Tensor,
    delta: torch.Tensor,
    A: torch.Tensor,
    B: torch.Tensor,
    C: torch.Tensor,
    D: torch.Tensor,
    delta_softplus: bool,
) -> torch.Tensor:
    """Scan position after position, with everything worked out before that can be."""
    step = torch.nn.functional.softplus(delta) if delta_softplus else delta
    decays = torch.exp(torch.einsum("bdl,dn->lbdn", step, A))
    entering = torch.einsum("bdl,bnl->lbdn", step * u, B)
    state = torch.zeros_like(entering[0])
    states = []
    for decay, x in zip(decays.unbind(), entering.unbind(), strict=True):
        state = torch.addcmul(x, decay, state)
        states.append(state)
    return torch.einsum("lbdn,bnl->bdl", torch.stack(states), C) + D[:, None] * u


def forward(scan: Callable[..., torch.Tensor], tensors: Tensors) -> torch.Tensor:
    """Scan without gradients."""
    with torch.no_grad():
        return scan(**tensors, delta_softplus=True)


def both_ways(scan: Callable[..., torch.Tensor], tensors: Tensors) -> Tensors:
    """Scan with gradients, and return those."""
    leaves = {name: tensor.detach().requires_grad_() for name, tensor in tensors.items()}
    scan(**leaves, delta_softplus=True).square().sum().backward()
    return {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}


def compared(channels: int, length: int, repeats: int) -> dict[str, float]:
    """Compare ours with the recurrence, for one size."""
    tensors = drawn(channels, length)
    result: dict[str, float] = {"channels": channels, "length": length, "states": STATES}
    scans = {"ours": selective_scan, "prepared": prepared, "sequential": sequential_scan}
    for name, run in (("forward", forward), ("both", both_ways)):
        for scan in scans.values():  # the first calls fill caches
            run(scan, tensors)
        times = np.array(
            [
                [seconds(lambda s=scan, r=run: r(s, tensors)) for scan in scans.values()]
                for _ in range(repeats)
            ]
        )
        fastest, ratios = times.min(0), np.median(times / times[:, :1], 0)
        for at, key in enumerate(scans):
            result[f"{name}_{key}_ms"] = 1e3 * float(fastest[at])
            if key != "ours":
                result[f"{name}_{key}_ratio"] = float(fastest[at] / fastest[0])
                result[f"{name}_{key}_median_ratio"] = float(ratios[at])
        with LivePeak(tensors.values()) as live:
            run(selective_scan, tensors)
        held = sum(tensor.untyped_storage().nbytes() for tensor in tensors.values())
        states = 4 * channels * length * STATES
        result[f"{name}_memory"] = (live.peak_bytes - held) / states
    ours_y, theirs_y = forward(selective_scan, tensors), forward(sequential_scan, tensors)
    result["difference"] = relative(ours_y, theirs_y)
    ours_g, theirs_g = both_ways(selective_scan, tensors), both_ways(sequential_scan, tensors)
    result["difference_of_gradients"] = max(relative(ours_g[k], theirs_g[k]) for k in tensors)
    return result


def relative(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Return the largest difference, as a part of the largest number."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


def window(version: int, threads: int) -> dict[str, float]:
    """Time a forward pass of the network in a process of its own."""
    command = [sys.executable, "-c", WINDOW, str(version), str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    numbers: dict[str, float] = json.loads(done.stdout)
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--length", type=int, default=4096)
    parser.add_argument("--channels", type=int, nargs="+", default=[96, 192])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-network", action="store_true", help="the scan only")
    parser.add_argument("--out", type=Path, default=RESULTS / "scan.json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    result: dict[str, object] = {"torch": torch.__version__, "threads": options.threads}
    for channels in options.channels:
        numbers = compared(channels, options.length, options.repeats)
        print(channels, {name: f"{value:.4g}" for name, value in numbers.items()})
        result[f"scan_{channels}"] = numbers
    if not options.no_network:
        for version in (0, 1):
            result[f"window_version_{version}"] = window(version, options.threads)
            print(version, result[f"window_version_{version}"])
    keep(options.out, result)


if __name__ == "__main__":
    main()
