"""Text lists: DiffTumor's pairs of files, one id per line, and what is written of them."""

from __future__ import annotations

import pytest

from oncoforge.errors import InputError
from oncoforge.lists import CaseList, Entry, read_list, write_list


def test_a_pair_beside_each_other_is_one_list(save, tmp_path):
    for fold in (0, 1):
        save(f"img/a{fold}.nii.gz label/a{fold}.nii.gz\n", f"real_tumor_train_{fold}.txt")
        save(f"img/b{fold}.nii.gz  label/b{fold}.nii.gz\n\n", f"real_tumor_val_{fold}.txt")
    for path in ("real_tumor_train_1.txt", "real_tumor_val_1.txt"):
        cases = read_list(tmp_path / path, root="/data")
        assert [entry.case for entry in cases.training] == ["a1"]
        assert [str(entry.label) for entry in cases.validation] == ["/data/label/b1.nii.gz"]
    assert [e.case for e in read_list(tmp_path, fold=0)] == ["a0", "b0"]
    with pytest.raises(InputError, match="folds 0, 1; choose one"):
        read_list(tmp_path)


def test_one_file_can_be_read_alone(save, tmp_path):
    save("a.nii b.nii\n", "real_tumor_train_0.txt")
    path = save("c.nii d.nii\n", "real_tumor_val_0.txt")
    cases = read_list(path, split="test")
    assert [entry.case for entry in cases.test] == ["d"]
    assert len(cases) == 1
    other = read_list(save("x.nii\ny.nii\n", "constraint.txt"))  # no "train" as a word of its own
    assert [entry.case for entry in other.training] == ["x", "y"]


def test_one_id_per_line(save, touch, tmp_path):
    touch("BDMAP_1/ct.nii.gz", "BDMAP_2.nii.gz")
    cases = read_list(save("BDMAP_1\nBDMAP_2\nBDMAP_3\n", "ids.txt"))
    assert [entry.image for entry in cases] == [
        tmp_path / "BDMAP_1" / "ct.nii.gz",
        tmp_path / "BDMAP_2.nii.gz",
        tmp_path / "BDMAP_3",
    ]
    assert all(entry.label is None for entry in cases)


def test_what_is_written_is_read_back(tmp_path):
    def entry(name: str) -> Entry:
        return Entry(name, tmp_path / "i" / f"{name}.nii", tmp_path / "l" / f"{name}.nii")

    cases = CaseList((entry("a"), entry("b")), (entry("c"),), (Entry("d", tmp_path / "d.nii"),))
    write_list(cases, tmp_path / "folds", "text", fold=3)
    assert list(read_list(tmp_path / "folds" / "real_tumor_train_3.txt")) == list(cases)
    write_list(CaseList(cases.training), tmp_path / "one.txt", "text")
    assert (tmp_path / "one.txt").read_text() == "i/a.nii l/a.nii\ni/b.nii l/b.nii\n"
    with pytest.raises(InputError, match="training and validation and test"):
        write_list(cases, tmp_path / "all.txt", "text")


def test_white_space_and_labels_alone_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match="white space"):
        write_list(CaseList((Entry("a", tmp_path / "a b.nii"),)), tmp_path / "x.txt", "text")
    with pytest.raises(InputError, match="has no image"):
        write_list(CaseList((Entry("a", label=tmp_path / "a"),)), tmp_path / "x.txt", "text")
    assert list(tmp_path.iterdir()) == []


def test_a_line_of_three_words_is_named(save):
    with pytest.raises(InputError, match="line 3, should be an image and a label"):
        read_list(save("# list\na b\nc d e\n", "list.txt"))
