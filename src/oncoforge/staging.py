"""A folder of results that is written as a whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oncoforge.errors import OutputError


@contextmanager
def staging(out: Path, names: Collection[str], overwrite: bool) -> Iterator[Path]:
    """Give a folder to write into, whose files move to `out` together once all are there.

    Parameters
    ----------
    out
        Folder for the files; made if it does not exist.
    names
        Every file that a run may leave there. Those of an earlier run that this one does not write
        anew are removed, so that a folder never holds the files of two.
    overwrite
        Replace files of an earlier run.

    Raises
    ------
    OutputError
        If files are there that may not be replaced, or the folder cannot be written; nothing is
        left behind.
    """
    folder, new = None, []
    try:
        _check_target(out, names, overwrite)
        # What was not there before goes again if the run fails.
        new = [place for place in (out, *out.parents) if not place.exists()]
        out.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".oncoforge-", dir=out))
        yield folder
        written = sorted(path.name for path in folder.iterdir())
        _check_target(out, written, overwrite)
        for name in written:
            (folder / name).replace(out / name)
        for name in set(names) - set(written):
            (out / name).unlink(missing_ok=True)
        new = []
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written ({error.strerror or error}); check that it is a folder "
            "that you may write to, on a disk with room."
        ) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        for made in new:
            with suppress(OSError):
                made.rmdir()


def _check_target(out: Path, names: Collection[str], overwrite: bool) -> None:
    """Refuse a folder whose files would be lost, or could not be replaced."""
    there = [name for name in names if (out / name).exists()]
    if there and not overwrite:
        raise OutputError(
            f"{out} already holds {there[0]}; choose another folder, or --overwrite to replace it."
        )
    folders = [name for name in names if (out / name).is_dir()]
    if folders:
        raise OutputError(f"{out / folders[0]} is a folder; move it away, or choose another --out.")
