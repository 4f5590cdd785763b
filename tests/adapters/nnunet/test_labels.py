"""Which values of a dataset are which organs: by the names of public datasets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoforge.adapters.nnunet.labels import Labels
from oncoforge.anatomy import LABELS
from oncoforge.errors import InputError

from .conftest import dataset_of

LIVER, PANCREAS, KIDNEY = {1: (1,), 2: (2,)}, {3: (1,), 4: (2,)}, {5: (1,), 6: (2,)}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"liver": 1, "liver_tumor": 2}, LIVER),
        ({"liver": 1, "cancer": 2}, LIVER),
        ({"Liver": 1, "Tumour": 2}, LIVER),
        ({"pancreas": 1, "cancer": 2}, PANCREAS),
        ({"kidneys": 1, "kidney tumor": 2, "cyst": 3}, KIDNEY | {LABELS["cyst"]: (3,)}),
        ({"kidney": [1, 2, 3], "masses": [2, 3], "tumor": 2}, KIDNEY),
        ({"liver": [1, 2], "tumor": 2}, LIVER),
        (
            {"liver": 1, "liver_tumor": 2, "pancreas": 3, "pancreas_tumor": 4},
            {1: (1,), 2: (2,), 3: (3,), 4: (4,)},
        ),
        ({"spleen": 5, "liver": 1, "liver lesion": 7}, LIVER | {2: (7,), 9: (5,)}),
    ],
)
def test_names_of_public_datasets_are_understood(labels, expected):
    found = Labels.of(dataset_of(**labels), {})
    assert found.values == expected


def test_what_is_said_goes_before_what_is_found():
    dataset = dataset_of(tissue=1, spots=2, liver=3)
    found = Labels.of(dataset, {"kidney": "tissue", "kidney_tumor": 2, "liver": (3,)})
    assert found.values == {5: (1,), 6: (2,), 1: (3,)}


@pytest.mark.parametrize(
    ("labels", "given_labels", "said"),
    [
        ({"liver": 1}, {}, "No organ with a tumour is found.*: background, liver"),
        ({"left": 1, "tumor": 2}, {}, "No organ with a tumour"),
        ({"liver": 1, "pancreas": 2, "tumor": 3}, {}, "No organ with a tumour"),
        ({"liver": 1, "tumor": 2}, {"livver": 1}, "did you mean 'liver'"),
        ({"liver": 1, "tumor": 2}, {"liver_tumor": "tumour"}, "did you mean 'tumor'"),
        ({"liver": 1, "tumor": 2}, {"liver_tumor": 3}, "value 3 is none of dataset.json: 0, 1, 2"),
        ({"liver": 1, "tumor": 2}, {"liver_tumor": (1, 2)}, "say which one new ones get"),
        ({"liver": 1, "tumor": 2}, {"liver_tumor": 1}, "give each its own"),
        ({"liver": 1, "tumor": 2}, {"liver": 0}, "neither 0"),
    ],
)
def test_a_dataset_that_cannot_be_understood_is_told_so(labels, given_labels, said):
    with pytest.raises(InputError, match=said):
        Labels.of(dataset_of(**labels), given_labels)


@given(st.lists(st.integers(-1, 6), min_size=8, max_size=8))
def test_translation_is_that_of_one_voxel_after_the_other(values):
    found = Labels.of(dataset_of(kidney=[1, 3], tumor=2, other=4, ignore=6), {})
    ours = {-1: 0, 0: 0, 1: 5, 2: 6, 3: 5}
    array = np.array(values, np.int16).reshape(2, 2, 2)
    expected = [ours.get(v, 255) for v in values]
    translated = found.translate(array)
    assert translated.dtype == np.uint8
    assert translated.ravel().tolist() == expected
    assert found.count(array) == {5: expected.count(5), 6: expected.count(6)}
    assert found.count(array.astype(np.int8)) == found.count(array)
