"""What make_phantom promises: reproducible, in millimetres, the right way round, honest labels."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from oncoforge.anatomy import LABELS
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.phantom import PHASES, Phantom, make_phantom
from oncoforge.phantom.contrast import STRUCTURE_IDS, STRUCTURES, structure_hu

SMALL = (48, 40, 24)


def digest(phantom: Phantom) -> str:
    parts = (phantom.image, phantom.labels, phantom.structures)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def volume_ml(phantom: Phantom, name: str) -> float:
    voxel = float(np.prod(phantom.spacing)) / 1000.0
    return float((phantom.labels == LABELS[name]).sum()) * voxel


def centre_mm(phantom: Phantom, mask: np.ndarray) -> np.ndarray:
    index = np.array(ndimage.center_of_mass(mask))
    return phantom.affine[:3, :3] @ index + phantom.affine[:3, 3]


def test_types_shapes_and_affine_are_as_promised(coarse) -> None:
    phantom = coarse()
    assert phantom.image.dtype == np.float32
    assert phantom.labels.dtype == phantom.structures.dtype == np.uint8
    assert phantom.image.shape == phantom.labels.shape == phantom.structures.shape
    assert np.allclose(np.array(phantom.image.shape) * 3.0, (380, 300, 300), atol=3.0)
    assert np.allclose(np.diag(phantom.affine)[:3], phantom.spacing)
    middle = phantom.affine @ [*((np.array(phantom.image.shape) - 1) / 2), 1.0]
    assert np.allclose(middle[:3], 0.0)
    assert phantom.image.min() >= -1024.0
    assert np.isfinite(phantom.image).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_structure_is_present(coarse, seed: int) -> None:
    present = set(np.unique(coarse(seed).structures).tolist())
    # The thinnest may fall between the voxels of a coarse grid.
    missing = {name for name, number in STRUCTURE_IDS.items() if number not in present}
    assert missing <= {"gallbladder_wall"}
    assert set(coarse(seed).structure_names.values()) == set(STRUCTURES)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_are_those_of_the_table(coarse, seed: int) -> None:
    phantom = coarse(seed)
    assert set(np.unique(phantom.labels).tolist()) <= {0, *LABELS.values()}
    for name, label in (("spleen", "spleen"), ("pancreas", "pancreas"), ("liver", "liver"),
                        ("hepatic_vein", "liver"), ("kidney_medulla", "kidney")):  # fmt: skip
        inside = phantom.labels[phantom.structures == STRUCTURE_IDS[name]]
        assert (inside == LABELS[label]).all(), name
    for name in ("air", "table"):
        assert not phantom.labels[phantom.structures == STRUCTURE_IDS[name]].any()


@pytest.mark.parametrize("seed", range(6))
def test_organ_volumes_are_physiologic(coarse, seed: int) -> None:
    phantom = coarse(seed)
    ranges_ml = {
        "liver": (900, 2200), "spleen": (100, 450), "pancreas": (35, 140), "gallbladder": (6, 70),
        "stomach": (120, 900), "colon": (200, 1000), "small_bowel": (400, 1500),
        "adrenal_gland": (2, 14), "aorta": (40, 180), "inferior_vena_cava": (40, 200),
        "lung": (800, 4000), "heart": (150, 800), "duodenum": (30, 140),
    }  # fmt: skip
    for name, (low, high) in ranges_ml.items():
        assert low < volume_ml(phantom, name) < high, name
    kidneys = phantom.labels == LABELS["kidney"]
    half = phantom.labels.shape[0] // 2
    for side in (kidneys[:half], kidneys[half:]):
        assert 80 < side.sum() * 0.027 < 260


@pytest.mark.parametrize("seed", [0, 3, 7])
def test_organs_lie_on_their_sides(coarse, seed: int) -> None:
    phantom = coarse(seed)
    at = {name: centre_mm(phantom, phantom.labels == LABELS[name])
          for name in ("liver", "spleen", "stomach", "pancreas", "vertebra", "aorta", "heart",
                       "gallbladder", "inferior_vena_cava", "pelvis", "lung", "colon")}  # fmt: skip
    right, front, up = 0, 1, 2
    assert at["liver"][right] > 25 > -25 > at["spleen"][right]
    assert at["gallbladder"][right] > 15
    assert at["stomach"][right] < -10
    assert at["aorta"][right] < at["inferior_vena_cava"][right]
    assert at["vertebra"][front] < -30
    assert at["vertebra"][front] < at["aorta"][front] < at["pancreas"][front]
    assert at["spleen"][front] < at["stomach"][front]
    assert at["lung"][up] > at["liver"][up] > at["colon"][up] > at["pelvis"][up]
    assert at["heart"][up] > at["stomach"][up]


@pytest.mark.parametrize("seed", [0, 1])
def test_organs_are_in_one_piece(coarse, seed: int) -> None:
    labels = coarse(seed).labels
    for name in ("liver", "spleen", "heart", "aorta", "inferior_vena_cava", "pancreas", "stomach"):
        parts, count = ndimage.label(labels == LABELS[name], np.ones((3, 3, 3)))
        largest = np.bincount(parts.ravel())[1:].max()
        assert largest > 0.93 * (parts > 0).sum(), (name, count)


@pytest.mark.parametrize("phase", PHASES)
def test_median_hu_follows_the_contrast_table(coarse, phase: str) -> None:
    phantom = coarse(0, phase)
    for name in ("liver", "spleen", "kidney_cortex", "aorta", "muscle", "subcutaneous_fat",
                 "lung", "heart_blood", "air", "gallbladder"):  # fmt: skip
        inside = phantom.structures == STRUCTURE_IDS[name]
        core = ndimage.binary_erosion(inside) if inside.sum() > 4000 else inside
        wanted = structure_hu(name, phase)
        tolerance = 14.0 if name in ("kidney_cortex", "gallbladder") else 7.0
        assert abs(np.median(phantom.image[core]) - wanted) < tolerance, name


def test_phases_differ_as_contrast_does(coarse) -> None:
    def hu(phase: str, name: str) -> float:
        phantom = coarse(0, phase)
        return float(np.median(phantom.image[phantom.structures == STRUCTURE_IDS[name]]))

    plain, arterial, portal, delayed = PHASES
    assert hu(arterial, "aorta") > hu(portal, "aorta") > hu(delayed, "aorta") > hu(plain, "aorta")
    assert hu(portal, "liver") > hu(delayed, "liver") > hu(arterial, "liver") > hu(plain, "liver")
    assert hu(arterial, "kidney_cortex") - hu(arterial, "kidney_medulla") > 50
    assert hu(portal, "kidney_cortex") - hu(portal, "kidney_medulla") < 50
    assert hu(delayed, "renal_pelvis") > hu(portal, "renal_pelvis") + 100
    assert abs(hu(plain, "subcutaneous_fat") - hu(portal, "subcutaneous_fat")) < 2


def test_phase_changes_the_image_and_not_the_patient(coarse) -> None:
    plain, portal = coarse(0, "non-contrast"), coarse(0, "portal")
    assert np.array_equal(plain.structures, portal.structures)
    assert np.array_equal(plain.labels, portal.labels)
    assert not np.array_equal(plain.image, portal.image)


def test_same_seed_gives_same_bytes_in_another_process() -> None:
    spacing, shape = (4.0, 4.0, 6.0), SMALL
    here = digest(make_phantom(5, spacing, shape))
    assert here == digest(make_phantom(5, spacing, shape))
    code = (
        "import hashlib; from oncoforge.phantom import make_phantom;"
        f"p = make_phantom(5, {spacing}, {shape});"
        "print(hashlib.sha256(p.image.tobytes() + p.labels.tobytes()"
        " + p.structures.tobytes()).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert there.stdout.strip() == here


def test_different_seeds_are_different_patients(coarse) -> None:
    assert (coarse(0).labels != coarse(1).labels).mean() > 0.03


def test_a_patient_is_the_same_at_any_spacing(coarse) -> None:
    fine = make_phantom(1, (1.5, 1.5, 1.5), noise_hu=0.0)
    rough = coarse(1)
    for name, tolerance in (("liver", 0.03), ("spleen", 0.04), ("kidney", 0.05), ("lung", 0.03),
                            ("muscle", 0.04), ("fat", 0.04), ("colon", 0.05), ("stomach", 0.04),
                            ("vertebra", 0.05), ("aorta", 0.06), ("pancreas", 0.10)):  # fmt: skip
        assert volume_ml(rough, name) == pytest.approx(volume_ml(fine, name), rel=tolerance), name


def test_slabs_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make_phantom(2, (5.0, 5.0, 5.0), (60, 50, 40))
    monkeypatch.setattr("oncoforge.phantom.generate._SLAB_VOXELS", 60 * 50 * 7)
    assert digest(make_phantom(2, (5.0, 5.0, 5.0), (60, 50, 40))) == digest(whole)


def test_a_small_shape_is_a_crop_and_a_large_one_has_air_around() -> None:
    spacing = (4.0, 4.0, 4.0)
    small = make_phantom(0, spacing, (40, 30, 20), noise_hu=0.0)
    large = make_phantom(0, spacing, (120, 90, 120), noise_hu=0.0)
    assert np.array_equal(large.labels[40:80, 30:60, 50:70], small.labels)
    for axis in range(3):
        ends = np.take(large.labels, [0, -1], axis=axis)
        assert not ends.any()
    assert np.allclose(large.image[0, -1], -1000.0)


def test_thick_slices_average_over_their_thickness() -> None:
    thick = make_phantom(0, (3.0, 3.0, 6.0), (80, 70, 20), noise_hu=0.0)
    thin = make_phantom(0, (3.0, 3.0, 2.0), (80, 70, 60), noise_hu=0.0)
    mean = thin.image.reshape(80, 70, 20, 3).mean(axis=3)
    assert np.abs(thick.image - mean).mean() < 6.0
    assert (thick.labels == thin.labels[:, :, 1::3]).mean() > 0.999


def test_boundaries_are_blurred_and_labels_are_not(coarse) -> None:
    phantom = coarse(0, noise_hu=0.0)
    lung = phantom.structures == STRUCTURE_IDS["lung"]
    rim = lung & ~ndimage.binary_erosion(lung)
    between = (phantom.image[rim] > -750.0) & (phantom.image[rim] < -100.0)
    assert between.mean() > 0.15


def test_bone_stays_inside_the_skin(coarse) -> None:
    for seed in range(4):
        phantom = coarse(seed)
        body = ndimage.binary_fill_holes(phantom.labels > 0)
        depth = ndimage.distance_transform_edt(np.pad(body, ((1, 1), (1, 1), (0, 0)))) * 3.0
        bone = np.isin(phantom.labels, [LABELS[n] for n in ("vertebra", "rib", "pelvis")])
        inner = slice(4, -4)
        assert depth[1:-1, 1:-1][..., inner][bone[..., inner]].min() >= 3.0


def test_a_phantom_is_a_case(coarse) -> None:
    phantom = coarse()
    case = phantom.case()
    assert case.shape == phantom.image.shape
    assert case.organ("liver").sum() == (phantom.labels == LABELS["liver"]).sum()


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"spacing_mm": (1.5, 0.0, 1.5)}, InputError, "spacing_mm must be three positive numbers"),
        ({"spacing_mm": (1.5, -1.0, 1.5)}, InputError, "spacing_mm must be three"),
        ({"spacing_mm": (1.5, float("nan"), 1.5)}, InputError, "spacing_mm must be three"),
        ({"spacing_mm": 1.5}, InputError, "spacing_mm must be three"),
        ({"shape": (10, 10)}, InputError, "shape must be three"),
        ({"shape": (10, 10, 2.5)}, InputError, "whole numbers of voxels"),
        ({"shape": (0, 10, 10)}, InputError, "shape must be three"),
        ({"shape": (5000, 5000, 5000)}, InputError, "GB of memory"),
        ({"spacing_mm": (0.01, 0.01, 0.01)}, InputError, "GB of memory"),
        ({"phase": "portla"}, UnknownNameError, "did you mean 'portal'"),
        ({"noise_hu": -1.0}, InputError, "noise_hu must be zero or a positive"),
        ({"noise_hu": float("inf")}, InputError, "noise_hu must be zero or a positive"),
        ({"seed": -1}, InputError, "seed must be a non-negative"),
        ({"seed": 1.5}, InputError, "seed must be a non-negative"),
        ({"seed": "one"}, InputError, "seed must be a non-negative"),
        ({"noise_hu": "much"}, InputError, "noise_hu must be zero or a positive"),
    ],
)
def test_bad_parameters_are_refused_in_a_sentence(arguments, error, sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        make_phantom(**arguments)
