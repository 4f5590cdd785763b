"""What is read is never written over, by whatever name it goes."""

from __future__ import annotations

import pytest

from oncoforge.errors import OutputError
from oncoforge.lists import read_list, write_list
from oncoforge.lists.inputs import inputs_of, keep_inputs


def test_a_file_is_known_by_any_of_its_names(tmp_path):
    (tmp_path / "real").mkdir()
    source = tmp_path / "real" / "a.nii"
    source.touch()
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "b.nii").symlink_to(source)
    for own in (source, tmp_path / "linked/a.nii", tmp_path / "real/../linked/a.nii"):
        for given in (source, tmp_path / "linked/a.nii", tmp_path / "b.nii"):
            with pytest.raises(OutputError, match="stay as they are"):
                keep_inputs([tmp_path / "new", own], [given])
    with pytest.raises(OutputError, match=r"b\.nii"):
        keep_inputs([tmp_path / "b.nii"], [tmp_path / "b.nii"])
    keep_inputs([tmp_path / "b.nii"], [source])  # the link is replaced, and not what it leads to
    keep_inputs([tmp_path / ("x" * 300)], [tmp_path / ("y" * 300)])


def test_a_list_is_never_written_over_a_file_that_it_names(tmp_path):
    (tmp_path / "l.csv").write_text("image,label\na.nii,b.nii\n")
    (tmp_path / "a.nii").write_text("image")
    cases = read_list(tmp_path / "l.csv")
    with pytest.raises(OutputError, match=r"a\.nii"):
        write_list(cases, tmp_path / "a.nii", "msd", overwrite=True)
    with pytest.raises(OutputError, match=r"l\.csv"):
        write_list(cases, tmp_path / "l.csv", keep=inputs_of(cases), overwrite=True)
    assert (tmp_path / "a.nii").read_text() == "image"
    write_list(cases, tmp_path / "l.csv", overwrite=True)  # in Python, changed lists may be saved


def test_the_other_parts_of_a_text_list_are_inputs_too(tmp_path):
    for part in ("train", "val"):
        (tmp_path / f"t_{part}_0.txt").write_text(f"{part}.nii\n")
    names = {path.name for path in inputs_of(read_list(tmp_path / "t_train_0.txt"))}
    assert names == {"t_train_0.txt", "t_val_0.txt", "train.nii", "val.nii"}
