"""The worst cases: which they are, and that each is cut where it disagrees most."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from oncoforge.evaluation.run import evaluate
from oncoforge.evaluation.worst import worst_cases

SHAPE = (30, 28, 16)


@pytest.fixture
def found(tmp_path):
    """Seven cases, the later the worse, the last one missed; with images but for one."""
    for number in range(7):
        truth = np.zeros(SHAPE, np.uint8)
        truth[3:27, 3:25, 2:14] = 1
        truth[8:16, 8:16, 4:10] = 2
        own = np.where(truth == 2, 1, truth)
        if number < 6:
            own[8 + number : 16 + number, 8:16, 4:10] = 2
            own[20:22, 20:22, 11] = 2
        image = np.full(SHAPE, float(number), np.float32)
        for folder, array in (("truth", truth), ("net", own), ("images", image)):
            if folder == "images" and number == 6:
                continue
            (tmp_path / folder).mkdir(exist_ok=True)
            affine = np.diag([-1.0, -1, 2, 1])  # LPS
            nib.save(nib.Nifti1Image(array, affine), tmp_path / folder / f"c{number}.nii.gz")
    return evaluate(
        tmp_path / "net",
        tmp_path / "truth",
        images=tmp_path / "images",
        workers=1,
        draws=20,
    )


def test_the_worst_come_first_and_are_at_most_five(found):
    worst = worst_cases(found.scores, found.pairs, "liver", found.rules, 1)
    assert [one.title for one in worst] == ["c6", "c5", "c4", "c3", "c2"]
    assert worst[0].words == "missed, 768 mm³"
    assert worst[1].words.startswith("Dice ")
    assert [one.window is None for one in worst] == [True, False, False, False, False]


def test_the_slice_has_the_largest_disagreement_and_is_seen_as_on_a_screen(found):
    (_, second, *_) = worst_cases(found.scores, found.pairs, "liver", found.rules, 1)
    section = second.section
    truth, own = section.organ, section.instances > 0
    assert (truth ^ own).sum() == 2 * 5 * 8
    # In the file x runs to the left and y to the back: as the picture does, from its top left.
    assert truth[8:16, 8:16].all()
    assert own[8:16, 13:21].all()
    np.testing.assert_array_equal(section.after, 5)


def test_cases_whose_files_are_gone_are_left_out(found, tmp_path):
    (tmp_path / "net" / "c5.nii.gz").unlink()
    (tmp_path / "images" / "c4.nii.gz").write_bytes(b"broken")
    worst = worst_cases(found.scores, found.pairs, "liver", found.rules, 1)
    assert [one.title for one in worst] == ["c6", "c4", "c3", "c2"]
    assert worst[1].window is None
    found.write(tmp_path / "out")
    assert (tmp_path / "out" / "report.png").exists()


def test_where_masks_agree_the_slice_has_most_of_them(tmp_path):
    truth = np.zeros(SHAPE, np.uint8)
    truth[3:27, 3:25, 4:14] = 1
    truth[8:12, 8:12, 6:10] = 2
    truth[8:14, 8:14, 8] = 2
    for folder in ("truth", "net"):
        (tmp_path / folder).mkdir()
        nib.save(nib.Nifti1Image(truth, np.eye(4)), tmp_path / folder / "c0.nii.gz")
    found = evaluate(tmp_path / "net", tmp_path / "truth", workers=1, draws=20)
    (one,) = worst_cases(found.scores, found.pairs, "liver", found.rules, 1)
    assert one.section.organ.sum() == 36
    assert (one.section.instances > 0).sum() == 36
    assert one.words.startswith("Dice 100.0 %")
