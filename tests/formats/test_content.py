"""Hashes of images and label maps: of one file, of a folder, of a header and its voxels."""

from __future__ import annotations

from oncoforge.formats.content import content_of


def test_contents_of_folders_and_detached_voxels_count(tmp_path):
    series = tmp_path / "series"
    series.mkdir()
    (series / "1.dcm").write_bytes(b"1")
    header = tmp_path / "ct.mhd"
    header.write_bytes(b"ElementDataFile = ct.raw")
    (tmp_path / "ct.raw").write_bytes(b"1")
    before = content_of(series), content_of(header)
    assert before == (content_of(series), content_of(header))
    (series / "1.dcm").write_bytes(b"2")
    (tmp_path / "ct.raw").write_bytes(b"2")
    assert content_of(series) != before[0]
    assert content_of(header) != before[1]
    assert content_of(tmp_path / "nothing.nii.gz") == ""
