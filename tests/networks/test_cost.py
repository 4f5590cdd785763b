"""What networks cost: against hand counts, real tensors and the memory of a real process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.networks import NETWORKS, build
from oncoforge.networks.cost import Cost, cost, costs, variants
from oncoforge.networks.memory import LivePeak

PLAIN = {"channels": (4, 8), "strides": (2,), "num_res_units": 0}
SMALL = {"channels": (4, 8, 16), "strides": (2, 2)}


def test_operations_equal_a_hand_count():
    # Three convolutions of 27 taps that write or, transposed, read an eighth of the voxels:
    # 2 -> 4 of stride 2; 4 -> 8; and, transposed, 4 + 8 -> 3.
    voxels = 16 * 8 * 8 // 8
    multiplications = 27 * voxels * (2 * 4 + 4 * 8 + 12 * 3)
    found = cost("unet", 2, 3, (16, 8, 8), **PLAIN)
    assert found.flops == 2 * multiplications
    # Weights and a bias for each output, and one slope for each of the three PReLUs but the last.
    assert found.parameters == 27 * (2 * 4 + 4 * 8 + 12 * 3) + 4 + 8 + 3 + 2
    assert found.weights_bytes == 4 * found.parameters


def test_the_most_that_lives_is_followed_through_views_and_ends():
    start = torch.zeros(1000)
    with torch.no_grad(), LivePeak([start]) as live:
        assert live.peak_bytes == 4000
        one = start + 1
        view = one[::2].view(5, 100)
        view.add_(1)  # in place
        assert live.peak_bytes == 8000
        two = one * 2
        del one, view, two
        three = start * 3  # where the others were
        assert live.peak_bytes == 12_000
        four = torch.cat([three, three])
    assert four.numel() == 2000
    assert live.peak_bytes == 4000 + 4000 + 8000


def test_what_the_backward_pass_needs_lives_until_then():
    def peak(steps: int, trained: bool) -> int:
        value = torch.zeros(1000, requires_grad=trained)
        with LivePeak([value]) as live:
            for _ in range(steps):
                value = value.sin()
            if trained:
                value.backward(torch.zeros(1000))
        return live.peak_bytes

    assert peak(10, False) == peak(5, False)
    assert peak(10, True) - peak(5, True) == 5 * 4000


@pytest.mark.parametrize("trained", [False, True])
def test_reckoning_without_weights_equals_real_tensors(trained):
    network = build("unet", 1, 3, **SMALL).train(trained)
    volume = torch.rand(1, 1, 16, 12, 8)
    with torch.set_grad_enabled(trained), LivePeak([*network.parameters(), volume]) as live:
        output = network(volume)
        if trained:
            output.backward(torch.ones_like(output))
    found = cost("unet", 1, 3, (16, 12, 8), **SMALL)
    assert live.peak_bytes == (found.training_bytes if trained else found.inference_bytes)


@pytest.mark.parametrize("name", ["unet", "nnunet", "segresnet", "unetpp"])
def test_costs_are_in_order_and_grow_with_the_window(name):
    one, eight = (cost(name, patch=(size,) * 3) for size in (32, 64))
    assert one.weights_bytes < one.inference_bytes < one.training_bytes
    assert eight.flops == 8 * one.flops
    assert eight.weights_bytes == one.weights_bytes
    # All but weights and their gradients grows with the voxels.
    held = 2 * one.weights_bytes
    assert eight.training_bytes <= 8 * one.training_bytes
    assert eight.training_bytes - held >= 6 * (one.training_bytes - held)


def test_checkpointing_spares_memory_of_training_only():
    plain, spared = (
        cost("swin_unetr", size="tiny", patch=(64, 64, 64), checkpointing=spares)
        for spares in (False, True)
    )
    assert spared.training_bytes < plain.training_bytes
    assert spared.inference_bytes == plain.inference_bytes
    assert spared.flops == plain.flops


def test_variants_are_of_every_network_that_segments():
    every = list(variants())
    assert {name for name, _ in every} == {n for n, net in NETWORKS.items() if not net.generative}
    swin = [options for name, options in every if name == "swin_unetr"]
    assert len(swin) == 6
    assert {"version": 2, "size": "small"} in swin
    assert list(variants(["unet", "dynunet", "unet"])) == [("unet", {}), ("nnunet", {})]


def test_costs_tell_how_far_they_are():
    steps = []
    found = costs(["unet", "segresnet"], 2, 4, (32, 32, 32), lambda *step: steps.append(step))
    assert [one.network for one in found] == ["unet", "segresnet"]
    assert steps == [(1, 2), (2, 2)]
    assert all((one.in_channels, one.out_channels) == (2, 4) for one in found)


def test_variant_is_said_in_words():
    found = Cost("x", {"version": 2, "size": "tiny"}, 1, 3, (8, 8, 8), 1, 1, 1, 1, 1)
    assert found.variant == "version 2, tiny"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: cost("unet", patch=(100, 96, 96)), "multiples of 16"),
        (lambda: cost("unet", patch=(0, 96, 96)), "positive"),
        (lambda: list(variants(["freetumor_unet"])), "does not segment"),
    ],
)
def test_mistakes_are_sentences(call, said):
    with pytest.raises(InputError, match=said):
        call()


def test_an_unknown_network_is_named():
    with pytest.raises(UnknownNameError, match="did you mean 'segresnet'"):
        list(variants(["segresnt"]))


class _Largest(TorchDispatchMode):
    """Notes the largest tensor that holds numbers."""

    most_bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and tensor.device.type != "meta":
                self.most_bytes = max(self.most_bytes, tensor.untyped_storage().nbytes())
        return result


def test_nothing_of_the_size_of_a_network_is_allocated():
    with _Largest() as largest:
        found = cost("swin_unetr", version=2, patch=(128, 128, 128))
    assert found.training_bytes > 8 * 2**30
    assert largest.most_bytes < 1000


# What a process takes for one window, above what it had with the network built.
MEASURED = """
import json, sys, threading, time
import psutil, torch
from oncoforge.networks import build
torch.set_num_threads(1)
name, size, trained = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "train"
network = build(name, 1, 3)
network(torch.rand(1, 1, 32, 32, 32)).sum().backward()  # what the first run loads
network.zero_grad()
process, most, going = psutil.Process(), [0], [True]
def watch():
    while going[0]:
        most[0] = max(most[0], process.memory_info().rss)
        time.sleep(0.002)
watcher = threading.Thread(target=watch)
before = process.memory_info().rss
watcher.start()
volume = torch.rand(1, 1, size, size, size)
if trained:
    output = network(volume)
    output.backward(torch.ones_like(output))
else:
    with torch.no_grad():
        network(volume)
going[0] = False
watcher.join()
print(most[0] - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [("nnunet", 64), ("segresnet", 96)])
def test_reckoned_memory_of_training_is_what_a_process_takes(name, size):
    pytest.importorskip("psutil")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEASURED, name, str(size), "train"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = cost(name, patch=(size,) * 3)
    assert json.loads(done.stdout) == pytest.approx(
        found.training_bytes - found.weights_bytes, rel=0.25
    )
