"""Read the text of a file that may be a list."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from oncoforge.errors import InputError
from oncoforge.lists.names import ending

LARGEST_BYTES: Final = 64 * 2**20
"""A list of a hundred thousand cases has some twenty megabytes; what is larger is not one."""

FORMS: Final = (
    "a JSON file with 'training', 'validation' or 'test' (MSD, MONAI), a CSV file with the column "
    "'image' or 'label', a text file with an image and a label on each line, or an nnU-Net raw "
    "folder"
)
"""What a list can be, as error messages say it."""


def read_plain(file: Path) -> str:
    """Return the text of a file.

    Raises
    ------
    InputError
        If it is not there, is an image, is very large, or is not text.
    """
    if ending(file):
        raise InputError(
            f"{file} is an image or a label map, not a list of cases; expected {FORMS}."
        )
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise InputError(f"{file} is too large for a list of cases; expected {FORMS}.")
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{file} is not text, so not a list of cases; expected {FORMS}.") from None
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise InputError(f"The list {file} cannot be read: {said}.") from None
    if "\0" in text:
        raise InputError(f"{file} is not text, so not a list of cases; expected {FORMS}.")
    return text
