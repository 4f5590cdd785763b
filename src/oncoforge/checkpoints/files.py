"""What a file of weights holds: safetensors, or a pickle that is read with care."""

from __future__ import annotations

import hashlib
import json
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from oncoforge.checkpoints.pickles import unpickle
from oncoforge.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS: Final = "model.safetensors"
CONFIG: Final = "config.json"
METADATA: Final = "oncoforge"
"""Key of the config in the metadata of our safetensors."""

_LONGEST_HEADER = 100_000_000  # safetensors' own limit
_DEEPEST = 8


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Parameters
    ----------
    path
        The file.
    top
        What it holds at its top: tensors by name, or mappings and numbers.
    metadata
        Words by name, of safetensors.
    """

    path: Path
    top: Mapping[str, Any]
    metadata: Mapping[str, str] = field(default_factory=dict)


def read(path: Path) -> Contents:
    """Read a file of weights; nothing in it is run, and no memory is taken that it cannot fill.

    Raises
    ------
    InputError
        If it is no file of weights, is damaged, claims more than it holds, or asks for more than
        tensors need; or PyTorch is not installed.
    """
    require()
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}).") from None
    if not head:
        raise InputError(f"{path} is empty; fetch it again.")
    if path.suffix == ".safetensors" or _is_safetensors(head):
        return _read_safetensors(path)
    zipped = head.startswith(b"PK\x03\x04")
    if zipped:
        _check_zip(path)
    elif _is_tar(path):
        raise InputError(f"{path} is a tar archive; unpack it, and give the file of weights in it.")
    top = unpickle(path, mapped=zipped)
    if not isinstance(top, Mapping) or not all(isinstance(key, str) for key in top):
        raise InputError(
            f"{path} holds no mapping of names to weights, but {_words(top)}; save the state dict "
            "of the network."
        )
    _check_sizes(path, size, top)
    return Contents(path, top)


def require() -> None:
    """Raise unless what reads and writes weights is installed."""
    try:
        import safetensors  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"Weights need PyTorch and safetensors, and {error.name} is not installed; pip install "
            '"oncoforge[networks]".'
        ) from error


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_safetensors(head: bytes) -> bool:
    """Tell by the first bytes: the length of a header, and the brace that opens it."""
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= _LONGEST_HEADER


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except (OSError, EOFError, zlib.error):  # begins as an archive that is packed, and is none
        return False


def _read_safetensors(path: Path) -> Contents:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return Contents(path, tensors, file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            f"{path} is no safetensors file that can be read ({error}); it may be cut short: fetch "
            "it again."
        ) from None


def _check_zip(path: Path) -> None:
    """Raise unless an archive is one of PyTorch's, whose members are stored as they are."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(
            f"{path} is no checkpoint that can be read ({error}); it may be cut short: fetch it "
            "again."
        ) from None
    names = [member.filename for member in members]
    if not any(name.endswith("data.pkl") for name in names):
        raise InputError(
            f"{path} is a zip archive and no checkpoint; unpack it, and give the file of weights "
            "in it."
        )
    if any("/code/" in name or name.endswith("constants.pkl") for name in names):
        raise InputError(
            f"{path} is a TorchScript program, which holds code beside its weights; give a file of "
            "weights alone."
        )
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise InputError(f"{path} is compressed, as PyTorch never is; it was not made by it.")


def _check_sizes(path: Path, size: int, top: Any) -> None:
    """Raise if tensors claim more bytes than the file has."""
    claimed, seen = 0, set()
    for tensor in _tensors(top):
        needs = tensor.numel() * tensor.element_size()
        known = tensor.layout is not None and tensor.device.type == "cpu"
        # Many names for one tensor, as in a DynUNet, are one tensor.
        place = (tensor.data_ptr(), needs) if known and needs else (0, 0)
        claimed += 0 if place in seen else needs
        seen.add(place)
    if claimed > size:
        raise InputError(
            f"{path} has {size:,} bytes and claims weights of {claimed:,}; it is damaged, or made "
            "to do harm."
        )


def _tensors(value: Any, depth: int = 0) -> Iterator[Tensor]:
    import torch

    if isinstance(value, torch.Tensor):
        if value.layout is torch.strided and value.device.type == "cpu":
            yield value
    elif depth < _DEEPEST and isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _tensors(item, depth + 1)


def _words(value: Any) -> str:
    kind = type(value).__name__
    return f"an object of type {kind}" if kind != "Inert" else "an object"


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    InputError
        If it cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}).") from None
    except ValueError as error:
        raise InputError(f"{path} is no JSON that can be read ({error}).") from None
