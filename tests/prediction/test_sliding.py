"""Windows, weights and sums: those of MONAI, and in a gate the very same without the others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.inferers import sliding_window_inference

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.prediction.sliding import Runner, choose, slabs, sliding_window
from oncoforge.prediction.windows import plan_windows


def _image(shape, seed=0, channels=1):
    return torch.randn((channels, *shape), generator=torch.Generator().manual_seed(seed))


def _monai(image, network, patch, overlap):
    with torch.no_grad():
        return sliding_window_inference(
            image[None], patch, 1, network, overlap=overlap, mode="gaussian"
        )[0]


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.75])
@pytest.mark.parametrize(
    ("shape", "patch"),
    [
        ((40, 37, 21), (16, 16, 16)),
        ((33, 16, 50), (16, 8, 20)),
        ((16, 16, 16), (16, 16, 16)),
        ((12, 30, 9), (16, 16, 16)),  # smaller than a window
        ((17, 16, 18), (16, 16, 16)),
    ],
)
def test_logits_are_monais(at_random, shape, patch, overlap):
    network = at_random()
    image = _image(shape)
    ours = sliding_window(image, network, patch, overlap)
    theirs = _monai(image, network, patch, overlap)
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@settings(max_examples=12, deadline=None)
@given(
    st.tuples(*[st.integers(5, 23)] * 3),
    st.tuples(*[st.integers(3, 9)] * 3),
    st.floats(0, 0.9),
)
def test_windows_are_monais_for_any_size(shape, patch, overlap):
    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 2, 3, padding=1)
    image = _image(shape)
    ours = sliding_window(image, network, patch, overlap)
    torch.testing.assert_close(ours, _monai(image, network, patch, overlap), rtol=0, atol=1e-6)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.5, 0.75]))
def test_nothing_changes_inside_a_gate_to_the_bit(seed, overlap):
    rng = np.random.default_rng(seed)
    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 3, 3, padding=1)
    shape, patch = (30, 25, 28), (8, 10, 9)
    image = _image(shape)
    gate = np.zeros(shape, bool)
    for _ in range(rng.integers(1, 4)):  # pieces, with rows between them that no window holds
        corner = rng.integers(0, np.array(shape) - 4)
        gate[tuple(slice(c, c + 4) for c in corner)] = True
    whole = sliding_window(image, network, patch, overlap)
    gated = sliding_window(image, network, patch, overlap, gate=gate)
    assert torch.equal(gated[:, gate], whole[:, gate])
    run = plan_windows(shape, patch, overlap, gate)
    assert 0 < len(run.starts) < run.total
    inside = np.zeros(shape, bool)
    for start in run.starts:
        inside[tuple(slice(s, s + n) for s, n in zip(start, patch, strict=True))] = True
    assert not gated[:, ~inside].any()


def test_slabs_are_handed_out_in_order_before_all_windows_are_run(at_random):
    network, seen = at_random(), []
    windows = plan_windows((40, 16, 16), (16, 16, 16), 0.5)
    done: list[int] = []
    for slab in slabs(
        _image((40, 16, 16)), network, windows, Runner(), lambda n, of: done.append(n)
    ):
        seen.append((slab.start, slab.stop, done[-1]))
    assert seen == [(0, 8, 1), (8, 16, 2), (16, 24, 3), (24, 40, 4)]


def test_mirrored_windows_are_mirrored_back(by_hu, at_random):
    image = _image((20, 20, 20))
    plain = by_hu()  # looks at single voxels: nothing changes
    same = sliding_window(image, plain, (16, 16, 16), runner=Runner(flips=(0, 1, 2)))
    torch.testing.assert_close(same, sliding_window(image, plain, (16, 16, 16)))
    network = at_random()
    runs = []
    hook = network.register_forward_hook(lambda *_: runs.append(1))
    mean = sliding_window(image, network, (20, 20, 20), runner=Runner(flips=(0, 2)))
    hook.remove()
    assert len(runs) == 4
    with torch.no_grad():
        ways = [network(image[None].flip(w)).flip(w)[0] for w in ((2,), (4,), (2, 4))]
        ways.append(network(image[None])[0])
    torch.testing.assert_close(mean, torch.stack(ways).mean(0), rtol=1e-5, atol=1e-6)


def test_bfloat16_is_nearly_the_same(at_random):
    image = _image((20, 20, 20))
    exact = sliding_window(image, at_random(), (16, 16, 16))
    rough = sliding_window(image, at_random(), (16, 16, 16), runner=Runner(precision="bfloat16"))
    assert rough.dtype == torch.float32
    assert not torch.equal(exact, rough)
    torch.testing.assert_close(exact, rough, rtol=0.05, atol=0.05)


def test_the_image_stays_as_it_is_whatever_the_network_returns():
    image = _image((20, 20, 20))
    before = image.clone()
    sliding_window(image, torch.nn.Identity(), (16, 16, 16), runner=Runner(flips=(0,)))
    assert torch.equal(image, before)


def test_the_first_of_several_outputs_counts(by_hu):
    network = by_hu()
    several = torch.nn.Module()
    several.forward = lambda x: [network(x), None]
    image = _image((16, 16, 16))
    assert torch.equal(
        sliding_window(image, several, (16, 16, 16)), sliding_window(image, network, (16, 16, 16))
    )


def test_progress_counts_windows(by_hu):
    seen = []
    sliding_window(_image((24, 16, 16)), by_hu(), (16, 16, 16), progress=lambda *n: seen.append(n))
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize("overlap", [-0.1, 1.0, 1.5])
def test_an_overlap_that_makes_no_sense(by_hu, overlap):
    with pytest.raises(InputError, match="overlap is"):
        sliding_window(_image((16, 16, 16)), by_hu(), (8, 8, 8), overlap)


def test_an_empty_gate_is_told(by_hu):
    with pytest.raises(InputError, match="no voxel"):
        sliding_window(_image((16, 16, 16)), by_hu(), (8, 8, 8), gate=np.zeros((16, 16, 16), bool))


def test_what_a_device_cannot_do_is_told():
    assert choose("cpu", "auto", ()) == Runner("cpu", "float32", ())
    assert choose("cpu", "bfloat16", (2, 0)).flips == (0, 2)
    with pytest.raises(UnknownNameError, match="did you mean 'bfloat16'"):
        choose("cpu", "bfloat", ())
    with pytest.raises(InputError, match="no device 'gpu'"):
        choose("gpu", "auto", ())
    with pytest.raises(InputError, match="float16 needs a CUDA GPU"):
        choose("cpu", "float16", ())
    for flips in ((3,), (0, 0), (-1,)):
        with pytest.raises(InputError, match="flips is"):
            choose("cpu", "auto", flips)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told():
    with pytest.raises(InputError, match="finds none"):
        choose("cuda", "auto", ())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_what_a_cpu_gives(at_random):
    image = _image((40, 37, 21))
    ours = sliding_window(image, at_random(), (16, 16, 16), 0.75)
    network = at_random().cuda()
    theirs = sliding_window(image, network, (16, 16, 16), 0.75, runner=Runner("cuda"))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
