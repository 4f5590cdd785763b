"""Synthesis as TorchIO transforms: what changes, and that a history makes it again."""

from __future__ import annotations

import json
import pickle
import sys
from importlib import import_module

import numpy as np
import pytest

import oncoforge as of

torch = pytest.importorskip("torch")
tio = pytest.importorskip("torchio")

from oncoforge.adapters.torchio import RandomTumor, Tumor  # noqa: E402

# TorchIO and PyTorch warn of their own deprecated parts as they are used.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

SHAPE = (30, 28, 26)
SYNTH = of.Handcrafted(size="tiny", count=3)
every_method = pytest.mark.parametrize(
    "synth",
    [SYNTH, of.Cellular(steps=20, count=3)],
    ids=lambda synth: synth.method,
)
AXES = {
    "RAS": np.diag([2.0, 1.5, 3.0, 1.0]),
    "LPS": np.diag([-2.0, -1.5, 3.0, 1.0]),
    "SLP": np.array([[0, -1.5, 0, 9], [0, 0, -3.0, 5], [2.0, 0, 0, 2], [0, 0, 0, 1]]),
}


def _subject(
    affine: np.ndarray = AXES["RAS"], dtype: type = np.float32, tumor: bool = False
) -> tio.Subject:
    """An organ (1) in air with a neighbour (3), and perhaps with a tumour of its own (2)."""
    rng = np.random.default_rng(0)
    image = rng.normal(-1000, 5, SHAPE)
    label = np.zeros(SHAPE, np.uint8)
    label[4:-4, 4:-4, 4:-4] = 1
    label[4:-4, 4:-4, :3] = 3
    label[6:9, 6:9, 6:9] = 2 if tumor else 1
    image[label > 0] = rng.normal(90, 12, np.count_nonzero(label))
    scan = torch.from_numpy(np.rint(image).astype(dtype))[None]
    return tio.Subject(
        ct=tio.ScalarImage(tensor=scan, affine=affine),
        organs=tio.LabelMap(tensor=torch.from_numpy(label)[None], affine=affine),
        name="somebody",
    )


def _same(one: tio.Subject, other: tio.Subject) -> bool:
    return all(torch.equal(one[key].data, other[key].data) for key in ("ct", "organs"))


@every_method
@pytest.mark.parametrize("axes", list(AXES))
def test_tumours_lie_in_the_organ_and_all_else_is_as_it_was(synth, axes):
    subject = _subject(AXES[axes])
    torch.manual_seed(1)
    out = RandomTumor(synth)(subject)
    label, scan = (subject[key].numpy() for key in ("organs", "ct"))
    new_label, new_scan = (out[key].numpy() for key in ("organs", "ct"))
    tumor = new_label == 2
    assert tumor.any()
    assert (label[tumor] == 1).all()
    np.testing.assert_array_equal(new_label[~tumor], label[~tumor])
    np.testing.assert_array_equal(new_scan[label != 1], scan[label != 1])
    assert new_scan[tumor].mean() < scan[tumor].mean() - 10
    assert (new_scan.dtype, new_label.dtype) == (scan.dtype, label.dtype)
    np.testing.assert_array_equal(out.ct.affine, subject.ct.affine)
    assert out["name"] == "somebody"


def test_the_axes_of_the_file_make_no_difference_to_the_patient():
    ras = _subject()
    flipped = tio.Subject(
        ct=tio.ToOrientation("LPS")(ras.ct), organs=tio.ToOrientation("LPS")(ras.organs)
    )
    found = []
    for subject in (ras, flipped):
        torch.manual_seed(2)
        found.append(tio.ToOrientation("RAS")(RandomTumor(SYNTH)(subject)))
    assert _same(*found)


def test_the_subject_that_was_given_stays_as_it_was():
    subject = _subject()
    before = _subject()
    RandomTumor(SYNTH)(subject)
    assert _same(subject, before)
    assert subject.history == []


@every_method
def test_a_history_makes_the_same_tumours(synth):
    subject = _subject(AXES["LPS"])
    chain = tio.Compose([tio.RandomFlip(axes=(0, 1)), RandomTumor(synth), tio.RandomNoise()])
    out = chain(subject)
    assert [type(step).__name__ for step in out.history][-2:] == ["Tumor", "Noise"]
    torch.manual_seed(99)
    assert _same(out.get_composed_history()(subject), out)
    assert _same(pickle.loads(pickle.dumps(out)).get_composed_history()(subject), out)


def test_the_recipe_in_a_history_is_plain_data():
    out = RandomTumor(SYNTH)(_subject())
    name, arguments = out.applied_transforms[-1]
    assert name == "Tumor"
    recipe = json.loads(json.dumps(arguments["recipe"]))
    assert _same(Tumor(recipe, "ct", "organs")(_subject()), out)
    assert len(recipe["lesions"]) == 3


def test_torchs_seed_decides_and_numpys_does_not():
    found = []
    for torchs, numpys in ((0, 0), (0, 1), (1, 0)):
        torch.manual_seed(torchs)
        np.random.seed(numpys)  # noqa: NPY002
        found.append(RandomTumor(SYNTH)(_subject()))
    assert _same(found[0], found[1])
    assert not _same(found[0], found[2])


def test_what_one_subject_holds_is_nothing_to_the_next():
    found = []
    for tumor in (False, True):
        torch.manual_seed(4)
        transform = RandomTumor(SYNTH)
        transform(_subject(tumor=tumor))
        found.append(transform(_subject()))
    assert _same(*found)


def test_scans_with_tumours_are_left_alone_unless_asked_for():
    subject = _subject(tumor=True)
    alone = RandomTumor(SYNTH)(subject)
    assert _same(alone, subject)
    assert alone.history == []
    changed = RandomTumor(SYNTH, existing=True)(subject)
    assert (changed.organs.data == 2).sum() > (subject.organs.data == 2).sum()


def test_probability_is_torchios():
    assert RandomTumor(SYNTH, p=0)(_subject()).history == []


def test_integers_stay_integers():
    out = RandomTumor(SYNTH)(_subject(dtype=np.int16))
    assert out.ct.data.dtype == torch.int16
    assert (out.organs.data == 2).any()


def test_lesions_may_bulge_out():
    subject = _subject()
    # Fat around the organ, where the label is 0.
    subject.ct.data[0][subject.organs.data[0] == 0] = -100
    bulging = of.Handcrafted(size="medium", count=2, place="anywhere")
    torch.manual_seed(0)
    out = RandomTumor(bulging, exophytic=True)(subject)
    tumor = out.organs.data == 2
    outside = tumor & (subject.organs.data == 0)
    assert outside.any()
    assert not (tumor & (subject.organs.data == 3)).any()
    assert _same(out.get_composed_history()(subject), out)


def _two_images() -> tio.Subject:
    subject = _subject()
    subject.add_image(tio.ScalarImage(tensor=torch.zeros(1, *SHAPE)), "pet")
    return subject


def test_an_image_is_chosen_by_name_or_by_torchios_include():
    for choice in ({"image": "ct"}, {"include": ["ct", "organs"]}, {"exclude": ["pet"]}):
        out = RandomTumor(SYNTH, **choice)(_two_images())
        assert (out.organs.data == 2).any()
        assert not out.pet.data.any()
        assert _same(out.get_composed_history()(_two_images()), out)


def _apart() -> tio.Subject:
    subject = _subject()
    subject["organs"] = tio.LabelMap(tensor=subject.organs.data, affine=AXES["LPS"])
    return subject


def _coloured() -> tio.Subject:
    subject = _subject()
    subject.ct.set_data(torch.zeros(3, *SHAPE))
    return subject


def _scaled() -> tio.Subject:
    subject = _subject()
    subject.ct.set_data(subject.ct.data.clamp(0, 200) / 200)
    return subject


@pytest.mark.parametrize(
    ("subject", "options", "said"),
    [
        (_two_images, {}, "2 images of the kind image: ct, pet; name the one"),
        (_subject, {"image": "cd"}, "did you mean 'ct'"),
        (_subject, {"label": "ct"}, "no label map in the subject 'ct'"),
        (_apart, {}, "organs does not lie on the grid of ct"),
        (_coloured, {}, "ct has 3 channels"),
        (_scaled, {}, "are not HU"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_cannot_be_used_is_told_in_a_sentence(subject, options, said):
    with pytest.raises(of.OncoforgeError, match=said):
        RandomTumor(SYNTH, **options)(subject())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"synthesizer": "handcrafted"}, "synthesizer is one such as"),
        ({"synthesizer": SYNTH, "tumor_label": 1}, "are both 1"),
    ],
)
def test_parameters_that_make_no_sense_are_told_at_once(options, said):
    with pytest.raises(of.OncoforgeError, match=said):
        RandomTumor(**options)


def test_a_recipe_needs_its_images():
    with pytest.raises(of.OncoforgeError, match="not a recipe"):
        Tumor({"lesions": 3}, "ct", "organs")
    recipe = RandomTumor(SYNTH)(_subject()).applied_transforms[-1][1]["recipe"]
    with pytest.raises(of.OncoforgeError, match="did you mean 'organs'"):
        Tumor(recipe, "ct", "organ")(_subject())


def test_without_torchio_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchio", None)
    monkeypatch.delitem(sys.modules, "oncoforge.adapters.torchio")
    with pytest.raises(ImportError, match=r"pip install 'oncoforge\[torchio\]'"):
        import_module("oncoforge.adapters.torchio")
