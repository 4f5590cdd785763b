"""Headers that keep their voxels in another file: which file they may name."""

from __future__ import annotations

from pathlib import Path

from oncoforge.errors import InputError

_LONGEST_HEADER = 2**16


def detached_size(path: Path, name: str) -> int:
    """Return the size in bytes of the file of voxels that a header names.

    A header is somebody's text, so it may name a regular file in its own folder only: no device, no
    absolute path and nothing above.

    Parameters
    ----------
    path
        The header.
    name
        What it says where its voxels are.

    Raises
    ------
    InputError
        If that is not one file beside the header.
    """
    if name.upper().startswith("LIST") or "%" in name:
        raise InputError(
            f"{path} keeps its voxels in several files. Convert it to one .nrrd, .mha or .nii.gz."
        )
    folder = path.parent.resolve()
    target = (folder / name).resolve()
    if folder not in target.parents or not target.is_file():
        raise InputError(
            f"{path} keeps its voxels in {name}, which is not a file beside it. Copy both files "
            "into one folder."
        )
    return target.stat().st_size


def nhdr_size(path: Path) -> int:
    """Return the size in bytes of the voxels of a ``.nhdr`` file (see `detached_size`)."""
    with path.open("rb") as file:
        header = file.read(_LONGEST_HEADER).decode("latin-1")
    for line in header.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip().lower().replace(" ", "") == "datafile":
            return detached_size(path, value.strip())
    raise InputError(
        f"{path} is not an NRRD file, or its header is damaged: it has no 'data file:' line. Check "
        "the file, or its name's ending."
    )
