"""The chunked scan is the recurrence, however long the sequence and however strong its decay."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from oncoforge.errors import InputError  # noqa: E402
from oncoforge.networks import scan  # noqa: E402
from oncoforge.networks.memory import LivePeak  # noqa: E402
from oncoforge.networks.recurrence import STEPS  # noqa: E402
from oncoforge.networks.scan import selective_scan, sequential_scan  # noqa: E402

CHUNK = 64
NAMES = ("u", "delta", "A", "B", "C", "D", "z", "delta_bias")


def drawn(length, channels=5, states=3, batch=2, seed=0, rate=1.0, step=1.0, dtype=torch.float32):
    """Draw every tensor of a scan; ``rate`` scales A and ``step`` shifts delta."""
    noise = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=noise, dtype=torch.float64)

    long, read = (batch, channels, length), (batch, states, length)
    tensors = {
        "u": normal(*long),
        "delta": normal(*long) + torch.tensor(step).log(),
        "A": -rate * (0.2 + normal(channels, states).abs()),
        "B": normal(*read),
        "C": normal(*read),
        "D": normal(channels),
        "z": normal(*long),
        "delta_bias": normal(channels) * 0.3,
    }
    return {name: tensor.to(dtype).requires_grad_() for name, tensor in tensors.items()}


def both_ways(scanning, tensors, **options):
    """Return the output, and the gradient of every tensor, of a fixed random sum of outputs."""
    leaves = {name: tensor.detach().clone().requires_grad_() for name, tensor in tensors.items()}
    y = scanning(**leaves, delta_softplus=True, **options)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    (y * weights.to(y.dtype)).sum().backward()
    return {"y": y.detach(), **{name: leaf.grad for name, leaf in leaves.items()}}


def assert_same(ours, theirs, tolerance=1e-4):
    for name, expected in theirs.items():
        scale = max(1.0, float(expected.abs().max()))
        difference = float((ours[name].double() - expected.double()).abs().max())
        assert difference <= tolerance * scale, (name, difference, scale)


@pytest.mark.parametrize("length", [1, 7, CHUNK - 1, CHUNK, CHUNK + 1, 1000, 4096])
def test_it_equals_the_sequential_recurrence_in_value_and_in_every_gradient(length):
    tensors = drawn(length, channels=3, batch=1)
    assert_same(
        both_ways(selective_scan, tensors, chunk=CHUNK), both_ways(sequential_scan, tensors)
    )


@settings(max_examples=40, deadline=None)
@given(
    length=st.integers(1, 200),
    channels=st.integers(1, 4),
    states=st.integers(1, 4),
    batch=st.integers(1, 3),
    rate=st.sampled_from([1e-8, 1e-3, 1.0, 50.0, 1e4]),
    step=st.sampled_from([1e-6, 1e-2, 1.0, 30.0]),
    chunk=st.none() | st.integers(1, 250),
    seed=st.integers(0, 1000),
)
def test_it_equals_the_recurrence_at_any_size_and_decay(
    length, channels, states, batch, rate, step, chunk, seed
):
    tensors = drawn(length, channels, states, batch, seed, rate, step)
    ours = both_ways(selective_scan, tensors, chunk=chunk)
    assert_same(ours, both_ways(sequential_scan, tensors))


def test_decay_beyond_every_float_leaves_no_memory_and_no_nan():
    tensors = drawn(300, rate=1e30, step=1e3)
    ours = both_ways(selective_scan, tensors, chunk=CHUNK)
    assert all(torch.isfinite(tensor).all() for tensor in ours.values())
    plain = {name: tensors[name].detach().double() for name in ("u", "delta", "A", "B", "C")}
    plain["delta"].exp_()
    forgetful = plain["u"] * plain["delta"] * (plain["B"] * plain["C"]).sum(1, True)
    torch.testing.assert_close(selective_scan(**plain, chunk=CHUNK), forgetful)


def test_without_decay_it_is_a_sum():
    u = torch.rand(1, 2, 500, dtype=torch.float64)
    ones = torch.ones(1, 1, 500, dtype=torch.float64)
    y = selective_scan(u, torch.ones_like(u), torch.full((2, 1), -1e-18).double(), ones, ones)
    torch.testing.assert_close(y, u.cumsum(2))


def test_an_impulse_is_carried_over_every_chunk():
    length = 5 * CHUNK + 3
    noise = torch.Generator().manual_seed(1)
    delta = torch.rand(1, 1, length, generator=noise, dtype=torch.float64) * 0.05
    u = torch.zeros_like(delta)
    u[..., 0] = 1
    ones = torch.ones_like(delta)
    y = selective_scan(u, delta, torch.tensor([[-0.7]]).double(), ones, ones, chunk=CHUNK)
    told = torch.exp(-0.7 * (delta.cumsum(2) - delta[..., :1])) * delta[..., :1]
    torch.testing.assert_close(y, told)


def test_the_size_of_chunks_does_not_matter():
    tensors = drawn(333)
    whole = both_ways(selective_scan, tensors, chunk=1000)
    for chunk in (1, 5, STEPS, STEPS + 1, 100, None):
        assert_same(both_ways(selective_scan, tensors, chunk=chunk), whole, 2e-6)


def test_an_output_does_not_depend_on_what_comes_later():
    tensors = drawn(200)
    y = selective_scan(**tensors, delta_softplus=True, chunk=CHUNK)
    y[..., :120].sum().backward()
    for name in ("u", "delta", "B", "C", "z"):
        gradient = tensors[name].grad
        assert (gradient[..., 120:] == 0).all()
        assert (gradient[..., :120] != 0).any(2).all()


def test_gradients_are_those_of_finite_differences():
    tensors = drawn(21, channels=2, states=2, batch=1, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda *given: selective_scan(*given, True, chunk=8), tuple(tensors[n] for n in NAMES)
    )


def test_every_part_may_be_left_out():
    tensors = drawn(50)
    for left_out in ("D", "z", "delta_bias"):
        kept = {name: tensor for name, tensor in tensors.items() if name != left_out}
        assert_same(both_ways(selective_scan, kept), both_ways(sequential_scan, kept))


def test_only_the_wanted_gradients_are_given():
    tensors = {name: tensor.detach() for name, tensor in drawn(40).items()}
    A = tensors["A"].requires_grad_()
    selective_scan(**tensors).sum().backward()
    assert A.grad is not None
    assert all(tensors[name].grad is None for name in NAMES if name != "A")


def test_double_is_scanned_in_double():
    tensors = drawn(700, dtype=torch.float64)
    assert_same(both_ways(selective_scan, tensors), both_ways(sequential_scan, tensors), 1e-12)


def test_autocast_and_half_precision_scan_in_single():
    tensors = drawn(150)
    exact = both_ways(selective_scan, tensors)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_same(both_ways(selective_scan, tensors), exact, 1e-6)
    for dtype in (torch.bfloat16, torch.float16):
        halves = {name: tensor.detach().to(dtype) for name, tensor in tensors.items()}
        y = selective_scan(**halves, delta_softplus=True)
        assert y.dtype == dtype
        wide = {name: tensor.float() for name, tensor in halves.items()}
        expected = selective_scan(**wide, delta_softplus=True)
        torch.testing.assert_close(y, expected.to(dtype), rtol=2e-2, atol=2e-2)


def test_same_input_gives_same_bytes():
    tensors = drawn(500)
    first, second = (both_ways(selective_scan, tensors) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_states_of_all_positions_are_never_in_memory():
    tensors = drawn(8_000, channels=32, states=16, batch=1)
    all_states = 8_000 * 32 * 16 * 4
    plain = {name: tensor.detach() for name, tensor in tensors.items()}
    with torch.no_grad(), LivePeak(plain.values()) as live:
        selective_scan(**plain, chunk=256)
    held = sum(tensor.untyped_storage().nbytes() for tensor in plain.values())
    assert live.peak_bytes - held < 0.7 * all_states
    with LivePeak(tensors.values()) as live:
        selective_scan(**tensors, chunk=256).sum().backward()
    assert live.peak_bytes - held < 1.5 * all_states


def test_tensors_without_numbers_have_a_shape():
    tensors = {name: tensor.detach().to("meta") for name, tensor in drawn(100).items()}
    tensors["u"].requires_grad_()
    y = selective_scan(**tensors)
    assert y.shape == (2, 5, 100)
    y.sum().backward()
    assert tensors["u"].grad.shape == (2, 5, 100)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("u", (5, 30)),
        ("u", (2, 5, 0)),
        ("delta", (2, 5, 29)),
        ("A", (5,)),
        ("B", (2, 5, 30)),
        ("C", (1, 3, 30)),
    ],
)
def test_shapes_that_do_not_fit_are_named(name, shape):
    tensors = {key: drawn(30)[key].detach() for key in ("u", "delta", "A", "B", "C")}
    tensors[name] = torch.zeros(shape)
    with pytest.raises(InputError, match=r"scan"):
        selective_scan(**tensors)


def test_chunks_of_nothing_are_refused():
    with pytest.raises(InputError, match="chunk is 0"):
        selective_scan(**drawn(30), chunk=0)


@pytest.fixture
def package(monkeypatch):
    """A stand-in for `mamba_ssm` that only says that it was called."""

    def selective_scan_fn(u, delta, A, B, C, D, z, delta_bias, delta_softplus):
        return torch.full_like(u, 42.0)

    names = ("mamba_ssm", "mamba_ssm.ops", "mamba_ssm.ops.selective_scan_interface")
    for name in names:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules[names[-1]].selective_scan_fn = selective_scan_fn
    scan._installed_kernel.cache_clear()
    yield selective_scan_fn
    scan._installed_kernel.cache_clear()


def test_the_cuda_package_is_used_on_cuda_only(package, monkeypatch):
    assert scan.fused_kernel("cuda") is package
    assert scan.fused_kernel("cpu") is None
    monkeypatch.setenv(scan.SWITCH, "0")
    assert scan.fused_kernel("cuda") is None


def test_what_the_cuda_package_gives_is_the_result(package, monkeypatch):
    monkeypatch.setattr(scan, "fused_kernel", lambda device: package)
    tensors = {name: tensor.detach() for name, tensor in drawn(10).items()}
    assert (selective_scan(**tensors) == 42).all()
    doubles = {name: tensor.double() for name, tensor in tensors.items()}
    assert not (selective_scan(**doubles) == 42).any()  # the package has no double


def test_without_the_cuda_package_cuda_uses_ours(monkeypatch):
    monkeypatch.setitem(sys.modules, "mamba_ssm", None)
    scan._installed_kernel.cache_clear()
    assert scan.fused_kernel("cuda") is None
    scan._installed_kernel.cache_clear()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_scans_as_the_cpu_does(monkeypatch):
    monkeypatch.setenv(scan.SWITCH, "0")
    tensors = drawn(5000, channels=8, states=16)
    there = {name: tensor.detach().cuda() for name, tensor in tensors.items()}
    leaves = {name: tensor.requires_grad_() for name, tensor in there.items()}
    y = selective_scan(**leaves, delta_softplus=True)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    (y * weights.float().cuda()).sum().backward()
    ours = {"y": y.detach().cpu(), **{name: leaf.grad.cpu() for name, leaf in leaves.items()}}
    assert_same(ours, both_ways(sequential_scan, tensors))
