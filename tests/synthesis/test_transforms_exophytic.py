"""The MONAI transforms with lesions that bulge out."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
# MONAI and PyTorch warn of their own deprecated parts as they are imported and used.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

from monai.data import MetaTensor  # noqa: E402

from oncoforge import Handcrafted, SynthesizeTumord, SynthesizeTumorPatchd  # noqa: E402
from oncoforge.synthesis.cases import make_synthesizer  # noqa: E402

KEYS = ("image", "label")
SYNTH = Handcrafted(diameter_mm=30.0, count=1)
AFFINES = {
    "ras": np.diag([2.0, 2.0, 2.0, 1.0]),
    "lps": np.diag([-2.0, -2.0, 2.0, 1.0]),
    "isotropic": np.array([[0, 2.0, 0, 0], [0, 0, -2.0, 5], [2.0, 0, 0, 9], [0, 0, 0, 1]]),
}


def _item(affine=AFFINES["ras"], dtype=torch.float32):
    """An organ of 40 mm (1) in fat, beside another one (3) and bone without a label."""
    x, y, z = np.ogrid[:50, :50, :50]
    organ = (x - 25) ** 2 + (y - 25) ** 2 + (z - 25) ** 2 < 100
    rng = np.random.default_rng(0)
    image = np.where(organ, 100.0, -100.0) + rng.normal(0, 10, organ.shape)
    label = organ.astype(np.float32)
    label[36:, :, :] = 3
    image[36:] = 60
    image[:13] = 700
    return {
        "image": MetaTensor(torch.tensor(image).to(dtype)[None], affine=affine),
        "label": MetaTensor(torch.tensor(label)[None], affine=affine),
    }


def _arrays(item):
    return (np.asarray(item[key])[0] for key in KEYS)


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.int16], ids=["float32", "int16"])
def test_lesions_bulge_into_what_has_no_label_and_is_fat(affine, dtype):
    item = _item(affine, dtype)
    image, label = _arrays(item)
    left = 0
    for seed in range(4):
        act = SynthesizeTumord(KEYS, SYNTH, exophytic=True).set_random_state(seed)
        new, marked = _arrays(act(item))
        touched = (new != image) | (marked != label)
        assert not (touched & (label == 3)).any()
        assert not (touched & (image > 300)).any()
        assert touched.any()
        left += int(((marked == 2) & (label == 0)).sum())
    assert left > 50


def test_they_stay_inside_without_being_told():
    item = _item()
    image, label = _arrays(item)
    new, marked = _arrays(SynthesizeTumord(KEYS, SYNTH).set_random_state(1)(item))
    assert ((new != image) <= (label == 1)).all()
    assert ((marked == 2) <= (label == 1)).all()


def test_draws_are_repeated():
    item = _item()
    results = [
        np.asarray(SynthesizeTumord(KEYS, SYNTH, seed=4, exophytic=True)(item)["image"]).tobytes()
        for _ in range(2)
    ]
    assert results[0] == results[1]


def test_patches_bulge_too():
    item = _item()
    act = SynthesizeTumorPatchd(
        KEYS, SYNTH, spatial_size=(32, 32, 32), neg=0.0, exophytic=True
    ).set_random_state(2)
    new, marked = _arrays(act(item))
    assert new.shape == (32, 32, 32)
    assert (marked == 2).any()


def test_priors_draw_in_transforms(organ_prior):
    synth = make_synthesizer("handcrafted", "kidney", prior=organ_prior)
    _, marked = _arrays(SynthesizeTumord(KEYS, synth, exophytic=True).set_random_state(0)(_item()))
    assert (marked == 2).any()
