"""Interpolation between the voxels of a scan and of a network: MONAI's, and no more of it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge.formats.lattice import Lattice, _interpolated_by_torch, interpolate

SPACINGS = [(0.7, 0.7, 5.0), (0.8, 0.9, 1.0), (3.0, 3.0, 3.0), (1.0, 1.0, 2.5), (1.3, 0.6, 1.7)]


def _monai(array: np.ndarray, spacing, wanted):
    """Resample as MONAI does, and bring back what was resampled."""
    from monai.data import MetaTensor
    from monai.transforms import Spacing

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        there = Spacing(wanted, mode="bilinear")
        made = there(MetaTensor(torch.from_numpy(array[None]), affine=np.diag([*spacing, 1.0])))
        back = there.inverse(made)
    return made.numpy()[0], back.numpy()[0]


@pytest.mark.parametrize("spacing", SPACINGS)
def test_resampling_there_and_back_is_monais(spacing):
    array = np.random.default_rng(0).normal(0, 200, (24, 19, 17)).astype(np.float32)
    wanted = (1.0, 1.0, 1.0)
    lattice = Lattice.between(array.shape, spacing, wanted)
    made, back = _monai(array, spacing, wanted)
    assert lattice.network == made.shape
    ours = interpolate(array[None], lattice.to_network)
    np.testing.assert_allclose(ours[0], made, atol=2e-3)
    np.testing.assert_allclose(interpolate(ours, lattice.to_scan)[0], back, atol=2e-3)


def test_an_axis_that_has_the_spacing_already_is_left_alone():
    array = np.random.default_rng(0).normal(0, 200, (9, 8, 7)).astype(np.float32)
    lattice = Lattice.between(array.shape, (1, 1, 2), (1, 1, 1))
    ours = interpolate(array[None], lattice.to_network)[0]
    assert ours.shape == (9, 8, 13)
    np.testing.assert_array_equal(ours[:, :, ::2], array)
    np.testing.assert_allclose(ours[:, :, 1::2], (array[..., 1:] + array[..., :-1]) / 2, rtol=1e-5)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (1.0004, 1, 0.9996)])
def test_the_same_spacing_needs_no_interpolation(spacing):
    lattice = Lattice.between((5, 6, 7), spacing, (1, 1, 1))
    assert lattice.to_scan is lattice.to_network is None
    assert Lattice.between((5, 6, 7), (3, 3, 3), None).network == (5, 6, 7)


def test_a_ramp_stays_a_ramp():
    ramp = np.add.outer(np.add.outer(2.0 * np.arange(9), np.arange(8)), -np.arange(12.0))
    lattice = Lattice.between(ramp.shape, (2, 3, 1.5), (1, 1, 1))
    made = interpolate(ramp[None].astype(np.float32), lattice.to_network)[0]
    x, y, z = np.ogrid[: made.shape[0], : made.shape[1], : made.shape[2]]
    inside = 2 * x / 2 + y / 3 - np.minimum(z / 1.5, 11)
    np.testing.assert_allclose(made, inside, atol=1e-4)


def test_the_gpus_way_gives_the_same_numbers():
    values = torch.randn((2, 7, 9, 8), generator=torch.Generator().manual_seed(0))
    lattice = Lattice.between((7, 9, 8), (2, 0.7, 1.3), (1, 1, 1))
    ours = interpolate(values.numpy(), lattice.to_network)
    theirs = _interpolated_by_torch(values, lattice.to_network)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_part_is_interpolated_as_the_whole_to_the_bit():
    values = np.random.default_rng(0).normal(size=(3, 20, 21, 22)).astype(np.float32)
    axes = Lattice.between(values.shape[1:], (0.7, 0.9, 2.1), (1, 1, 1)).to_network
    whole = interpolate(values, axes)
    rows, columns, lines = slice(3, 11), slice(5, 6), slice(7, 30)
    parts = [axis.part(place) for axis, place in zip(axes, (rows, columns, lines), strict=True)]
    np.testing.assert_array_equal(interpolate(values, parts), whole[:, rows, columns, lines])


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(*[st.integers(2, 12)] * 3),
    st.tuples(*[st.floats(0.4, 4)] * 3),
    st.integers(0, 2**32 - 1),
)
def test_what_a_mask_needs_is_what_changes_it(shape, spacing, seed):
    """Change all the other voxels of the network, and nothing in the mask changes."""
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < 0.1
    lattice = Lattice.between(shape, spacing, (1, 1, 1))
    needed = lattice.needed(mask)
    assert needed.shape == lattice.network
    if lattice.to_scan is None:
        np.testing.assert_array_equal(needed, mask)
        return
    values = rng.normal(size=(1, *lattice.network)).astype(np.float32)
    other = np.where(needed, values, np.float32(1e6))
    one, two = (interpolate(v, lattice.to_scan)[0] for v in (values, other))
    np.testing.assert_array_equal(one[mask], two[mask])
