"""Swin UNETR: sizes and versions, and the two ways to merge patches."""

from __future__ import annotations

import itertools

import pytest
import torch
from monai.networks.nets import SwinUNETR
from torch import nn
from torch.nn import functional

from oncoforge.networks import build

# As the published papers' programs have them, in the order (D, H, W).
ORDERS = {
    "corrected": ["000", "100", "010", "001", "110", "101", "011", "111"],
    "legacy": ["000", "100", "010", "001", "101", "010", "001", "111"],
}

# Of the published networks; they hold a layer norm of 16 numbers per feature that nothing uses.
PUBLISHED = {"tiny": (12, 4_078_269), "small": (24, 15_703_413), "base": (48, 62_187_525)}


# A size at which the encoder alone is quick; the whole network takes none below 64 x 32 x 32.
ENCODED = (16, 16, 32)


def _meta(out_channels: int = 3, **options):
    with torch.device("meta"):
        return build("swin_unetr", 1, out_channels, **options)


def _count(network: nn.Module) -> int:
    return sum(value.numel() for value in network.parameters())


def _merging(kind: str, dim: int):
    """One merging of a network, with random weights for channels of a number of our own."""
    network = _meta(size="tiny", merging=kind)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        part = type(network.swinViT.layers1[0].downsample)(dim)
        nn.init.normal_(part.norm.weight)
        nn.init.normal_(part.norm.bias)
    return part.double()


def _random(*shape: int, seed: int = 0, **how) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), **how)


@pytest.mark.parametrize("size", PUBLISHED)
def test_parameters_of_version_1_are_the_published_ones(size):
    features, published = PUBLISHED[size]
    assert _count(_meta(size=size)) == published - 16 * features


@pytest.mark.parametrize(("classes", "count"), [(7, 72_762_313), (3, 72_762_117), (2, 72_762_068)])
def test_parameters_of_version_2_are_the_published_ones(classes, count):
    assert _count(_meta(classes, version=2)) == count


@pytest.mark.parametrize("version", [1, 2])
def test_both_mergings_have_the_same_names_and_shapes_as_monai(version):
    with torch.device("cpu"):
        theirs = SwinUNETR(1, 3, feature_size=12, use_v2=version == 2).state_dict()
    for merging in ORDERS:
        ours = _meta(size="tiny", version=version, merging=merging).state_dict()
        assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


@pytest.mark.parametrize("merging", ORDERS)
def test_merging_equals_a_slow_loop_over_voxels(merging):
    dim, (d, h, w) = 3, (4, 2, 6)
    part = _merging(merging, dim)
    volume = _random(2, d, h, w, dim, dtype=torch.float64)
    expected = torch.empty(2, d // 2, h // 2, w // 2, 2 * dim, dtype=torch.float64)
    for b, z, y, x in itertools.product(*map(range, expected.shape[:4])):
        row = [
            volume[b, 2 * z + int(i), 2 * y + int(j), 2 * x + int(k)] for i, j, k in ORDERS[merging]
        ]
        joined = torch.cat(row)
        normed = (joined - joined.mean()) / (joined.var(correction=0) + part.norm.eps).sqrt()
        scaled = normed * part.norm.weight + part.norm.bias
        expected[b, z, y, x] = part.reduction.weight @ scaled
    assert torch.allclose(part(volume), expected, atol=1e-12)


def test_corrected_merging_reads_every_patch_and_legacy_two_of_them_never():
    for merging, seen in (("corrected", 8), ("legacy", 6)):
        volume = _random(1, 2, 2, 2, 3, dtype=torch.float64).requires_grad_()
        weights = _random(6, seed=1, dtype=torch.float64)
        (_merging(merging, 3)(volume).flatten() @ weights).backward()
        read = {
            index for index in itertools.product((0, 1), repeat=3) if volume.grad[0][index].any()
        }
        assert len(read) == seen, merging
        if merging == "legacy":
            assert {(1, 1, 0), (0, 1, 1)} & read == set()


@pytest.mark.parametrize("merging", ORDERS)
def test_odd_sizes_are_padded_with_zeros_at_their_end(merging):
    part = _merging(merging, 2)
    volume = _random(1, 3, 5, 1, 2, dtype=torch.float64)
    padded = functional.pad(volume, (0, 0, 0, 1, 0, 1, 0, 1))
    assert part(volume).shape == (1, 2, 3, 1, 4)
    assert torch.equal(part(volume), part(padded))


def test_corrected_merging_computes_what_monai_does_now():
    ours = build("swin_unetr", 1, 2, size="tiny", seed=0).eval()
    theirs = SwinUNETR(1, 2, feature_size=12).eval()
    theirs.load_state_dict(ours.state_dict())
    volume = _random(1, 1, *ENCODED)
    with torch.no_grad():
        pairs = zip(ours.swinViT(volume), theirs.swinViT(volume), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def _compare(size: str, version: int, classes: int, shape: tuple[int, int, int]):
    """Difference of the two mergings, with the same weights: of logits, and part of voxels."""
    legacy, corrected = (
        build("swin_unetr", 1, classes, size=size, version=version, merging=merging, seed=0).eval()
        for merging in ("legacy", "corrected")
    )
    pairs = zip(legacy.parameters(), corrected.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    volume = _random(1, 1, *shape)
    with torch.no_grad():
        one, other = legacy(volume), corrected(volume)
    changed = (one.argmax(1) != other.argmax(1)).float().mean()
    return float((one - other).norm() / other.norm()), float(changed)


def test_weights_mean_something_else_with_the_other_merging():
    relative, changed = _compare("tiny", 1, 3, (64, 32, 32))
    assert 0.02 < relative < 0.2
    assert 0.01 < changed < 0.2


@pytest.mark.slow
def test_the_difference_is_what_was_measured_between_two_versions_of_monai():
    # MONAI 1.3.0 against 1.6.1 with random weights: 8.6 % of logits, 8.1 % of voxels.
    relative, changed = _compare("base", 2, 7, (64, 64, 64))
    assert relative == pytest.approx(0.086, abs=0.02)
    assert changed == pytest.approx(0.081, abs=0.03)


def test_checkpointing_changes_no_number():
    volume = _random(1, 1, *ENCODED)
    results = []
    for checkpointing in (False, True):
        network = build("swin_unetr", 1, 2, size="tiny", checkpointing=checkpointing, seed=0)
        encoder = network.swinViT
        *_, deepest = encoder(volume, False)
        deepest.square().mean().backward()
        results.append((deepest, [value.grad for value in encoder.parameters()]))
    (plain, gradients), (spared, again) = results
    assert torch.allclose(plain, spared, atol=1e-6)
    assert all(gradient.any() for gradient in gradients[:1])
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(gradients, again, strict=True))


def test_building_on_meta_allocates_nothing_and_elsewhere_real_weights():
    assert {value.device.type for value in _meta(size="tiny").state_dict().values()} == {"meta"}
    real = build("swin_unetr", 1, 2, size="tiny", seed=0)
    assert {value.device.type for value in real.state_dict().values()} == {"cpu"}
    assert not any(part.drop_prob for part in real.modules() if hasattr(part, "drop_prob"))
