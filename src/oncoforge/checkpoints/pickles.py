"""Tensors out of a pickle, without running or importing anything that the pickle names."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from oncoforge.checkpoints.globals import PROTOCOL, first_unknown
from oncoforge.errors import InputError

_LOCK = threading.Lock()
"""PyTorch's list of allowed names belongs to the process: one file at a time."""

_NUMBERS: Final = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")


class Inert:
    """Stands where a file has an object that weights do not need; holds and does nothing."""

    def __new__(cls, *_: Any, **__: Any) -> Inert:
        """Ignore what the object was to be made of."""
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        """Ignore what the object was to hold."""


class _Dtype:
    """Stands where a file has a NumPy dtype."""

    def __init__(self, code: Any = "", *_: Any) -> None:
        self.code, self.order = code, "<"

    def __setstate__(self, state: Any) -> None:
        """Keep the order of bytes, the second item."""
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.order = state[1]


def _number(dtype: Any = None, raw: Any = b"", *_: Any) -> Any:
    """Return a NumPy scalar of a file as a number of Python's."""
    if isinstance(dtype, _Dtype) and dtype.code in _NUMBERS and isinstance(raw, bytes):
        kind = np.dtype(f"{dtype.order}{dtype.code}")
        if len(raw) == kind.itemsize:
            return np.frombuffer(raw, kind)[0].item()
    return Inert()


def _inert(*_: Any) -> Inert:
    return Inert()


def _dict(*_: Any) -> dict[Any, Any]:
    return {}


def _list(*_: Any) -> list[Any]:
    return []


def _names(module: str, *names: str) -> dict[str, Any]:
    return {f"{module}.{name}": Inert for name in names}


# Predecessors keep their best score as a NumPy scalar, and DiffTumor's autoencoder its OmegaConf
# configuration. What stands for them here is ours, so that nothing of theirs is imported.
_ALLOWED: Final[dict[str, Callable[..., Any]]] = {
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray.scalar": _number,
    "numpy._core.multiarray.scalar": _number,
    "numpy.core.multiarray._reconstruct": _inert,
    "numpy._core.multiarray._reconstruct": _inert,
    "numpy.ndarray": Inert,
    **_names("numpy.dtypes", *(f"{kind}DType" for kind in (
        "Bool", "Float16", "Float32", "Float64", "Int8", "Int16", "Int32", "Int64",
        "UInt8", "UInt16", "UInt32", "UInt64",
    ))),
    **_names("omegaconf.dictconfig", "DictConfig"),
    **_names("omegaconf.listconfig", "ListConfig"),
    **_names("omegaconf.base", "ContainerMetadata", "Metadata", "Node", "Container"),
    **_names("omegaconf.nodes", *(f"{kind}Node" for kind in (
        "Any", "Boolean", "Bytes", "Enum", "Float", "Integer", "Path", "String", "Union", "Value",
    ))),
    **_names("typing", "Any", "Dict", "List", "Optional", "Tuple", "Union"),
    **_names("argparse", "Namespace"),
    **_names("pathlib", "PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath"),
    **_names("pathlib._local", "PosixPath", "WindowsPath"),
    **_names("builtins", "bool", "bytes", "float", "int", "str", "tuple"),
    "builtins.dict": _dict,
    "builtins.list": _list,
    "collections.defaultdict": _dict,
}  # fmt: skip
"""Names that a pickle may hold beside those that PyTorch allows, and what stands for each."""

_GLOBAL = re.compile(r"GLOBAL (\S+)")
_LONGEST = 120


def unpickle(path: Path, *, mapped: bool) -> Any:
    """Return what a file of ``torch.save`` holds: tensors, numbers, words, mappings, lists.

    Parameters
    ----------
    path
        The file.
    mapped
        Map it into memory, so that tensors take none before they are used. Files of PyTorch before
        1.6 cannot be.

    Raises
    ------
    InputError
        If it asks for anything that tensors do not need (nothing of it is run then), or cannot be
        read.
    """
    import torch

    allowed: list[Any] = [(stand_in, name) for name, stand_in in _ALLOWED.items()]
    try:
        with _LOCK, warnings.catch_warnings(), torch.serialization.safe_globals(allowed):
            # The error that follows says it better.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except MemoryError:
        raise InputError(
            f"{path} claims more memory than there is; it is damaged, or made to do harm."
        ) from None
    # Broken files make PyTorch raise almost anything.
    except Exception as error:
        asked = _GLOBAL.search(str(error))
        name = asked[1] if asked else first_unknown(path, _ALLOWED, zipped=mapped)
        raise _refused(path, name) if name else _unreadable(path, error) from None


def _refused(path: Path, name: str) -> InputError:
    if name == PROTOCOL:
        return InputError(
            f"{path} was refused, and nothing in it was run: its pickle is of a protocol that is "
            "not read with care; get the weights as safetensors, or save them with torch.save's "
            "own protocol, 2."
        )
    return InputError(
        f"{path} was refused, and nothing in it was run: its pickle asks for {_printed(name)}, "
        "which weights do not need; get the weights as safetensors, or, where you trust the file, "
        "save its state dict alone."
    )


def _printed(name: str) -> str:
    """Return a name of a file as it may go to a terminal."""
    return (name if name.isprintable() else ascii(name))[:_LONGEST]


def _unreadable(path: Path, error: Exception) -> InputError:
    told = re.search(r"WeightsUnpickler error: (.+)", str(error))
    reason = (told[1] if told else str(error)).strip().splitlines()[:1]
    # PyTorch's advice, which is to run whatever the file holds, is none.
    words = re.split(r"\. |, but ", reason[0])[0].strip(". ")[:160] if reason else ""
    if len(words) < 8 or words.startswith("Weights only load failed"):
        words = "it is no pickle of tensors"
    return InputError(
        f"{path} is no checkpoint that can be read ({words}); it may be "
        "cut short or of another kind: fetch it again, or give a .pt, .pth, .ckpt or .safetensors "
        "file."
    )
