"""SegMamba: shapes, names, gradients, and the three orders in which it reads a volume."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

from oncoforge.errors import InputError  # noqa: E402
from oncoforge.networks.mamba import (  # noqa: E402
    ACROSS,
    BACKWARD,
    FORWARD,
    STATES,
    Mamba,
    TriMamba,
    _turned,
)
from oncoforge.networks.scan import sequential_scan  # noqa: E402
from oncoforge.networks.segmamba import build_segmamba  # noqa: E402

TINY = {"depths": (1, 1, 1, 1), "dims": (4, 4, 4, 4), "hidden": 4}
VARIANTS = [
    {"version": 0},
    {"version": 1},
    {"version": 1, "gate": "product"},
]


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def silence(layer, *orders):
    """Make what some orders read come to nothing."""
    with torch.no_grad():
        for names in orders:
            getattr(layer, names.x_proj).weight.zero_()
            getattr(layer, names.D).zero_()


def give(source, order, target, into):
    """Copy what one order of a layer needs into an order of another layer."""
    with torch.no_grad():
        for there, here in zip(order, into, strict=True):
            part, copy = getattr(source, there), getattr(target, here)
            if isinstance(part, torch.nn.Module):
                copy.load_state_dict(part.state_dict())
            else:
                copy.copy_(part)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
@pytest.mark.parametrize("shape", [(32, 16, 16), (16, 48, 32)])
def test_a_volume_becomes_a_volume_of_its_size(options, shape):
    network = build_segmamba(2, 3, **TINY, **options)
    with torch.no_grad():
        assert network(torch.rand(1, 2, *shape)).shape == (1, 3, *shape)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_gradients_reach_every_parameter(options):
    network = build_segmamba(1, 2, **TINY, **options)
    network(torch.rand(1, 1, 32, 32, 32)).square().sum().backward()
    silent = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not (parameter.grad != 0).any()
    ]
    # Instance norm takes away what a convolution before it adds to a whole channel.
    assert [name for name in silent if not name.endswith(".bias")] == []
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(("shape", "says"), [((40, 32, 32), "16 x 16 x 16"), ((32, 32), "takes")])
def test_sizes_that_do_not_fit_are_a_sentence(shape, says):
    with pytest.raises(InputError, match=says):
        build_segmamba(1, 2, **TINY)(torch.rand(1, 1, *shape))


@pytest.mark.parametrize(
    "options", [{"depths": (2, 2, 2)}, {"dims": (8, 8, 8, 0)}, {"hidden": 0}], ids=str
)
def test_numbers_that_make_no_network_are_a_sentence(options):
    with pytest.raises(InputError, match="segmamba needs four positive"):
        build_segmamba(1, 2, **options)


def test_the_published_layer_has_its_published_names():
    # As listed in the thread ge-xing/SegMamba#69: what its program expects of one layer.
    expected = {
        "A_b_log", "D_b", "A_s_log", "D_s",
        "conv1d_b.weight", "conv1d_b.bias", "x_proj_b.weight", "dt_proj_b.weight", "dt_proj_b.bias",
        "conv1d_s.weight", "conv1d_s.bias", "x_proj_s.weight", "dt_proj_s.weight", "dt_proj_s.bias",
    }  # fmt: skip
    # As the paper of Mamba names them in its program.
    plain = {
        "A_log", "D", "in_proj.weight", "conv1d.weight", "conv1d.bias", "x_proj.weight",
        "dt_proj.weight", "dt_proj.bias", "out_proj.weight",
    }  # fmt: skip
    with torch.device("meta"):
        for version, names in ((0, plain), (1, plain | expected)):
            state = build_segmamba(1, 3, version=version).state_dict()
            for stage in range(4):
                prefix = f"vit.stages.{stage}.1.mamba."
                found = {name.removeprefix(prefix) for name in state if name.startswith(prefix)}
                assert found == names


def test_the_default_is_of_the_published_size():
    with torch.device("meta"):
        state = build_segmamba(1, 3).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    assert shapes["vit.downsample_layers.0.0.weight"] == (48, 1, 7, 7, 7)
    assert shapes["vit.downsample_layers.3.1.weight"] == (384, 192, 2, 2, 2)
    assert shapes["vit.stages.0.0.mamba.A_log"] == (96, 16)
    assert shapes["vit.stages.3.1.mamba.x_proj_s.weight"] == (24 + 32, 768)
    assert shapes["encoder5.layer.conv1.conv.weight"] == (768, 384, 3, 3, 3)
    assert shapes["decoder5.transp_conv.conv.weight"] == (768, 384, 2, 2, 2)


def test_versions_and_gates_have_no_parameters_that_the_other_lacks_without_need():
    with torch.device("meta"):
        states = [set(build_segmamba(1, 3, **options).state_dict()) for options in VARIANTS]
    assert states[0] < states[1]
    assert states[2] < states[1]
    assert {name.split(".")[3] for name in states[1] - states[2]} == {"proj2"}


def test_a_new_layer_begins_as_the_paper_of_mamba_says():
    layer = TriMamba(32)
    for names in (FORWARD, BACKWARD, ACROSS):
        delta = torch.nn.functional.softplus(getattr(layer, names.dt_proj).bias)
        assert delta.min() >= 0.001 - 1e-6
        assert delta.max() <= 0.1 + 1e-6
        rates = getattr(layer, names.A_log).exp()
        torch.testing.assert_close(rates, torch.arange(1.0, STATES + 1).expand(64, STATES))
        assert (getattr(layer, names.D) == 1).all()


def test_a_layer_is_the_equations_of_its_paper():
    layer = Mamba(6).double()
    tokens = torch.randn(2, 40, 6, dtype=torch.float64)
    x, z = (tokens @ layer.in_proj.weight.T).chunk(2, -1)
    past = torch.cat([torch.zeros(2, 3, 12, dtype=torch.float64), x], 1)
    taps = layer.conv1d.weight[:, 0].T
    u = sum(past[:, tap : tap + 40] * taps[tap] for tap in range(4)) + layer.conv1d.bias
    u = torch.nn.functional.silu(u)
    delta, B, C = (u @ layer.x_proj.weight.T).split([1, 16, 16], -1)
    delta = torch.nn.functional.softplus(delta @ layer.dt_proj.weight.T + layer.dt_proj.bias)
    A = -layer.A_log.exp()
    turned = (tensor.transpose(1, 2) for tensor in (u, delta, B, C))
    long, step, into, out = turned
    y = sequential_scan(long, step, A, into, out, layer.D).transpose(1, 2)
    expected = (y * torch.nn.functional.silu(z)) @ layer.out_proj.weight.T
    torch.testing.assert_close(layer(tokens), expected)


def test_a_layer_does_not_look_ahead():
    layer = Mamba(6)
    tokens = torch.randn(1, 50, 6, requires_grad=True)
    layer(tokens)[:, 30].sum().backward()
    assert (tokens.grad[:, 31:] == 0).all()
    assert (tokens.grad[:, :31] != 0).any(2).all()


def test_backwards_is_forwards_of_the_reversed_sequence():
    layer = TriMamba(6).double()
    silence(layer, ACROSS)
    x = torch.randn(2, 12, 24, dtype=torch.float64)
    assert not torch.allclose(layer.mix(x.flip(2), 4), layer.mix(x, 4).flip(2))
    give(layer, FORWARD, layer, BACKWARD)
    torch.testing.assert_close(layer.mix(x.flip(2), 4), layer.mix(x, 4).flip(2))


def test_across_slices_is_a_plain_layer_over_the_turned_sequence():
    layer, plain = TriMamba(6).double(), Mamba(6).double()
    silence(layer, FORWARD, BACKWARD)
    give(layer, ACROSS, plain, FORWARD)
    x = torch.randn(1, 12, 4 * 9, dtype=torch.float64)
    turned = x.unflatten(2, (4, 9)).transpose(2, 3).flatten(2)
    expected = plain.mix(turned, 1).unflatten(2, (9, 4)).transpose(2, 3).flatten(2)
    torch.testing.assert_close(layer.mix(x, 4), expected)


def test_across_slices_a_voxel_sees_those_before_it_in_every_slice():
    layer = TriMamba(6)
    silence(layer, FORWARD, BACKWARD)
    x = torch.randn(1, 12, 5 * 8, requires_grad=True)
    layer.mix(x, 5).unflatten(2, (5, 8))[0, :, 2, 3].sum().backward()
    seen = (x.grad.unflatten(2, (5, 8)) != 0).any(1)[0]
    expected = torch.zeros(5, 8, dtype=torch.bool)
    expected[:, :3] = True
    expected[:3, 3] = True
    assert torch.equal(seen, expected)


def test_all_three_orders_are_added():
    layer = TriMamba(6).double()
    x = torch.randn(1, 12, 30, dtype=torch.float64)
    together = layer.mix(x, 5)
    alone = []
    for kept in layer.orders:
        one = TriMamba(6).double()
        one.load_state_dict(layer.state_dict())
        silence(one, *(order for order in layer.orders if order != kept))
        alone.append(one.mix(x, 5))
    torch.testing.assert_close(together, sum(alone))
    assert all(part.abs().max() > 0 for part in alone)


@pytest.mark.parametrize("rows", [1, 3, 4, 12])
def test_turning_twice_is_nothing(rows):
    x = torch.rand(2, 3, 12)
    assert torch.equal(_turned(_turned(x, rows), 12 // rows), x)


def test_slices_are_the_planes_of_the_first_axis(monkeypatch):
    told = []
    mix = TriMamba.mix
    monkeypatch.setattr(
        TriMamba, "mix", lambda self, x, slices: told.append(slices) or mix(self, x, slices)
    )
    with torch.no_grad():
        build_segmamba(1, 2, **TINY)(torch.rand(1, 1, 64, 16, 32))
    assert told == [32, 16, 8, 4]


def test_autocast_gives_nearly_the_same():
    network = build_segmamba(1, 2, **TINY).eval()
    volume = torch.rand(1, 1, 32, 32, 32)
    with torch.no_grad():
        exact = network(volume)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = network(volume)
    assert float((rough.float() - exact).abs().mean()) < 0.1 * float(exact.std())


def test_a_network_of_doubles_works():
    network = build_segmamba(1, 2, **TINY).double()
    with torch.no_grad():
        assert network(torch.rand(1, 1, 32, 32, 32).double()).dtype == torch.float64


def test_it_is_built_by_name_and_again_from_its_config():
    from oncoforge.networks.registry import build, rebuild

    network = build("segmamba", 1, 3, version=0, seed=3, **TINY)
    again = rebuild(network.config, seed=3)
    volume = torch.rand(1, 1, 32, 32, 32)
    with torch.no_grad():
        assert torch.equal(network(volume), again(volume))
    assert network.config.options["gate"] == "sum"
