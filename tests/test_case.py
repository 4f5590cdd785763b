"""Case: one CT and its label map on one grid."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

from oncoforge.anatomy import LABELS
from oncoforge.case import Case
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.grid import Grid
from oncoforge.source import Source


@pytest.fixture
def case():
    labels = np.zeros((6, 5, 4), np.uint8)
    labels[:3] = LABELS["liver"]
    labels[1, 1, 1] = LABELS["liver"] + 1
    labels[4] = LABELS["aorta"]
    labels[5, 0, 0] = LABELS["kidney"] + 1
    return Case(np.full((6, 5, 4), 60.0), labels, np.diag([1.0, 2, 3, 1]))


def test_an_organ_is_its_parenchyma_and_its_tumours(case):
    organ, tumor, healthy = case.organ("liver"), case.tumor("liver"), case.parenchyma("liver")
    assert organ.dtype == tumor.dtype == healthy.dtype == np.bool_
    assert organ.sum() == 60
    assert tumor.sum() == 1
    np.testing.assert_array_equal(organ, tumor | healthy)
    assert not (tumor & healthy).any()


def test_no_tumour_is_an_empty_mask(case):
    assert not case.tumor("pancreas").any()


def test_organs_are_named_in_the_order_of_their_labels(case):
    assert case.organs() == ("liver", "kidney", "aorta")


@pytest.mark.parametrize("method", ["organ", "parenchyma"])
def test_an_absent_organ_is_an_error_that_names_those_present(case, method):
    with pytest.raises(InputError, match=r"no pancreas; it has liver, kidney, aorta\."):
        getattr(case, method)("pancreas")


def test_tumours_without_an_organ_are_said_to_be_so(case):
    assert case.organ("kidney").sum() == 1
    with pytest.raises(InputError, match="tumours of the kidney but no kidney around"):
        case.parenchyma("kidney")


def test_a_vessel_has_no_tumours(case):
    assert case.organ("aorta").sum() == 20
    with pytest.raises(InputError, match="no tumours of the aorta"):
        case.tumor("aorta")


def test_an_unknown_organ_is_an_error_with_a_hint(case):
    with pytest.raises(UnknownNameError, match="did you mean 'liver'"):
        case.organ("livr")


def test_types_are_brought_to_the_promised_ones(case):
    assert case.image.dtype == np.float32
    assert case.image.flags.c_contiguous
    assert case.labels.dtype == np.uint8
    assert case.affine.dtype == np.float64
    assert case.spacing == (1, 2, 3)
    assert case.shape == (6, 5, 4)
    other = Case(np.zeros((2, 3, 4), np.int16, order="F"), np.zeros((2, 3, 4), bool), np.eye(4))
    assert other.image.flags.c_contiguous
    assert other.labels.dtype == np.uint8


def test_arrays_of_the_promised_type_are_not_copied(case):
    again = case.replace()
    assert again.image is case.image
    assert again.labels is case.labels


def test_replace_keeps_the_place_and_the_source(case):
    brighter = case.replace(image=case.image + 1)
    np.testing.assert_array_equal(brighter.image, case.image + 1)
    assert brighter.labels is case.labels
    assert brighter.source is case.source
    assert case.replace(labels=np.zeros(case.shape)).organs() == ()
    with pytest.raises(dataclasses.FrozenInstanceError):
        case.image = brighter.image


def test_a_case_from_arrays_is_its_own_source(case):
    assert case.source.grid.shape == case.shape
    assert case.source.grid.axis_codes == "RAS"
    assert case.source.image_path is None


def test_arrays_in_another_order_are_reoriented():
    image = np.arange(24.0).reshape(2, 3, 4)
    affine = np.array([[0, 0, -1.5, 9], [-2, 0, 0, 8], [0, 3, 0, 7], [0, 0, 0, 1]], float)
    case = Case.from_arrays(image, np.ones(image.shape, np.uint8), affine)
    assert case.shape == (4, 2, 3)
    assert case.spacing == (1.5, 2, 3)
    assert case.source.grid.axis_codes == "PSL"
    np.testing.assert_array_equal(case.source.grid.from_ras(case.image), image)
    there = np.rint(case.to_voxel(affine[:3] @ [1, 2, 3, 1])).astype(int)
    assert case.image[tuple(there)] == image[1, 2, 3]


def test_points_go_to_the_world_and_back(case):
    points = np.random.default_rng(0).uniform(-5, 5, (4, 7, 3))
    np.testing.assert_allclose(case.to_voxel(case.to_world(points)), points)
    np.testing.assert_array_equal(case.to_world([1, 1, 1]), [1, 2, 3])


def test_a_case_can_cross_processes(case):
    other = pickle.loads(pickle.dumps(case))
    np.testing.assert_array_equal(other.labels, case.labels)
    np.testing.assert_array_equal(other.source.grid.affine, case.source.grid.affine)


def test_a_case_says_what_it_is_and_not_all_its_voxels(case):
    assert repr(case) == "Case(6 x 5 x 4 voxels of 1 x 2 x 3 mm, from arrays)"


@pytest.mark.parametrize(
    ("image", "labels", "affine", "sentence"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2)), np.eye(4), "real"),
        (np.zeros((2, 2, 2), complex), np.zeros((2, 2, 2)), np.eye(4), "complex128"),
        (np.zeros((2, 2, 2)), np.zeros((2, 2, 3)), np.eye(4), "share one shape"),
        (np.zeros((2, 2, 2)), np.full((2, 2, 2), 256), np.eye(4), "0 to 255"),
        (np.zeros((2, 2, 2)), np.full((2, 2, 2), -1), np.eye(4), "0 to 255"),
        (np.zeros((2, 2, 2)), np.full((2, 2, 2), np.nan), np.eye(4), "0 to 255"),
        (np.zeros((2, 2, 2)), np.full((2, 2, 2), 0.5), np.eye(4), "fractions"),
        (np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), np.diag([-1, 1, 1, 1]), "run L, A, S"),
        (np.zeros((2, 0, 2)), np.zeros((2, 0, 2)), np.eye(4), "at least one voxel"),
    ],
)
def test_what_is_no_case_is_refused(image, labels, affine, sentence):
    with pytest.raises(InputError, match=sentence):
        Case(image, labels, affine)


def test_a_source_must_lie_where_the_arrays_lie(case):
    source = Source(Grid((6, 5, 4), np.eye(4)))
    with pytest.raises(InputError, match="spacing is 1 x 2 x 3, not 1 x 1 x 1 mm"):
        Case(case.image, case.labels, case.affine, source)


def test_arrays_of_two_shapes_are_refused_before_reorienting():
    with pytest.raises(InputError, match="of one shape"):
        Case.from_arrays(np.zeros((2, 2, 2)), np.zeros((2, 2)), np.eye(4))
