"""Numbers as they are logged, and as they are written."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from oncoforge.training.callbacks.measured import plain

SINGLE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_numbers_are_written_as_short_as_they_can_be(kind):
    assert repr(plain(torch.tensor(0.1, dtype=kind))) == "0.1"


def test_half_precision_is_a_number_too():
    assert plain(torch.tensor(0.5, dtype=torch.bfloat16)) == 0.5


@given(SINGLE, SINGLE)
def test_nothing_of_single_precision_is_lost_nor_its_order(a, b):
    x, y = (plain(torch.tensor(value, dtype=torch.float32)) for value in (a, b))
    assert np.float32(x) == np.float32(a)
    assert (x < y) == (a < b)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_double_precision_is_kept(value):
    assert plain(torch.tensor(value, dtype=torch.float64)) == value
