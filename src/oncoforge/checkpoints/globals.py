"""What a pickle asks for by name, read without running it."""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, Final

PROTOCOL: Final = "(protocol)"
"""Stands for names that are all allowed, and written as PyTorch's reader does not take them."""

_MOST: Final = 1 << 24
"""Bytes of a pickle that are looked at."""

_PICKLES: Final = 5
"""A file of PyTorch before 1.6 has as many, one after the other; a plain one has one."""

_STRINGS: Final = frozenset(
    ("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
     "BINUNICODE8")
)  # fmt: skip
_GETS: Final = frozenset(("GET", "BINGET", "LONG_BINGET"))
_PUTS: Final = frozenset(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"))

_NAME: Final = re.compile(r"[^\W\d]\w*(\.(\w+|<\w+>))+")

_OF_PYTORCH: Final = re.compile(
    r"torch\.(_utils\._rebuild_\w+|_tensor\._rebuild_from_type_v2|serialization\._get_layout"
    r"|nn\.parameter\.Parameter|storage\.(Un)?[tT]ypedStorage|((cuda|sparse|cuda\.sparse)\.)?"
    r"[A-Z]\w*(Storage|Tensor)|Tensor|Size|device|per_(channel|tensor)_\w+"
    r"|(b?float|complex|u?int|q?u?int|bits)\d\w*|bool)"
    r"|collections\.(OrderedDict|Counter)|_codecs\.encode|builtins\.(bytearray|complex|set)"
)
"""Names that PyTorch's reader for weights allows."""


def first_unknown(path: Path, allowed: Container[str], *, zipped: bool) -> str | None:
    """Name the first thing that a file asks for and that tensors do not need.

    Parameters
    ----------
    path
        A file of ``torch.save``, or a plain pickle.
    allowed
        Names that may be there beside PyTorch's.
    zipped
        Whether it is a zip archive, whose member ``data.pkl`` is the pickle.

    Returns
    -------
    str or None
        ``module.name``; `PROTOCOL` if all names are allowed and some are written as PyTorch's
        reader does not take them; None if nothing is asked for, or it is no pickle.
    """
    newer = False
    try:
        for name, stacked in _names(path, zipped=zipped):
            if name not in allowed and not _OF_PYTORCH.fullmatch(name):
                return name
            newer |= stacked
    except Exception:  # no pickle: whatever its bytes make of the readers
        return None
    return PROTOCOL if newer else None


def _pickles(path: Path, *, zipped: bool) -> Iterator[io.BytesIO]:
    """Yield the beginning of every pickle of a file; a name may be there twice in an archive."""
    if not zipped:
        with path.open("rb") as file:
            yield io.BytesIO(file.read(_MOST))
        return
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.filename.endswith("data.pkl"):
                with archive.open(member) as file:
                    yield io.BytesIO(file.read(_MOST))


def _names(path: Path, *, zipped: bool) -> Iterator[tuple[str, bool]]:
    """Yield every name that a file asks for, and whether PyTorch's reader does not take it so."""
    for pickled in _pickles(path, zipped=zipped):
        for _ in range(_PICKLES):
            if pickled.tell() < len(pickled.getbuffer()):
                yield from _asked(pickled)


def _asked(pickled: io.BytesIO) -> Iterator[tuple[str, bool]]:
    """Yield the names of one pickle."""
    # What went onto the stack, as far as it is words; a newer name is made of the last two.
    words: list[str | None] = [None, None]
    memo: dict[Any, str | None] = {}
    for operation, argument, _ in pickletools.genops(pickled):
        kind = operation.name
        if kind in _PUTS:
            memo[len(memo) if argument is None else argument] = words[-1]
            continue
        if kind in ("GLOBAL", "INST"):
            if _NAME.fullmatch(name := str(argument).replace(" ", ".")):
                yield name, kind == "INST"
        elif kind == "STACK_GLOBAL":
            yield _joined(words[-2:]), True
        elif kind.startswith("EXT"):
            yield f"extension {argument}", True
        words.append(memo.get(argument) if kind in _GETS else _word(kind, argument))


def _word(kind: str, argument: Any) -> str | None:
    return str(argument) if kind in _STRINGS else None


def _joined(words: list[str | None]) -> str:
    module, name = words
    return f"{module}.{name}" if module and name else "something that it does not spell out"
