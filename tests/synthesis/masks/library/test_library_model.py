"""The library as a mask model: what is drawn, placed, clipped and replayed."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from scipy import ndimage

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.synthesis.appearance.texture import Textured
from oncoforge.synthesis.masks.library.model import LibraryModel
from oncoforge.synthesis.synthesizer import Synthesizer

SPACING = (1.5, 1.5, 2.0)


@pytest.fixture(scope="module")
def scan():
    rng = np.random.default_rng(5)
    image = rng.normal(100, 10, (60, 60, 50)).astype(np.float32)
    organ = np.zeros(image.shape, bool)
    organ[6:54, 6:54, 5:45] = True
    return image, organ


def made(library, scan, seed=0, **settings):
    synth = Synthesizer("handcrafted", LibraryModel(str(library), **settings), Textured())
    return synth, synth(*scan, SPACING, np.random.default_rng(seed))


def test_lesions_stay_in_the_organ_and_apart(library, scan):
    for seed in range(4):
        _, out = made(library, scan, seed, count=6)
        assert not (out.tumor & ~scan[1]).any()
        assert np.array_equal(out.image[~scan[1]], scan[0][~scan[1]])
        volume = sum(lesion.voxels for lesion in out.lesions)
        assert volume == out.tumor.sum()


def test_every_lesion_is_one_piece(library, scan):
    image, organ = scan
    cut = organ.copy()
    cut[:, 28:32] = False  # a cleft that parts what lies across it
    _, out = made(library, (image, cut), 1, count=6, diameter_mm=30.0)
    ids = out.instances()
    assert out.lesions
    for lesion in out.lesions:
        assert ndimage.label(ids == lesion.id, np.ones((3, 3, 3)))[1] == 1


def test_replay_from_json_gives_the_same_bytes(library, scan):
    synth, out = made(library, scan, 3, count=3)
    again = synth.apply(*scan, SPACING, json.loads(json.dumps(out.recipe.to_dict())))
    assert again.image.tobytes() == out.image.tobytes()
    assert again.instances().tobytes() == out.instances().tobytes()


def test_a_library_that_moved_is_found_where_it_is_now(library, scan, tmp_path):
    _, out = made(library, scan, 3, count=3)
    moved = shutil.copytree(library, tmp_path / "moved")
    synth = Synthesizer("handcrafted", LibraryModel(str(moved)), Textured())
    data = out.recipe.to_dict()
    for lesion in data["lesions"]:
        lesion["mask"]["library"] = "/nowhere"
    assert synth.apply(*scan, SPACING, data).image.tobytes() == out.image.tobytes()
    with pytest.raises(InputError, match=r"/nowhere is not a library .*--library"):
        Synthesizer("handcrafted", LibraryModel(), Textured()).apply(*scan, SPACING, data)


def test_a_changed_or_missing_file_is_told(library, scan, tmp_path):
    copy = shutil.copytree(library, tmp_path / "copy")
    synth, out = made(copy, scan, 3, count=3)
    for name in {plan.mask["tumor"] for plan in out.recipe.lesions}:
        file = copy / f"{name}_mask.nii.gz"
        file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(InputError, match=r"_mask.nii.gz is not the file .*SHA-256 .*--library"):
        synth.apply(*scan, SPACING, out.recipe)
    for file in copy.glob("*_mask.nii.gz"):
        file.unlink()
    with pytest.raises(InputError, match=r"_mask.nii.gz cannot be read .*--library"):
        synth.apply(*scan, SPACING, out.recipe)


def test_a_diameter_is_reached(library, scan):
    _, out = made(library, scan, 0, count=1, diameter_mm=22.0)
    assert out.lesions[0].diameter_mm == pytest.approx(22, rel=0.05)
    assert not out.remarks
    _, out = made(library, scan, 0, count=1, diameter_mm=9.0)
    assert out.lesions[0].diameter_mm == pytest.approx(9, rel=0.1)
    assert "scaled by" in out.remarks[0]


def test_scales_of_a_size_class_stay_in_their_range(library, scan):
    synth, _ = made(library, scan, size="tiny", scale=(0.9, 1.1))
    recipe = synth.draw(*scan, SPACING, np.random.default_rng(0))
    assert recipe.lesions
    assert all(0.9 <= plan.mask["scale"] <= 1.1 for plan in recipe.lesions)


def test_tumors_come_as_often_as_in_their_cases(library, scan):
    synth, _ = made(library, scan)
    counts = {
        len(synth.draw(*scan, SPACING, np.random.default_rng(seed)).lesions) for seed in range(10)
    }
    assert counts == {1}  # every case of the library has one


@pytest.mark.parametrize(("rotate", "axes"), [(False, 0), ("axial", 1), (True, 3)])
def test_rotation_is_about_the_axes_that_are_allowed(library, scan, rotate, axes):
    synth, _ = made(library, scan, rotate=rotate, flip=False, count=4)
    plans = synth.draw(*scan, SPACING, np.random.default_rng(0)).lesions
    turned = np.abs([plan.mask["quaternion"][:3] for plan in plans]) > 1e-9
    assert turned.any(axis=0).sum() == axes
    assert not any(plan.mask["flip"] for plan in plans)


def test_the_first_lesions_go_where_they_are_asked_for(library, scan):
    _, out = made(library, scan, at_mm=((45.0, 45.0, 50.0),), diameter_mm=20.0)
    assert np.linalg.norm(np.subtract(out.lesions[0].centre_mm, (45, 45, 50))) < 1.0


def test_lesions_may_fill_the_room_beyond_the_organ(library):
    from oncoforge.synthesis.scene import Scene

    organ = np.zeros((60, 60, 60), bool)
    organ[20:40, 20:40, 20:40] = True
    room = np.ones_like(organ)
    box = (slice(0, 60),) * 3
    image = np.zeros(organ.shape, np.float32)
    model = LibraryModel(str(library), at_mm=((30.0, 30.0, 30.0),), diameter_mm=30.0)
    volumes = []
    for scene in (
        Scene(image, organ, (1.0, 1.0, 1.0), box),
        Scene(image, organ, (1.0, 1.0, 1.0), box, room=room),
    ):
        plans, _ = model.draw(scene, np.random.default_rng(0))
        (mask,) = model.render(scene, plans)
        volumes.append(np.count_nonzero(mask.inside))
    assert volumes[1] == pytest.approx(np.pi / 6 * 30**3, rel=0.03)
    assert volumes[0] < 0.8 * volumes[1]


def test_an_empty_organ_holds_nothing(library, scan):
    _, out = made(library, (scan[0], np.zeros_like(scan[1])))
    assert not out.lesions
    assert out.skipped


@pytest.mark.parametrize(
    ("settings", "error", "sentence"),
    [
        ({"size": "smal"}, UnknownNameError, "small"),
        ({"rotate": "axiall"}, UnknownNameError, "axial"),
        ({"place": "insid"}, UnknownNameError, "inside"),
        ({"scale": (2.0, 1.0)}, InputError, "scale is a range"),
        ({"count": 0}, InputError, "ask for 1"),
        ({"min_inside": 2.0}, InputError, "min_inside"),
    ],
)
def test_senseless_settings_are_refused(settings, error, sentence):
    with pytest.raises(error, match=sentence):
        LibraryModel("x", **settings)


def test_a_library_must_be_given_and_hold_the_organ(library, scan):
    with pytest.raises(InputError, match="--library"):
        made("", scan)
    with pytest.raises(InputError, match=r"no tumours of the kidney; it has: liver"):
        made(library, scan, tumors_of="kidney")


@pytest.mark.slow
def test_real_kidney_tumors_go_into_a_real_kidney(data_dir, tmp_path):
    from oncoforge.datasets.crops import Wanted, crop
    from oncoforge.formats import read_case

    sources = sorted((data_dir / "kits19_labels").glob("*.nii.gz"))[:6]
    crop(sources, tmp_path / "kits", Wanted("kits"), workers=1)
    folder = data_dir / "ct_abdomen"
    case = read_case(folder / "image.nii.gz", folder / "totalsegmentator_labels.nii.gz")
    kidney = case.parenchyma("kidney")
    model = LibraryModel(str(tmp_path / "kits"), count=3, diameter_mm=18.0, min_distance_mm=2.0)
    synth = Synthesizer("handcrafted", model, Textured())
    out = synth(case.image, kidney, case.spacing, np.random.default_rng(0))
    assert len(out.lesions) == 3
    assert not (out.tumor & ~kidney).any()
