"""Write a network as safetensors, with its config in it, and beside it in a folder."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oncoforge.checkpoints.files import CONFIG, METADATA, WEIGHTS, require
from oncoforge.checkpoints.loading import load
from oncoforge.errors import InputError, OutputError
from oncoforge.formats.atomic import atomic_write
from oncoforge.networks.config import Config

if TYPE_CHECKING:
    from torch import Tensor, nn


def save(module: nn.Module, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a network: ``model.safetensors`` and ``config.json``, both or neither.

    Parameters
    ----------
    module
        A network that `oncoforge.networks.build` or `load` gave.
    folder
        Made if it does not exist.
    overwrite
        Replace what an earlier call wrote there.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        If the module has no config.
    OutputError
        If files are there already, or cannot be written.
    """
    require()
    config = _config_of(module)
    target = Path(folder)
    if target.is_file():
        raise OutputError(f"{target} is a file; give the name of a folder.")
    there = [name for name in (WEIGHTS, CONFIG) if (target / name).exists()]
    if there and not overwrite:
        raise OutputError(
            f"{target} already holds {there[0]}; choose another folder, or --overwrite to replace "
            "it."
        )
    written = json.dumps(config.to_dict(), indent=2, ensure_ascii=False)
    new = [place for place in (target, *target.parents) if not place.exists()]
    try:
        target.mkdir(parents=True, exist_ok=True)
        # Both take their names at the end, one right after the other.
        with atomic_write(target / WEIGHTS) as weights, atomic_write(target / CONFIG) as text:
            weights.write(_serialized(module, written))
            text.write(f"{written}\n".encode())
    except OSError as error:
        _remove(new)
        raise OutputError(
            f"{target} cannot be made ({error.strerror or error}); choose another folder."
        ) from error
    except BaseException:
        _remove(new)
        raise
    return target


def save_file(module: nn.Module, path: str | os.PathLike[str]) -> Path:
    """Write a network as one safetensors file with its config in it, which `load` reads.

    Parameters
    ----------
    module
        A network that `oncoforge.networks.build` or `load` gave.
    path
        The file, which is written whole or not at all; another one there is replaced. Its folder
        must exist.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the module has no config.
    OutputError
        If the file cannot be written.
    """
    require()
    serialized = _serialized(module, json.dumps(_config_of(module).to_dict(), ensure_ascii=False))
    with atomic_write(path) as file:
        file.write(serialized)
    return Path(path)


def convert(
    source: str | os.PathLike[str], folder: str | os.PathLike[str], *, overwrite: bool = False,
    **options: Any,
) -> nn.Module:  # fmt: skip
    """Load a file of weights and `save` it; options are those of `load`.

    Returns
    -------
    torch.nn.Module
        What was loaded.

    Raises
    ------
    OutputError
        If the folder holds other files and no network: it may be one with data.
    """
    _refuse_others(Path(folder))
    module = load(source, **options)
    save(module, folder, overwrite=overwrite)
    return module


def _refuse_others(folder: Path) -> None:
    """Refuse a folder that is another's."""
    own = {WEIGHTS, CONFIG}
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    others = sorted(name for name in there - own if not name.startswith("."))
    if others and not own <= there:
        raise OutputError(
            f"{folder} holds other files, such as {others[0]}; choose a new folder for the network."
        )


def _config_of(module: nn.Module) -> Config:
    config = getattr(module, "config", None)
    if not isinstance(config, Config):
        raise InputError(
            "The network has no config, so nothing could build it again; build it with "
            "oncoforge.networks.build."
        )
    return config


def _serialized(module: nn.Module, config: str) -> bytes:
    """Return safetensors with the config in their metadata; a tensor of two names has the first."""
    from safetensors.torch import save as serialize

    tensors: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in module.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            tensors[name] = tensor.detach().cpu().contiguous()
        seen.add(id(tensor))
    return serialize(tensors, metadata={METADATA: config})


def _remove(folders: list[Path]) -> None:
    for made in folders:
        with suppress(OSError):
            made.rmdir()
