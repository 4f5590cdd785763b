"""Download published weights: resumed, verified, and only once their licence is accepted."""

from __future__ import annotations

import json
import logging
import shutil
import time
import urllib.error
import urllib.request
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

from oncoforge.checkpoints.cache import VARIABLE, folder, place
from oncoforge.checkpoints.catalogue import find
from oncoforge.checkpoints.files import sha256
from oncoforge.checkpoints.record import Weights
from oncoforge.errors import InputError, OutputError
from oncoforge.formats.atomic import atomic_write
from oncoforge.parallel import Progress, silent

_RECORD = "source.json"
_TRIES = 4
_WAIT_S = 1.0
_TIMEOUT_S = 60
_BLOCK = 2**20


def licence_words(weights: Weights) -> str:
    """Say under which licence weights are, and whether their file was seen."""
    licence = weights.licence or "not stated"
    lines = [f"{weights.name} ({weights.method}) from {weights.page or 'no known page'}",
             f"Licence: {licence}", *weights.notes]  # fmt: skip
    return "\n".join(lines)


def fetch(name: str, *, accept_licence: bool = False, progress: Progress = silent) -> Path:
    """Download published weights into the folder of `cache.folder`, and verify them.

    What is there already is verified and not downloaded again; a download that was interrupted
    goes on where it stopped.

    Parameters
    ----------
    name
        A name of the catalogue.
    accept_licence
        Whether the licence was read and is accepted; without it nothing is downloaded.
    progress
        Called with bytes done and of how many, for files that are not on the hub (which shows its
        own).

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UnknownNameError
        If there is no such name.
    InputError
        If the licence is not accepted, no source is known, the source cannot be reached or has no
        such file, or the content is not what it should be.
    OutputError
        If it cannot be written.
    """
    weights = find(name)
    if not weights.source:
        raise InputError(
            f"No public page with {name} is known, so it cannot be fetched; if you have the file, "
            "give its path instead of the name."
        )
    if not accept_licence:
        raise InputError(
            f"{name} is under {weights.licence or 'no stated licence'} ({weights.page}); read it, "
            "and accept it with --accept-licence (in Python: accept_licence=True)."
        )
    target = place(weights)
    if not target.is_file():
        if weights.on_hub:
            _from_hub(weights)
        else:
            _make_folder(target.parent)
            _from_address(weights.source, target, progress)
    _verify(weights, target)
    return target


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be made ({error.strerror or error}); name another folder with the "
            f"environment variable {VARIABLE}."
        ) from error


def _from_hub(weights: Weights) -> None:
    """Download from the Hugging Face Hub, whose own library resumes and tries again."""
    try:
        import huggingface_hub
    except ImportError:
        raise InputError(
            "Weights are fetched with huggingface_hub, which is not installed; pip install "
            '"oncoforge[networks]".'
        ) from None
    loudness = huggingface_hub.logging.get_verbosity()
    try:
        huggingface_hub.logging.set_verbosity(logging.ERROR)  # one sentence at the end
        huggingface_hub.hf_hub_download(
            weights.source, weights.file, local_dir=folder() / weights.name
        )
    except Exception as error:  # its errors are many, and of several libraries
        raise _unreachable(weights, error) from error
    finally:
        huggingface_hub.logging.set_verbosity(loudness)


def _unreachable(weights: Weights, error: Exception) -> InputError:
    first = next((line.strip(" .") for line in str(error).splitlines() if line.strip()), "")
    return InputError(
        f"{weights.name} could not be fetched from {weights.page} ({first or type(error).__name__})"
        f"; check the network, or download {weights.file} by hand and give its path."
    )


def _from_address(address: str, target: Path, progress: Progress) -> None:
    """Download a file, going on with what an earlier try left."""
    part = target.with_name(f".{target.name}.part")
    for attempt in range(_TRIES):
        try:
            _download(address, part, progress)
            part.replace(target)
            return
        except urllib.error.HTTPError as error:
            error.close()  # it holds the connection
            if error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise InputError(
                    f"{address} answers {error.code} ({error.reason}); download the file by hand, "
                    "and give its path."
                ) from error
            reason: Exception = error
        except (OSError, ValueError) as error:
            reason = error
        if attempt + 1 < _TRIES:
            time.sleep(_WAIT_S * 2**attempt)
    raise InputError(
        f"{address} could not be fetched ({reason}); check the network and run it again, which "
        "goes on where it stopped, or download the file by hand and give its path."
    ) from reason


def _download(address: str, part: Path, progress: Progress) -> None:
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if have and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            error.close()
            part.unlink()  # longer than the file is: of another one
            raise OSError("what an earlier try left does not fit") from error
        raise
    with answer:
        if answer.status != HTTPStatus.PARTIAL_CONTENT:
            have = 0  # it sends all of it again
        expected = have + int(answer.headers.get("Content-Length") or 0)
        with part.open("ab" if have else "wb") as file:
            while block := answer.read(_BLOCK):
                file.write(block)
                have += len(block)
                progress(have, expected)
    if have < expected:
        raise OSError(f"{have:,} of {expected:,} bytes came")


def _verify(weights: Weights, target: Path) -> None:
    """Compare a file with what is known of it, or write down what it is for the next time."""
    record = folder() / weights.name / _RECORD
    digest = sha256(target)
    expected = weights.sha256
    if not expected and record.is_file():
        with suppress(OSError, ValueError, AttributeError):
            expected = str(json.loads(record.read_text("utf-8")).get("sha256", ""))
    if expected and digest != expected:
        # Kept it would be taken for the published one.
        target.unlink()
        shutil.rmtree(folder() / weights.name / ".cache", ignore_errors=True)
        raise InputError(
            f"{target} was removed: its SHA-256 is {digest}, and that of {weights.name} is "
            f"{expected}; fetch it again."
        )
    values = {"name": weights.name, "source": weights.source, "file": weights.file,
              "licence": weights.licence, "sha256": digest,
              "verified": bool(weights.sha256)}  # fmt: skip
    with atomic_write(record) as file:
        file.write(f"{json.dumps(values, indent=2)}\n".encode())
