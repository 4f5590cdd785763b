"""Axes that are a guess, or not at right angles, are said to be so."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from oncoforge.analysis.geometry import doubts
from oncoforge.analysis.survey import survey
from oncoforge.datasets.examine_image import geometry_findings
from oncoforge.formats.open import open_labels

SPACING = np.diag([2.0, 2.0, 3.0, 1.0])


def save(path, affine=SPACING, coded=True, kind=nib.Nifti1Image):
    labels = np.zeros((20, 20, 12), np.uint8)
    labels[2:18, 2:18, 1:11] = 1
    labels[8:12, 8:12, 4:7] = 2
    image = kind(labels, affine)
    image.set_qform(affine if coded and abs(affine[0, 1]) < 1e-3 else None, int(coded))
    image.set_sform(affine if coded else None, int(coded))
    nib.save(image, path)
    return path


def rotated(degrees):
    turn = np.radians(degrees)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    return matrix @ SPACING


def sheared():
    affine = SPACING.copy()
    affine[1, 2] = 3 * np.tan(np.radians(10))
    return affine


def kinds(path):
    return [kind for kind, _ in doubts(open_labels(path).source)]


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_doubts(tmp_path, kind):
    assert kinds(save(tmp_path / "a.nii", kind=kind)) == []
    assert kinds(save(tmp_path / "b.nii", rotated(25), kind=kind)) == []
    assert kinds(save(tmp_path / "c.nii", coded=False, kind=kind)) == ["lost-geometry"]
    assert kinds(save(tmp_path / "d.nii", sheared(), kind=kind)) == ["sheared"]


def test_check_and_analysis_say_so(tmp_path):
    paths = [save(tmp_path / "c.nii", coded=False), save(tmp_path / "d.nii", sheared())]
    for path, word in zip(paths, ("neither qform nor sform", "10 degrees off"), strict=True):
        [(_, sentence)] = geometry_findings(open_labels(path))
        assert word in sentence
        assert str(path) in sentence
    found = survey([save(tmp_path / "a.nii"), *paths], "lits", workers=1)
    assert len(found.lesions) == 3
    assert [sentence.split()[0] for sentence in found.remarks] == [str(path) for path in paths]
