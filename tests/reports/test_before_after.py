from __future__ import annotations

import dataclasses
import io

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest

from oncoforge.reports import before_after
from oncoforge.reports.before_after import PANEL_IN, draw
from oncoforge.reports.sheet import DPI


def pixels(png):
    """Decode a PNG to (rows, columns, 3) in 0 to 1."""
    return mpl.image.imread(io.BytesIO(png), format="png")[..., :3]


def test_same_view_gives_same_bytes_whatever_the_users_style(make_view):
    view = make_view()
    first = draw(view)
    with mpl.rc_context({"text.color": "red", "font.family": "serif", "image.cmap": "jet"}):
        assert draw(view) == first


def test_the_file_tells_neither_date_nor_writer(make_view):
    png = draw(make_view())
    assert not [key for key in (b"tEXt", b"iTXt", b"tIME") if key in png]


def test_a_picture_has_four_columns_and_three_rows_of_panels(make_view):
    rows, columns, _ = pixels(draw(make_view(shape=(60, 60, 60), centres=((40, 30, 30),)))).shape
    panel = PANEL_IN * DPI
    assert 4 * panel < columns < 4.6 * panel
    assert 3 * panel < rows < 3.7 * panel


def test_thin_scans_get_low_rows_and_a_picture_still(make_view):
    tall = pixels(draw(make_view())).shape[0]
    thin = make_view(shape=(60, 50, 1), spacing=(3.0, 3.0, 5.0), centres=((40, 25, 0),))
    assert pixels(draw(thin)).shape[0] < 0.75 * tall


@pytest.mark.parametrize("thickness", [1, 2, 5])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_scans_of_a_few_slices_along_any_axis(make_view, axis, thickness):
    shape = [40, 40, 40]
    shape[axis] = thickness
    centre = tuple(n // 2 for n in shape)
    view = make_view(shape=tuple(shape), centres=(centre,), box=tuple(slice(0, n) for n in shape))
    assert draw(view)


def test_one_mm_is_as_long_across_as_along_in_every_panel(make_view):
    view = make_view(shape=(64, 48, 9), spacing=(0.8, 1.1, 5.0), centres=((40, 25, 4),))
    for row in before_after._rows(view):
        panel_aspect = row.height_in / PANEL_IN
        assert row.close.height / row.close.width == pytest.approx(panel_aspect)
        assert row.whole.height / row.whole.width == pytest.approx(panel_aspect)


def test_a_ball_in_thick_slices_is_drawn_round(make_view):
    shape, spacing = (80, 80, 16), (1.0, 1.0, 5.0)
    flat = np.full(shape, 50.0, np.float32)
    view = make_view(shape=shape, spacing=spacing, centres=((50, 40, 8),), radius_mm=19.0)
    after = flat.copy()
    after[view.box][view.instances > 0] -= 100
    # Without an organ to outline, only the difference and its scale are blue.
    no_organ = np.zeros_like(view.organ)
    view = dataclasses.replace(view, image=after, before=flat[view.box], organ=no_organ)
    picture = pixels(draw(view))
    picture = picture[:, : int(0.945 * picture.shape[1])]
    blue = picture[..., 2] > picture[..., 0] + 0.1
    down = np.flatnonzero(blue.sum(axis=1) > 20)
    for ball in np.split(down, np.flatnonzero(np.diff(down) > 20) + 1):
        across = np.flatnonzero(blue[ball].any(axis=0))
        assert np.ptp(across) == pytest.approx(np.ptp(ball), rel=0.15)
        assert np.ptp(across) > 100


def test_lesions_at_the_edge_and_of_one_voxel(make_view):
    corner = make_view(centres=((59, 0, 39),), radius_mm=8.0)
    lone = make_view(centres=((40, 25, 20),), radius_mm=0.5)
    assert draw(corner) != draw(lone)


def test_without_lesions_the_picture_shows_the_organ_and_says_why(make_view):
    plain = make_view(centres=())
    why = dataclasses.replace(plain, skipped=["Lesion 1 (small, 13 mm) found no place."])
    assert pixels(draw(why)).shape[0] > pixels(draw(plain)).shape[0]


def test_without_an_organ_there_is_a_picture_still(make_view):
    assert draw(make_view(centres=(), box=(slice(0, 0),) * 3))


def test_a_dollar_sign_in_a_title_is_no_formula(make_view):
    assert draw(make_view(title=r"Worth $5 or $\frac{ 6"))


def test_the_colour_scale_is_round_and_symmetric(make_view):
    rows = before_after._rows(make_view())
    assert before_after._change_limit(rows) == 40
    assert before_after._change_limit(before_after._rows(make_view(centres=()))) == 10
