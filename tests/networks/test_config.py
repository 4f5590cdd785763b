"""Configs travel as JSON and say what is wrong with them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoforge.anatomy import NAMES
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.networks import Config, Origin, Pipeline

LIVER = ("background", "liver", "liver_tumor")

_numbers = st.floats(-2000, 2000).map(lambda number: round(number, 3))
_ranges = st.tuples(_numbers, _numbers).filter(lambda pair: pair[0] < pair[1])
_lengths = st.floats(0.1, 9).map(lambda number: round(number, 3))


@st.composite
def _configs(draw) -> Config:
    classes = draw(st.lists(st.sampled_from(sorted(NAMES.values())), min_size=1, unique=True))
    pipeline = st.builds(
        Pipeline,
        classes=st.just(tuple(classes)),
        spacing_mm=st.none() | st.tuples(_lengths, _lengths, _lengths),
        window_hu=_ranges,
        values=_ranges,
        patch=st.tuples(*[st.integers(1, 256)] * 3),
        overlap=st.floats(0, 1, exclude_max=True),
    )
    texts = st.text(max_size=9)
    origin = st.builds(Origin, texts, texts, texts, texts, st.lists(texts).map(tuple))
    return Config(
        draw(texts),
        draw(st.integers(1, 9)),
        len(classes),
        draw(st.dictionaries(texts, st.integers() | texts | st.tuples(st.integers()))),
        draw(st.none() | pipeline),
        draw(st.none() | origin),
    )


@given(_configs())
def test_config_is_the_same_after_json(config):
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_labels_are_those_of_the_classes():
    assert Pipeline(LIVER).labels == (0, 1, 2)
    assert Pipeline(("background", "kidney_tumor", "lung")).labels == (0, 6, 7)


def test_having_changes_only_what_is_named():
    config = Config("unet", 1, 3, {"num_res_units": 2}, Pipeline(LIVER))
    other = config.having(origin=Origin("x"))
    assert other.origin == Origin("x")
    assert other.having(origin=None) == config


def test_configs_can_be_keys():
    same = {Config("unet", 1, 3, {"channels": (1, 2)}), Config("unet", 1, 3, {"channels": (1, 2)})}
    assert len(same) == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"classes": ("background", "livr")}, "did you mean 'liver'"),
        ({"classes": ("liver", "liver")}, "name each once"),
        ({"spacing_mm": (1.0, 0.0, 1.0)}, "three positive lengths"),
        ({"window_hu": (250.0, -175.0)}, "window_hu is 250.0 to -175.0"),
        ({"values": (1.0, 1.0)}, "values is 1.0 to 1.0"),
        ({"patch": (96, 96, 0)}, "three numbers of voxels"),
        ({"overlap": 1.0}, "below 1"),
        ({"overlap": -0.1}, "from 0"),
    ],
)
def test_pipelines_that_make_no_sense_are_refused(values, said):
    with pytest.raises(InputError, match=said):
        Pipeline(**{"classes": LIVER, **values})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"network": "unet", "in_channels": 1}, "out_channels"),
        ({"network": "unet", "in_channels": 0, "out_channels": 1}, "at least one channel"),
        ({"network": "unet", "in_channels": 1.5, "out_channels": 1}, "a whole number"),
        ({"network": 5, "in_channels": 1, "out_channels": 1}, "a word"),
        ({"network": "unet", "in_channels": 1, "out_channels": 1, "option": {}}, "'options'"),
        (
            {
                "network": "unet",
                "in_channels": 1,
                "out_channels": 2,
                "pipeline": {"classes": LIVER},
            },
            "2 output channels, and 3 classes",
        ),
        (
            {"network": "unet", "in_channels": 1, "out_channels": 3, "pipeline": {"clases": LIVER}},
            "did you mean 'classes'",
        ),
        ({"network": "unet", "in_channels": 1, "out_channels": 3, "pipeline": {}}, "classes"),
        ({"network": "unet", "in_channels": 1, "out_channels": 3, "origin": []}, "a mapping"),
    ],
)
def test_data_that_is_no_config_is_refused(values, said):
    with pytest.raises(InputError, match=said):
        Config.from_dict(values)


def test_an_unknown_class_is_an_unknown_name():
    with pytest.raises(UnknownNameError):
        Pipeline(("background", "spline"))
