"""What is no file of weights gets a sentence, and what claims too much gets no memory."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from oncoforge.checkpoints.files import read, sha256
from oncoforge.errors import InputError


def _saved(path: Path) -> bytes:
    torch.save({"w": torch.arange(1000.0)}, path)
    return path.read_bytes()


def _zip(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    return path.read_bytes()


def _tar(path: Path) -> bytes:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("pickle"), io.BytesIO())
    return path.read_bytes()


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("empty", "is empty"),
        ("text", "no checkpoint"),
        ("zip", "zip archive and no checkpoint"),
        ("tar", "tar archive"),
        ("gzip", "no checkpoint"),
        ("cut", "cut short"),
        ("cut early", "cut short"),
    ],
)
def test_what_is_no_checkpoint_gets_a_sentence(tmp_path: Path, kind: str, says: str) -> None:
    path = tmp_path / "model.pt"
    content = {
        "empty": b"",
        "text": b"These are not the weights you are looking for.",
        "zip": _zip(path),
        "tar": _tar(path),
        "gzip": b"\x1f\x8b\x08" + bytes(40),
        "cut": _saved(path)[:-200],
        "cut early": _saved(path)[:90],
    }[kind]
    path.write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_a_folder_and_a_missing_file_get_sentences(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.pt"):
        with pytest.raises(InputError, match="cannot be read"):
            read(path)


@pytest.mark.parametrize("held", [[1, 2], torch.ones(3), 7, {1: torch.ones(2)}])
def test_a_file_without_names_gets_a_sentence(tmp_path: Path, held: object) -> None:
    torch.save(held, tmp_path / "a.pt")
    with pytest.raises(InputError, match="no mapping of names"):
        read(tmp_path / "a.pt")


def _rewritten(path: Path, change: dict[str, bytes], stored: bool = True) -> None:
    """Write the archive of a checkpoint anew with some members changed."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    kind = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, data in members.items():
            archive.writestr(name, change.get(name.split("/", 1)[1], data))


def test_a_member_without_bytes_gets_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save({"w": torch.arange(100_000.0)}, path)
    _rewritten(path, {"data/0": b""})
    with pytest.raises(InputError):
        read(path)


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    """Mapped, its bytes would be taken for values; unpacked, a small file would fill the memory."""
    path = tmp_path / "a.pt"
    torch.save({"w": torch.zeros(10_000)}, path)
    _rewritten(path, {}, stored=False)
    with pytest.raises(InputError, match="compressed"):
        read(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_claims_more_than_it_has_is_refused(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "a.pt"
    huge = torch.zeros(1).expand(1_000_000, 1_000_000)
    torch.save({"w": huge}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match="claims weights of 4,000,000,000,000"):
        read(path)


def _safetensors(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize(
    "content",
    [
        _safetensors({"w": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 8]}},
                     bytes(8)),
        _safetensors({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 10**12]}}, bytes(8)),
        _safetensors({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(4)),
        _safetensors({"w": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
        (10**15).to_bytes(8, "little") + b"{}",
        b"\x00" * 8,
    ],
    ids=["shape", "offset", "short", "type", "length", "zeros"],
)  # fmt: skip
def test_a_header_that_lies_gets_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no safetensors"):
        read(path)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_safetensors_are_known_by_content_too(tmp_path: Path, name: str) -> None:
    save_file({"w": torch.arange(3.0)}, tmp_path / name, metadata={"from": "here"})
    found = read(tmp_path / name)
    assert torch.equal(found.top["w"], torch.arange(3.0))
    assert found.metadata == {"from": "here"}


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_get_a_sentence(data: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.pt"
        path.write_bytes(data)
        with pytest.raises(InputError):
            read(path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_checkpoint_loads_or_gets_a_sentence(data: st.DataObject) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.pt"
        whole = bytearray(_saved(path))
        for _ in range(data.draw(st.integers(1, 4))):
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(whole)
        with contextlib.suppress(InputError):  # and nothing but a sentence
            assert read(path).top


@pytest.mark.parametrize("missing", ["torch", "safetensors"])
def test_what_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    _saved(tmp_path / "a.pt")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=rf"{missing} is not installed.*oncoforge\[networks\]"):
        read(tmp_path / "a.pt")


def test_sha256_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-4
    assert sha256(tmp_path / "a") == known
