from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from oncoforge.reports.planes import AXIAL, CORONAL, PLANES, SAGITTAL, cut, field, section, turn

SHAPE = (7, 6, 5)
LOW = {0: "L", 1: "P", 2: "I"}
HIGH = {0: "R", 1: "A", 2: "S"}


def marked(axis, end):
    """A volume whose outermost slice at one side of the patient is bright."""
    volume = np.zeros(SHAPE, np.float32)
    volume[(slice(None),) * axis + (end,)] = 1
    return volume


@pytest.mark.parametrize("plane", PLANES, ids=lambda p: p.name)
def test_every_side_of_the_patient_is_where_its_letter_says(plane):
    left, right, top, bottom = plane.letters
    sides = {
        left: np.s_[:, 0],
        right: np.s_[:, -1],
        top: np.s_[0, :],
        bottom: np.s_[-1, :],
    }
    for axis in (plane.across, plane.up):
        for letter, end in ((HIGH[axis], -1), (LOW[axis], 0)):
            shown = cut(marked(axis, end), plane, 2)
            expected = np.zeros_like(shown)
            expected[sides[letter]] = 1
            np.testing.assert_array_equal(shown, expected)


def test_axial_and_coronal_have_the_right_side_on_the_left_and_sagittal_has_anterior_there():
    assert AXIAL.letters == ("R", "L", "A", "P")
    assert CORONAL.letters == ("R", "L", "S", "I")
    assert SAGITTAL.letters == ("A", "P", "S", "I")


@pytest.mark.parametrize("plane", PLANES, ids=lambda p: p.name)
def test_a_slice_is_a_view_and_turning_it_twice_changes_nothing(plane):
    volume = np.random.default_rng(1).normal(size=SHAPE)
    shown = cut(volume, plane, 3)
    assert np.shares_memory(shown, volume)
    assert shown.shape == (SHAPE[plane.up], SHAPE[plane.across])
    np.testing.assert_array_equal(turn(turn(shown)), shown)


@pytest.mark.parametrize("plane", PLANES, ids=lambda p: p.name)
def test_before_is_after_with_the_box_put_back(make_view, plane):
    view = make_view(centres=((45, 25, 20), (30, 40, 10)))
    whole = view.image.copy()
    whole[view.box] = view.before
    ids = np.zeros(view.image.shape, np.uint16)
    ids[view.box] = view.instances
    for index in (0, 20, view.image.shape[plane.normal] - 1):
        shown = section(view, plane, index)
        np.testing.assert_array_equal(shown.after, cut(view.image, plane, index))
        np.testing.assert_array_equal(shown.before, cut(whole, plane, index))
        np.testing.assert_array_equal(shown.instances, cut(ids, plane, index))


def test_cutting_never_writes_to_the_scan(make_view):
    view = make_view()
    for array in (view.image, view.before, view.organ, view.instances):
        array.setflags(write=False)
    for plane in PLANES:
        section(view, plane, view.focus()[plane.normal])


def test_columns_and_rows_know_their_place_in_mm(make_view):
    view = make_view(shape=(30, 20, 6), spacing=(0.8, 0.9, 5.0), centres=((20, 10, 3),))
    for plane in PLANES:
        shown = section(view, plane, 3)
        left, right, bottom, top = shown.extent_mm
        size_mm = np.array(view.image.shape) * view.spacing
        assert left - right == pytest.approx(size_mm[plane.across])
        assert top - bottom == pytest.approx(size_mm[plane.up])
        assert shown.x_mm[-1] == 0
        assert shown.y_mm[-1] == 0
        assert shown.x_mm[0] == pytest.approx(size_mm[plane.across] - view.spacing[plane.across])


@pytest.mark.parametrize("focus_mm", [(0.0, 0.0, 0.0), (60.0, 60.0, 60.0), (177.0, 147.0, 117.0)])
def test_a_field_stays_within_the_scan_where_it_fits(make_view, focus_mm):
    view = make_view()
    shown = section(view, AXIAL, 20)
    left, right, bottom, top = shown.extent_mm
    frame = field(shown, focus_mm, 40.0, 30.0)
    assert (frame.width, frame.height) == pytest.approx((40, 30))
    assert right <= frame.right
    assert frame.left <= left
    assert bottom <= frame.bottom
    assert frame.top <= top
    if focus_mm[0] == 60:
        assert frame.holds(60, 60)


def test_a_field_larger_than_the_scan_has_it_in_the_middle(make_view):
    shown = section(make_view(), CORONAL, 20)
    left, right, bottom, top = shown.extent_mm
    frame = field(shown, (0.0, 0.0, 0.0), 400.0, 300.0)
    assert frame.left - left == pytest.approx(right - frame.right)
    assert frame.top - top == pytest.approx(bottom - frame.bottom)


def test_the_focus_is_the_largest_lesion_else_the_organ_else_the_scan(make_view):
    assert make_view(centres=((30, 20, 10), (45, 25, 20))).focus() == (45, 25, 20)
    box = (slice(30, 50), slice(10, 31), slice(4, 15))
    assert make_view(centres=(), box=box).focus() == (39, 20, 9)
    nothing = (slice(0, 0),) * 3
    assert make_view(centres=(), box=nothing).focus() == (30, 25, 20)


def test_a_centre_off_the_scan_is_brought_back_to_it(make_view):
    view = make_view()
    row = dict(view.lesions[0]) | {"centre_voxel": (-0.7, 49.6, 1e3)}
    assert dataclasses.replace(view, lesions=[row]).focus() == (0, 49, 39)
