"""Leakage: by id, by name, by file and by content; and no false alarm."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

import oncoforge as of
from oncoforge.datasets.leakage import SHOWN, LeakError, check_leaks, find_leaks
from oncoforge.errors import InputError
from oncoforge.lists import CaseList, Entry, with_external


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Two patients, and copies of the first by every way that hides it."""
    folder = tmp_path_factory.mktemp("scans")
    phantom, stranger = (of.make_phantom(seed=s, spacing_mm=(6, 6, 6)) for s in (0, 1))
    image = np.rint(phantom.image).astype(np.int16)

    def save(name, array, affine=phantom.affine):
        nib.save(nib.Nifti1Image(array, affine), folder / f"{name}.nii.gz")

    save("first", image)
    save("float", image.astype(np.float32))
    save("lost", image[::-1], np.eye(4))
    noise = np.random.default_rng(0).normal(0, 15, image.shape)
    save("noisy", (image + noise)[:, :, 4:].astype(np.int16))
    save("stranger", np.rint(stranger.image).astype(np.int16))
    (folder / "copy.nii.gz").write_bytes((folder / "first.nii.gz").read_bytes())
    (folder / "broken.nii.gz").write_bytes((folder / "first.nii.gz").read_bytes()[:5000])
    save("labels", phantom.labels)
    save("labels-again", phantom.labels.astype(np.uint16))
    return folder


def reasons(training, validation, **options):
    cases = CaseList(training=tuple(training), validation=tuple(validation))
    return [leak.reasons for leak in find_leaks(cases, **options)]


def test_one_patient_of_several_cases_is_found():
    training = [Entry("a1", patient="a"), Entry("a2", patient="a"), Entry("b1", patient="b")]
    found = reasons(training, [Entry("a3", patient="a"), Entry("c1", patient="c")])
    assert found == [("same patient a",)] * 2


def test_a_clean_list_has_no_leaks():
    assert reasons([Entry("a"), Entry("b")], [Entry("c"), Entry("d")]) == []


def test_one_scan_under_the_names_of_two_datasets_is_found():
    assert reasons([Entry("volume-12")], [Entry("liver_12")]) == [
        ("one patient by name (lits:12)",)
    ]
    assert reasons([Entry("volume-12")], [Entry("liver_13")]) == []


def test_covid_lists_overlap_by_name(tmp_path):
    challenge = Entry("c", image=tmp_path / "volume-covid19-A-0031_ct.nii.gz")
    archive = Entry("t", image=tmp_path / "volume-covid19-A-0031_day003.nii.gz")
    [found] = reasons([challenge], [archive])
    assert "covid19-a:0031" in found[0]


def test_the_same_file_is_found_under_two_names(scans, tmp_path):
    link = tmp_path / "link.nii.gz"
    link.symlink_to(scans / "first.nii.gz")
    assert reasons([Entry("a", scans / "first.nii.gz")], [Entry("b", link)]) == [
        ("the same image file",)
    ]
    assert reasons([Entry("a", label=link)], [Entry("b", label=link)]) == [("the same label file",)]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("copy", "images with the same bytes"),
        ("float", "images with the same voxels"),
        ("lost", "images with the same voxels in another order"),
        ("noisy", "images that look the same"),
    ],
)
def test_content_finds_what_names_do_not(scans, name, reason):
    training = [Entry("a", scans / "first.nii.gz"), Entry("s", scans / "stranger.nii.gz")]
    validation = [Entry("b", scans / f"{name}.nii.gz")]
    # Copies are found at once; all else needs the files to be opened.
    assert len(reasons(training, validation)) == (name == "copy")
    [found] = reasons(training, validation, content=True, workers=1)
    assert len(found) == 1
    assert found[0].replace("image files", "images").startswith(reason)


def test_label_maps_alone_are_compared_too(scans):
    training, test = (Entry(n, label=scans / f"{n}.nii.gz") for n in ("labels", "labels-again"))
    found = find_leaks(CaseList(training=(training,), test=(test,)), content=True, workers=1)
    assert [leak.reasons for leak in found] == [("label maps with the same voxels",)]


def test_unreadable_files_do_not_end_the_search(scans):
    training = [Entry("x", scans / "broken.nii.gz"), Entry("a", scans / "first.nii.gz")]
    validation = [Entry("gone", scans / "gone.nii.gz"), Entry("b", scans / "copy.nii.gz")]
    assert len(reasons(training, validation, content=True, workers=1)) == 1


def test_workers_change_nothing(scans):
    names = ("first", "copy", "lost", "stranger", "broken")
    entries = [Entry(name, scans / f"{name}.nii.gz") for name in names]
    assert reasons(entries[:1], entries[1:], content=True, workers=1) == reasons(
        entries[:1], entries[1:], content=True, workers=2
    )


def test_folds_of_one_part_must_not_share_patients():
    cases = CaseList(training=(Entry("a1", patient="a", fold=0), Entry("a2", patient="a", fold=1)))
    [leak] = find_leaks(cases)
    assert "training fold 0 a1 and training fold 1 a2" in str(leak)
    chosen = CaseList(training=cases.training, validation=(Entry("b", fold=2),))
    assert find_leaks(chosen) == []


def test_another_list_is_another_part():
    cases = CaseList(training=(Entry("volume-3"),), name="mine")
    other = CaseList(training=(Entry("liver_3"),), test=(Entry("liver_4"),), name="other")
    [leak] = find_leaks(cases, against=[other])
    assert leak.second.part == "other"


def test_bare_numbers_of_two_lists_are_not_one_patient():
    ours, theirs = (CaseList(training=(Entry("1"), Entry("2")), name=n) for n in ("a", "b"))
    assert find_leaks(ours, against=[theirs]) == []
    numbered = CaseList(training=(Entry("1"),), test=(Entry("1"),))
    assert len(find_leaks(numbered)) == 1


def test_error_lists_a_dozen_pairs_and_counts_the_rest():
    entries = tuple(Entry(f"case{k}") for k in range(20))
    with pytest.raises(LeakError) as caught:
        check_leaks(CaseList(training=entries, test=entries, name="mine"))
    sentence = str(caught.value)
    assert sentence.startswith("mine leaks: 20 pairs of cases")
    assert sentence.count(" and test case") == SHOWN
    assert f"and {20 - SHOWN} more" in sentence
    assert len(caught.value.leaks) == 20
    assert isinstance(caught.value, InputError)
    assert caught.value.leaks[0].as_json() == {
        "first": {"part": "training", "case": "case0"},
        "second": {"part": "test", "case": "case0"},
        "reasons": ["same patient case0"],
    }


def test_a_clean_list_passes():
    check_leaks(CaseList(training=(Entry("a"),), test=(Entry("b"),)))


def test_a_patient_of_thousands_of_cases_does_not_make_millions_of_pairs():
    training = tuple(Entry(f"a{k}", patient="unknown") for k in range(3000))
    test = tuple(Entry(f"b{k}", patient="unknown") for k in range(3000))
    assert len(find_leaks(CaseList(training=training, test=test))) == 5999


def test_numbered_cases_of_two_lists_are_not_one_patient_unless_the_lists_say_so():
    ours, theirs = (CaseList(training=(Entry("case_1"), Entry("scan 2")), name=n) for n in "ab")
    assert find_leaks(ours, against=[theirs]) == []
    assert find_leaks(with_external(ours, [theirs])) == []
    ours, theirs = (CaseList(training=(Entry(n, patient="case_1"),), name=n) for n in "ab")
    assert len(find_leaks(ours, against=[theirs])) == 1
    assert len(find_leaks(with_external(ours, [theirs]))) == 1
