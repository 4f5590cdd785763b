"""Write a file all at once or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from oncoforge.errors import OutputError


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary neighbour of a file for writing, and rename it at the end.

    Parameters
    ----------
    path
        The file to create or replace. Its folder must exist.

    Yields
    ------
    BinaryIO
        The temporary file. If the block raises anything at all, it is removed and an existing
        file stays as it was.

    Raises
    ------
    OutputError
        If the operating system refuses: no such folder, no permission, disk full.
    """
    target = Path(path)
    # The same folder, because a rename is atomic within one file system only.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        # Not tempfile: its files are for the owner's eyes only, whatever the umask says.
        with temporary.open("xb") as file:
            yield file
        os.replace(temporary, target)
    except OSError as error:
        raise OutputError(
            f"{target} could not be written: {error.strerror or error}. Nothing partial is left; "
            "check that the folder exists, that you may write there, and that the disk has room."
        ) from error
    finally:
        # After the rename there is nothing under this name.
        with contextlib.suppress(OSError):
            temporary.unlink()
