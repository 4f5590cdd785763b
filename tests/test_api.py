"""What `import oncoforge` promises."""

from __future__ import annotations

import doctest
import importlib
import json
import subprocess
import sys

import numpy as np
import pytest

import oncoforge as of

HEAVY = (
    "PIL",
    "matplotlib",
    "monai",
    "nibabel",
    "numba",
    "numpy",
    "pydicom",
    "scipy",
    "SimpleITK",
    "torch",
)


@pytest.fixture(scope="module")
def case() -> of.Case:
    return of.make_phantom(spacing_mm=(5, 5, 5)).case()


# MONAI itself imports modules that say they are deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", of.__all__)
def test_every_public_name_resolves(name):
    if name.startswith("SynthesizeTumor"):
        pytest.importorskip("monai")
    assert getattr(of, name) is not None
    assert name in dir(of)


def test_public_names_are_listed_once_and_in_order():
    assert of.__all__ == sorted(set(of.__all__))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        of.nothing  # noqa: B018


def test_import_brings_in_nothing_heavy():
    code = f"import sys, oncoforge; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    "name",
    [
        "oncoforge",
        "oncoforge.case",
        "oncoforge.synthesis.cellular",
        "oncoforge.synthesis.handcrafted",
        "oncoforge.anatomy.organs",
        "oncoforge.anatomy.conventions",
    ],
)
def test_examples_in_docstrings_are_true(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


def test_case_is_read_as_the_house_promises(case, tmp_path):
    of.write_image(tmp_path / "ct.nii.gz", case.image, case)
    of.write_labels(tmp_path / "labels.nii.gz", case.labels, case)
    read = of.read_case(tmp_path / "ct.nii.gz", tmp_path / "labels.nii.gz", convention="oncoforge")
    assert (read.image.dtype, read.labels.dtype) == (np.float32, np.uint8)
    assert read.image.shape == read.labels.shape == case.image.shape
    assert len(read.spacing) == 3
    np.testing.assert_allclose(read.spacing, 5, rtol=1e-6)
    organ = read.organ("liver")
    assert (organ.dtype, organ.shape) == (np.bool_, case.image.shape)
    np.testing.assert_array_equal(organ, case.labels == 1)


@pytest.mark.parametrize("kind", ["Handcrafted", "Cellular"])
def test_synthesizer_is_called_as_the_house_promises(case, kind):
    organ = case.organ("liver")
    synth = getattr(of, kind)(size="small")
    image = case.image.copy()
    out = synth(image, organ, case.spacing, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(image, case.image)
    assert (out.image.dtype, out.tumor.dtype) == (np.float32, np.bool_)
    assert isinstance(out, of.Synthesis)
    assert isinstance(out.recipe, of.Recipe)
    assert out.tumor.any()
    assert not (out.tumor & ~organ).any()
    np.testing.assert_array_equal(out.image[~organ], image[~organ])
    for lesion in out.lesions:
        assert isinstance(lesion, of.Lesion)
        assert (len(lesion.centre_mm), lesion.kind) == (3, "small")
        for value in (lesion.diameter_mm, lesion.volume_mm3, lesion.mean_hu, lesion.contrast_hu):
            assert np.isfinite(value)
    in_place = synth(image, organ, case.spacing, rng=np.random.default_rng(0), out=image)
    assert in_place.image is image
    np.testing.assert_array_equal(image, out.image)


@pytest.mark.parametrize("kind", ["Handcrafted", "Cellular"])
def test_drawing_and_applying_is_calling(case, kind):
    organ = case.organ("liver")
    synth = getattr(of, kind)(size="small")
    called = synth(case.image, organ, case.spacing, rng=np.random.default_rng(4))
    recipe = synth.draw(case.image, organ, case.spacing, np.random.default_rng(4))
    plain = json.loads(json.dumps(recipe.to_dict()))
    for way in (recipe, plain):
        applied = synth.apply(case.image, organ, case.spacing, way)
        np.testing.assert_array_equal(applied.image, called.image)
        np.testing.assert_array_equal(applied.tumor, called.tumor)
        assert applied.lesions == called.lesions
    assert recipe.method == kind.lower()
    assert recipe.version == of.__version__
    assert recipe.parameters["size"] == "small"


def test_synthesize_takes_a_case_and_gives_a_case(case):
    out = of.synthesize(case, organ="liver", method="handcrafted", size="mix", seed=0)
    assert isinstance(out, of.Case)
    assert out.tumor("liver").any()
    assert out.spacing == case.spacing
    assert out.source is case.source


def test_grown_tumours_are_asked_for_by_the_name_of_their_method(case):
    out = of.synthesize(case, organ="liver", method="cellular", seed=0, diameter_mm=20.0)
    assert out.tumor("liver").any()
    assert all(lesion.growth is not None for lesion in out.synthesis.lesions)


def test_every_error_of_the_library_is_one_kind(case, tmp_path):
    for mistake in (
        lambda: of.read_case(tmp_path / "none.nii.gz", tmp_path / "none.nii.gz"),
        lambda: of.Handcrafted(size="hug"),
        lambda: of.Handcrafted(sise="small"),
        lambda: of.Cellular(steps=-1),
        lambda: of.Cellular(device="quantum"),
        lambda: of.synthesize(case, organ="livr"),
        lambda: of.synthesize(case, method="magic"),
        lambda: of.write_image(tmp_path / "none" / "ct.nii.gz", case.image, case),
        lambda: of.make_phantom(phase="night"),
        lambda: of.replay(case, "liver", {}),
    ):
        with pytest.raises(of.OncoforgeError):
            mistake()
