"""Label values of an nnU-Net export are looked at before anything is written."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from oncoforge.errors import InputError
from oncoforge.lists import CaseList, Entry, write_list
from oncoforge.lists.values import values_in


def cases_of(folder, *values, labels=None):
    entries = []
    for number, value in enumerate(values):
        array = np.zeros((4, 4, 4), np.int16)
        array[1, 2, 3] = value
        for kind in ("ct", "seg"):
            (folder / kind).mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(array, np.eye(4)), folder / kind / f"c{number}.nii.gz")
        entries.append(
            Entry(f"c{number}", *(folder / k / f"c{number}.nii.gz" for k in ("ct", "seg")))
        )
    return CaseList(tuple(entries), name="T", labels=labels or {0: "background", 1: "liver"})


@pytest.mark.parametrize("workers", [1, 2])
def test_values_that_are_not_declared_are_named_with_their_case(tmp_path, workers):
    cases = cases_of(tmp_path, 1, 300, 3)
    seen = []
    with pytest.raises(
        InputError, match=r"Case c1 has the value 300 in .* declares 0, 1: "
    ) as said:
        write_list(cases, tmp_path / "nn", "nnunet", workers=workers,
                   progress=lambda done, _: seen.append(done))  # fmt: skip
    assert "1 more of the 3 label maps" in str(said.value)
    assert seen == [1, 2, 3]
    assert {path.name for path in tmp_path.iterdir()} == {"ct", "seg"}


def test_declared_values_pass_and_looking_can_be_skipped(tmp_path):
    write_list(cases_of(tmp_path, 1, 0), tmp_path / "good", "nnunet", workers=1)
    write_list(cases_of(tmp_path, 2), tmp_path / "unseen", "nnunet", verify=False)
    assert (tmp_path / "good/dataset.json").exists()
    assert (tmp_path / "unseen/dataset.json").exists()


def test_a_label_map_that_cannot_be_read_is_named(tmp_path):
    cases = cases_of(tmp_path, 1)
    cases.training[0].label.write_bytes(b"no image")
    with pytest.raises(InputError, match=r"c0\.nii\.gz is not a NIfTI file"):
        write_list(cases, tmp_path / "nn", "nnunet", workers=1)


def test_regions_declare_all_of_their_values():
    assert values_in({"background": 0, "whole": [1, 2], "tumor": 2}) == {0, 1, 2}
