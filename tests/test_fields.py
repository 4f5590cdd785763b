"""Values from outside are held against the annotations of the dataclass that takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.fields import build, check_fields, plain


@dataclass(frozen=True)
class Box:
    width: float
    count: int = 1
    on: bool = False
    name: str = ""
    span: tuple[float, float] | None = None
    points: tuple[tuple[float, float, float], ...] = ()


@pytest.mark.parametrize(
    "values",
    [
        {"width": 1},
        {"width": np.float32(2.5), "count": 3},
        {"width": 0.5, "on": True, "name": "x", "span": [1, 2]},
        {"width": 0.5, "span": None, "points": [[1, 2, 3], (4.5, 5, 6)]},
    ],
)
def test_values_of_the_right_type_pass(values):
    check_fields(Box, values, "setting")


@pytest.mark.parametrize(
    "values",
    [
        {"width": "1"},
        {"width": True},
        {"width": float("nan")},
        {"width": None},
        {"count": 1.5},
        {"count": True},
        {"on": 1},
        {"name": 3},
        {"span": 1.0},
        {"span": (1, 2, 3)},
        {"span": ("a", "b")},
        {"points": [1, 2, 3]},
        {"points": [[1, 2]]},
    ],
)
def test_values_of_another_type_are_refused_by_name(values):
    with pytest.raises(InputError, match=next(iter(values))):
        check_fields(Box, values, "setting")


def test_an_unknown_field_names_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'width'"):
        check_fields(Box, {"widht": 1}, "setting")


def test_built_data_is_what_json_gave_with_tuples_for_lists():
    box = build(Box, {"width": 2, "span": [1, 2], "points": [[1, 2, 3]]}, "part")
    assert box == Box(2, span=(1, 2), points=((1, 2, 3),))


@pytest.mark.parametrize("values", [None, 3, [], {}, {"count": 2}])
def test_what_is_no_full_set_of_values_is_refused(values):
    with pytest.raises(InputError):
        build(Box, values, "part")


def test_plain_data_holds_no_numpy():
    data = plain({"a": np.float32(1.5), "b": [np.int64(2), (np.bool_(True),)], "c": np.arange(2)})
    assert data == {"a": 1.5, "b": (2, (True,)), "c": (0, 1)}
    assert [type(v) for v in (data["a"], data["b"][0], data["b"][1][0])] == [float, int, bool]
