from __future__ import annotations

import dataclasses
import io

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image, ImageSequence

from oncoforge.errors import InputError
from oncoforge.reports import gif, growth_film, growth_strip
from oncoforge.reports.growth import render
from oncoforge.reports.panels import LESION
from oncoforge.reports.planes import AXIAL, PLANES, cut
from oncoforge.reports.sheet import DPI

ORANGE = 255 * np.array(to_rgb(LESION))


def film(gif_bytes):
    """Decode a GIF to its frames, (rows, columns, 3), as a viewer shows them, and durations."""
    image = Image.open(io.BytesIO(gif_bytes))
    shown = [
        (np.asarray(each.convert("RGB")), each.info["duration"])
        for each in ImageSequence.Iterator(image)
    ]
    return [picture for picture, _ in shown], [duration for _, duration in shown], image


def panel(picture, view, column):
    """The pixels of one plane, without a rim of one pixel."""
    width, height = growth_film.field_mm(view)
    inches = growth_film.PANEL_IN, growth_film.PANEL_IN * height / width
    left = growth_film.EDGE_IN + column * (growth_film.PANEL_IN + growth_film.GAP_IN)
    top = growth_film.TOP_IN
    left, top, right, bottom = (
        round(DPI * inch) for inch in (left, top, left + inches[0], top + inches[1])
    )
    return picture[top + 1 : bottom - 1, left + 1 : right - 1].astype(int)


def orange(picture):
    """Where a picture is the colour of the lesions' outlines, or half of it over grey."""
    red, _, blue = np.moveaxis(picture.astype(int), -1, 0)
    return red > blue + 80


@pytest.fixture(scope="module")
def view(make_growth):
    return make_growth()


@pytest.fixture(scope="module")
def rendered(view):
    return render(view)


def test_same_view_gives_same_bytes_whatever_the_users_style(view, rendered):
    with mpl.rc_context({"text.color": "red", "font.family": "serif", "image.cmap": "jet"}):
        assert render(view) == rendered


def test_neither_file_tells_date_or_writer(rendered):
    gif_bytes, png = rendered
    assert not [key for key in (b"tEXt", b"iTXt", b"tIME") if key in png]
    assert "comment" not in film(gif_bytes)[2].info


def test_the_film_has_every_frame_holds_the_last_and_runs_for_ever(make_growth):
    view = make_growth(radii_mm=(0.0, 3.0, 3.0, 3.0, 6.0, 9.0))
    pictures, durations, image = film(render(view)[0])
    assert len(pictures) == 6
    assert durations == [120] * 5 + [2000]
    assert image.info["loop"] == 0
    assert image.width == 750


def test_every_frame_is_shown_as_if_it_were_drawn_alone(view, rendered):
    # Frames hold only what changed; nothing of an earlier one may stay behind.
    pictures, _, _ = film(rendered[0])
    for frame, picture in zip(view.frames, pictures, strict=True):
        alone = gif.palette()[gif.indices(growth_film._sheet(view, frame).pixels())]
        np.testing.assert_array_equal(picture, alone)


def test_all_frames_share_one_palette(rendered):
    # A local table would be announced by the top bit of a frame's packed byte.
    image = Image.open(io.BytesIO(rendered[0]))
    assert image.global_palette is not None
    for number in range(image.n_frames):
        image.seek(number)
        assert image._frame_palette in (None, image.global_palette)


def test_the_palette_has_256_colours_and_its_greys_are_fine():
    colours = gif.palette()
    assert len(np.unique(colours, axis=0)) == 256
    greys = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    shown = colours[gif.indices(greys)].astype(int)
    assert np.abs(shown - greys).max() <= 1
    assert (np.ptp(shown, axis=-1) == 0).all()


def test_colours_are_shown_by_near_ones_and_never_by_the_transparent_one():
    rng = np.random.default_rng(0)
    under, share = rng.integers(0, 256, (40, 50, 1)), rng.random((40, 50, 1))
    outline = np.rint((1 - share) * under + share * ORANGE).astype(np.uint8)
    shown = gif.indices(outline)
    assert np.abs(gif.palette()[shown].astype(int) - outline).max() <= 40
    wild = gif.indices(rng.integers(0, 256, (40, 50, 3)).astype(np.uint8))
    assert max(shown.max(), wild.max()) < 255


@pytest.mark.parametrize("column", [0, 1, 2])
def test_greys_are_those_of_the_ct_in_its_window(make_growth, column):
    low, high = -100.0, 200.0
    plane, shape = PLANES[column], (30, 30, 30)
    # Broad bands along the picture, of which the middles are free of smoothing.
    levels = np.array([-150.0, -60.0, 0.0, 33.0, 120.0, 260.0], np.float32)
    along = levels[np.arange(30) // 5]
    image = np.broadcast_to(
        along.reshape([-1 if axis == plane.up else 1 for axis in range(3)]), shape
    )
    view = make_growth(shape=shape, spacing=(2.0, 2.0, 2.0), radii_mm=(0.0,))
    frame = dataclasses.replace(view.frames[0], image=np.ascontiguousarray(image))
    picture = film(render(dataclasses.replace(view, frames=[frame]))[0])[0][0]
    shown = panel(picture, view, column)
    rows = ((np.arange(6) + 0.5) / 6 * len(shown)).astype(int)
    # Left of the middle there is neither a letter nor the scale bar.
    seen = shown[rows[::-1], int(0.35 * shown.shape[1])]
    expected = 255 * np.clip((levels - low) / (high - low), 0, 1)
    assert (np.ptp(seen, axis=1) == 0).all()
    np.testing.assert_allclose(seen[:, 0], expected, atol=1.7)


def test_the_outline_lies_around_the_lesion_in_all_planes(view, rendered):
    pictures, _, _ = film(rendered[0])
    width, _ = growth_film.field_mm(view)
    for column, plane in enumerate(PLANES):
        assert not orange(panel(pictures[0], view, column)).any()
        shown = orange(panel(pictures[-1], view, column))
        mm = width / shown.shape[1]
        mask = cut(view.frames[-1].instances, plane, view.focus[plane.normal]) > 0
        for axis, spacing in ((0, view.spacing[plane.up]), (1, view.spacing[plane.across])):
            there = np.flatnonzero(mask.any(axis=1 - axis)) - (mask.shape[axis] - 1) / 2
            drawn = np.flatnonzero(shown.any(axis=1 - axis)) - (shown.shape[axis] - 1) / 2
            for end in (0, -1):
                assert drawn[end] * mm == pytest.approx(there[end] * spacing, abs=spacing)
        middle = tuple(n // 2 for n in shown.shape)
        assert not shown[middle]


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 5.0), (0.8, 2.0, 1.2)])
def test_a_ball_is_drawn_round_at_one_scale_in_all_planes(make_growth, spacing):
    shape = tuple(round(70 / mm) | 1 for mm in spacing)
    view = make_growth(shape=shape, spacing=spacing, radii_mm=(20.0,))
    picture = film(render(view)[0])[0][0]
    sizes = []
    for column in range(3):
        rows, columns = np.nonzero(orange(panel(picture, view, column)))
        sizes += [np.ptp(rows), np.ptp(columns)]
    assert sizes == pytest.approx([np.mean(sizes)] * 6, rel=0.1)
    assert min(sizes) > 100


@pytest.mark.parametrize("thickness", [1, 2])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_crops_of_a_slice_or_two_along_any_axis(make_growth, axis, thickness):
    shape = [24, 24, 24]
    shape[axis] = thickness
    gif_bytes, png = render(make_growth(shape=tuple(shape), radii_mm=(0.0, 5.0)))
    assert len(film(gif_bytes)[0]) == 2
    assert png


def test_a_lone_voxel_is_a_crop(make_growth):
    assert render(make_growth(shape=(1, 1, 1), spacing=(1.0, 1.0, 5.0), radii_mm=(0.0, 1.0)))


def test_a_lesion_off_the_slice_is_not_outlined(view):
    away = dataclasses.replace(view, focus=(0, 0, 0))
    pictures, _, _ = film(render(away)[0])
    assert not any(orange(panel(pictures[-1], view, column)).any() for column in range(3))


def test_sizes_are_told_once_there_are_voxels(view):
    assert (view.frames[0].diameter, view.frames[0].volume) == ("no voxel yet", "")
    assert view.frames[-1].diameter.endswith(" mm")
    assert view.frames[-1].volume.endswith(" mL")


def test_without_frames_there_is_a_sentence(view):
    with pytest.raises(InputError, match="at least one frame"):
        render(dataclasses.replace(view, frames=[]))


@pytest.mark.parametrize(
    ("there", "shown"), [(1, 1), (2, 2), (5, 5), (6, 6), (7, 6), (8, 8), (9, 8), (25, 8), (300, 8)]
)
def test_the_strip_runs_evenly_from_the_first_frame_to_the_last(view, there, shown):
    frames = [dataclasses.replace(view.frames[-1], step=step) for step in range(there)]
    steps = [f.step for f in growth_strip.chosen(dataclasses.replace(view, frames=frames))]
    assert len(steps) == shown
    assert steps[0] == 0
    assert steps[-1] == there - 1
    assert (np.ptp(np.diff(steps)) <= 1) if shown > 1 else True


def test_the_strip_shows_the_lesion_grow(make_growth):
    radii = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)
    png = render(make_growth(radii_mm=radii))[1]
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    height, width = (n / parts for n, parts in zip(picture.shape, (2, 3), strict=False))
    found = orange(picture)
    spans = []
    for place in range(6):
        row, column = divmod(place, 3)
        part = found[int(row * height) : int((row + 1) * height)]
        part = part[:, int(column * width) : int((column + 1) * width)]
        spans.append(np.ptp(np.flatnonzero(part.any(axis=0))) if part.any() else 0)
    assert spans[0] == 0
    assert (np.diff(spans) > 0).all()


def test_the_strip_cuts_where_the_film_does(view):
    frame = view.frames[-1]
    section = view.section(frame, AXIAL)
    np.testing.assert_array_equal(section.after, cut(frame.image, AXIAL, view.focus[2]))
    np.testing.assert_array_equal(section.instances, cut(frame.instances, AXIAL, view.focus[2]))


def test_the_film_of_a_noisy_scan_stays_small(make_growth):
    gif_bytes, _ = render(make_growth(shape=(60, 60, 60), radii_mm=np.linspace(0, 15, 12)))
    assert len(gif_bytes) < 1_000_000
