"""Check a MetaImage header before ITK sees it: ITK prints what is wrong on stderr itself."""

from __future__ import annotations

from pathlib import Path

from oncoforge.errors import InputError
from oncoforge.formats.detached import detached_size
from oncoforge.formats.stored import MOST_DEFLATION

_LONGEST_HEADER = 2**16


def metaimage_payload(path: Path) -> int:
    """Return the most bytes of voxels that a MetaImage file can hold.

    Parameters
    ----------
    path
        A ``.mha`` or ``.mhd`` file.

    Raises
    ------
    InputError
        If this is no MetaImage file, its compressed voxels are cut short, or the file that it
        names is not beside it.
    """
    fields, length = _fields(path)
    data = fields["ElementDataFile"]
    if data != "LOCAL":
        return detached_size(path, data) * MOST_DEFLATION
    rest = path.stat().st_size - length
    if fields.get("CompressedData", "False").lower() != "true":
        return rest
    promised = fields.get("CompressedDataSize", "0")
    if promised.isdigit() and int(promised) > rest:
        raise InputError(
            f"{path} is cut short: its header promises {promised} bytes of compressed voxels and "
            f"it holds {rest}. Copy it again."
        )
    return rest * MOST_DEFLATION


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """Parse the "key = value" lines, of which ElementDataFile is the last, and their length."""
    fields: dict[str, str] = {}
    length = 0
    with path.open("rb") as file:
        while length < _LONGEST_HEADER and "ElementDataFile" not in fields:
            line = file.readline(_LONGEST_HEADER)
            key, equals, value = line.decode("latin-1").partition("=")
            if not equals:
                break
            fields[key.strip()] = value.strip()
            length += len(line)
    if not {"NDims", "DimSize", "ElementType", "ElementDataFile"} <= set(fields):
        raise InputError(
            f"{path} is not a MetaImage file, or its header is damaged. Check the file, or its "
            "name's ending."
        )
    return fields, length
