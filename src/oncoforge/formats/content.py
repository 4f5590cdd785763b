"""What the files of an image hold, as one hash."""

from __future__ import annotations

import glob
import hashlib
from pathlib import Path
from typing import Final

_DETACHED: Final = (".mhd", ".nhdr")
"""Headers, with the voxels in a file of the same name beside them."""


def sha256_of(path: Path) -> str:
    """Return the hash of a file, 64 hexadecimal digits; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def files_of(path: Path) -> list[Path]:
    """Return the files that an image or a label map is made of.

    The file itself; of a folder with a DICOM series, and of a header with the voxels beside it, all
    files that may belong to it, sorted. None of them need be there.
    """
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file())
    if path.suffix.lower() in _DETACHED:
        return sorted(path.parent.glob(f"{glob.escape(path.stem)}.*"))
    return [path]


def content_of(path: Path) -> str:
    """Return a hash of an image or a label map, 64 hexadecimal digits; empty if it cannot be read.

    That of the file; where there are several, a hash of their names and contents.
    """
    files = files_of(path)
    if files == [path] and path.suffix.lower() not in _DETACHED:
        return sha256_of(path)
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{sha256_of(file)}\0".encode())
    return digest.hexdigest()
