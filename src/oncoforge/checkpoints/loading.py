"""Networks from files of weights: published ones, and those that were written here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oncoforge.checkpoints import fit
from oncoforge.checkpoints.blueprint import Blueprint
from oncoforge.checkpoints.cache import locate
from oncoforge.checkpoints.catalogue import DIFFERS, identify
from oncoforge.checkpoints.encoder import EncoderOnlyError, find_encoder
from oncoforge.checkpoints.files import CONFIG, METADATA, WEIGHTS, Contents, read, read_json, sha256
from oncoforge.checkpoints.recognize import recognize
from oncoforge.checkpoints.record import LEGACY, Weights
from oncoforge.checkpoints.views import View, check_part, views, weights_of
from oncoforge.errors import InputError
from oncoforge.networks.config import Config, Origin, Pipeline
from oncoforge.networks.registry import find as find_network
from oncoforge.networks.registry import rebuild

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_MERGINGS = (LEGACY, "corrected")
_SUPPOSED = (
    "Its names do not tell its patch merging; the legacy one is supposed, which all had that were "
    "trained with MONAI before 1.5: give merging='corrected' if it was trained with a later one."
)


@dataclass(frozen=True)
class Recognized:
    """What a file holds, before a network is built.

    Parameters
    ----------
    config
        The network, with pipeline and origin as far as they are known.
    tensors
        Its weights, by the names of the network here.
    """

    config: Config
    tensors: Mapping[str, Tensor]


def load(
    source: str | os.PathLike[str],
    network: str | None = None,
    *,
    strict: bool = True,
    merging: str | None = None,
    part: str | None = None,
    pipeline: Pipeline | None = None,
    device: str | torch.device = "cpu",
) -> nn.Module:
    """Load a network and its weights. Nothing that a file holds is run.

    Parameters
    ----------
    source
        A file of weights (.pt, .pth, .ckpt, .safetensors), a folder that `save` wrote, or a name
        of the catalogue that was fetched.
    network
        Name of the network; None recognises it from the names and shapes in the file.
    strict
        Refuse a file that lacks weights of the network or has more; otherwise the config's origin
        notes it.
    merging
        ``"legacy"`` or ``"corrected"``, of a Swin UNETR; None goes by the file.
    part
        Which network of a file that holds several: ``"netG"``, ``"netD"``, ``"netSeg"``,
        ``"ema"``, ``"model"``, ``"vqgan"``.
    pipeline
        How it is used; None goes by the file and the catalogue.
    device
        Where it goes.

    Returns
    -------
    torch.nn.Module
        In evaluation mode. Its ``config`` tells network, channels, options, pipeline and origin.

    Raises
    ------
    EncoderOnlyError
        If the file holds the encoder of a network alone; `load_encoder` takes it.
    InputError
        If the file cannot be read or is refused, holds no network that is known, or does not fit.
    UnknownNameError
        If there is no such network or part, or `source` is neither a path nor a name.
    """
    found = inspect(source, network, strict=strict, merging=merging, part=part, pipeline=pipeline)
    module: Any = rebuild(found.config, seed=0)
    notes = fit.fill(module, found.tensors)
    module.config = noted(found.config, *notes)
    return module.to(device).eval()


def inspect(
    source: str | os.PathLike[str],
    network: str | None = None,
    *,
    strict: bool = True,
    merging: str | None = None,
    part: str | None = None,
    pipeline: Pipeline | None = None,
) -> Recognized:
    """Tell which network a file holds, and that its weights fit; parameters as for `load`."""
    if merging not in (None, *_MERGINGS):
        raise InputError(f"merging is {merging!r}; it is 'legacy' or 'corrected'.")
    name = None if network is None else find_network(network).name
    path, known = locate(source)
    contents = read(_weights_file(path))
    config = written_config(contents)
    if config is not None:
        found = Recognized(_of_config(config, contents, name), weights_of(contents.top, path))
    else:
        found = _recognized(contents, known, name, part)
    config = _with_merging(found.config, merging)
    if pipeline is not None:
        config = config.having(pipeline=pipeline)
    planned: Any = _planned(config)
    told = fit.check(planned, found.tensors, contents.path, config.network, strict=strict)
    return Recognized(noted(planned.config, *told), found.tensors)


def noted(config: Config, *notes: str) -> Config:
    """Return a config whose origin says more, nothing twice."""
    if not notes:
        return config
    origin = config.origin or Origin()
    more = tuple(dict.fromkeys((*origin.notes, *notes)))
    return config.having(
        origin=Origin(origin.name, origin.file, origin.sha256, origin.licence, more)
    )


def written_config(contents: Contents) -> Config | None:
    """Return the config that `save` wrote beside or into a file; None for files of others.

    Raises
    ------
    InputError
        If it is incomplete or holds what does not belong there.
    """
    beside = contents.path.with_name(CONFIG)
    if contents.path.name == WEIGHTS and beside.is_file():
        values, where = read_json(beside), beside
    elif METADATA in contents.metadata:
        where = contents.path
        try:
            values = json.loads(contents.metadata[METADATA])
        except ValueError as error:
            raise InputError(f"{where} has a config that is no JSON ({error}).") from None
    else:
        return None
    if not isinstance(values, Mapping) or "in_channels" not in values:
        return None  # of another program
    try:
        return Config.from_dict(values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _weights_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    if (path / WEIGHTS).is_file():
        return path / WEIGHTS
    raise InputError(
        f"{path} is a folder without {WEIGHTS}; give a file of weights, or a folder that "
        "'oncoforge weights import' wrote."
    )


def _of_config(config: Config, contents: Contents, name: str | None) -> Config:
    if name not in (None, config.network):
        raise InputError(
            f"{contents.path} holds {config.network}, as its config says, and {name} was asked for."
        )
    if config.origin is not None:
        return config
    return config.having(origin=Origin(file=contents.path.name, sha256=sha256(contents.path)))


def _recognized(
    contents: Contents, known: Weights | None, name: str | None, part: str | None
) -> Recognized:
    digest = sha256(contents.path)
    known = known or identify(contents.path, digest)
    weights = weights_of(contents.top, contents.path, part)
    check_part(weights, contents.top, part)
    told = _network_of(weights, contents, name, part)
    if told is None:
        raise _none(weights, contents, known, digest, name)
    blueprint, view = told
    if known is not None and known.network != blueprint.network and part is None and name is None:
        known = None  # only the name is that of a published file
    used = known if known is not None and known.network == blueprint.network else None
    notes = [*blueprint.notes, *_left(view, weights)]
    if used is not None and used.sha256 not in ("", digest):
        notes.append(DIFFERS)
    options = dict(blueprint.options)
    if blueprint.network == "swin_unetr":
        options["merging"] = (known.merging if known else "") or LEGACY
        if not (view.old or (known and known.merging)):
            notes.append(_SUPPOSED)
    origin = Origin(
        name=known.name if known else "",
        file=contents.path.name,
        sha256=digest,
        licence=known.licence if known else "",
        notes=tuple(notes),
    )
    config = Config(blueprint.network, blueprint.in_channels, blueprint.out_channels, options)
    pipeline = used.pipeline if used else None
    if pipeline is not None and len(pipeline.classes) != blueprint.out_channels:
        pipeline = None
    return Recognized(config.having(origin=origin, pipeline=pipeline), view.tensors)


def _network_of(
    weights: Mapping[str, Tensor], contents: Contents, name: str | None, part: str | None
) -> tuple[Blueprint, View] | None:
    """Return the first network in a file that is known, or the one that is asked for."""
    for view in views(weights, part):
        shapes = {key: tuple(tensor.shape) for key, tensor in view.tensors.items()}
        try:
            blueprint = recognize(shapes, name)
        except InputError as error:
            raise InputError(f"{contents.path}: {error}") from None
        if blueprint is not None:
            return blueprint, _without_training(view, blueprint.network)
    return None


def _none(
    weights: Mapping[str, Tensor],
    contents: Contents,
    known: Weights | None,
    digest: str,
    name: str | None,
) -> InputError:
    """Say that a file holds no network, and whether it holds the encoder of one."""
    encoder = find_encoder(weights, contents.path, known, digest)
    if encoder is not None and name in (None, encoder.network):
        return EncoderOnlyError(contents.path, encoder)
    what = f"no {name}" if name else "no network that is known"
    first = ", ".join(list(weights)[:3])
    return InputError(
        f"{contents.path} holds {what}: it has {len(weights)} tensors, the first {first}; "
        "see 'oncoforge weights networks' for those that can be loaded."
    )


def _without_training(view: View, network: str) -> View:
    """Leave out what only the training of a published network needed."""
    from oncoforge.networks.difftumor_autoencoder import TRAINING_ONLY

    if network != "difftumor_autoencoder":
        return view
    kept = {k: tensor for k, tensor in view.tensors.items() if not k.startswith(TRAINING_ONLY)}
    gone = tuple(k for k in view.tensors if k not in kept)
    return View(kept, view.part, (*view.beside, *gone), view.old)


def _left(view: View, weights: Mapping[str, Tensor]) -> list[str]:
    """Say which part of a file was taken, and what of it is left out."""
    from oncoforge.networks.difftumor_denoiser import SCHEDULE

    notes = [f"It is the part {view.part} of the file."] if view.part else []
    if view.part == "denoise_fn" and SCHEDULE[0] in weights:
        notes.append(f"Diffusion of {len(weights[SCHEDULE[0]])} steps.")
    ours = {name.split(".")[0] for name in view.tensors}
    gone = [name for name in view.beside if name not in SCHEDULE]
    # What one of our own modules had besides is named whole.
    others = sorted({name if (head := name.split(".")[0]) in ours else head for name in gone})
    if others:
        notes.append(f"Left out: {', '.join(others)} ({len(gone)} tensors).")
    return notes


def _with_merging(config: Config, merging: str | None) -> Config:
    if merging is None:
        return config
    if config.network != "swin_unetr":
        raise InputError(
            f"merging is of swin_unetr, and the file holds {config.network}; leave it out."
        )
    changed = config.having(options={**config.options, "merging": merging})
    if changed.origin is None:
        return changed
    kept = tuple(note for note in changed.origin.notes if note != _SUPPOSED)
    origin = changed.origin
    return changed.having(
        origin=Origin(origin.name, origin.file, origin.sha256, origin.licence, kept)
    )


def _planned(config: Config) -> nn.Module:
    """Build a network without memory, so that a file whose shapes do not fit takes none.

    Swin UNETR, which needs numbers while it is built, is of one of three sizes anyway.
    """
    import torch

    if config.network == "swin_unetr":
        return rebuild(config, seed=0)
    with torch.device("meta"):
        return rebuild(config, seed=0)
