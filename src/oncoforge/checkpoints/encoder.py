"""Start a network from an encoder that was trained without tumours."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from oncoforge.checkpoints.cache import locate
from oncoforge.checkpoints.catalogue import DIFFERS, identify
from oncoforge.checkpoints.files import read, sha256
from oncoforge.checkpoints.record import LEGACY, Weights
from oncoforge.checkpoints.shapes_other import swin_encoder
from oncoforge.checkpoints.views import swin_names, unwrapped, weights_of
from oncoforge.errors import InputError
from oncoforge.networks.config import Config, Origin

if TYPE_CHECKING:
    from torch import Tensor, nn

_ENCODERS: Final = {
    "swin_unetr": r"swinViT\.|encoder\d+\.",
    "segmamba": r"vit\.|encoder\d+\.",
    "nnunet": r"input_block\.|downsamples\.|bottleneck\.",
    "segresnet": r"convInit\.|down_layers\.",
    "unetpp": r"conv_\d_0\.",
    # The way down: every level but what follows its submodule.
    "unet": r"model\.(1\.submodule\.)*(0\.|conv\.|residual\.|adn\.)",
}
"""Network to how the names of its encoder begin."""

_SWIN: Final = r"swinViT\.|encoder\d+\.|decoder\d+\."

_HEADS: Final = r"out\.|output_block\.|deep_supervision_heads\.|conv_final\.|final_conv_"

_OTHER_MERGING: Final = (
    "It was trained with the legacy patch merging, and the network has the corrected one: its "
    "downsampling layers mean something else there. Build the network with merging='legacy' to "
    "start from what was trained."
)


@dataclass(frozen=True)
class Transfer:
    """What a network took over from a file.

    Parameters
    ----------
    taken
        Names of the network that have the file's values now.
    kept
        Names of its encoder that the file has nothing for; they are as they were.
    unused
        Names of the file that nothing was taken of.
    notes
        What to know: one sentence each.
    """

    taken: tuple[str, ...]
    kept: tuple[str, ...]
    unused: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Encoder:
    """The encoder of a network, which a file holds without its last layer.

    Parameters
    ----------
    network
        Name of the network that it goes into.
    in_channels
        Of its input.
    options
        Those that the network is to be built with.
    features
        Of its first stage.
    tensors
        Those that `load_encoder` may take, by the names of the network.
    decoder
        Whether a decoder is among them, which ``whole=True`` takes too.
    origin
        Where it comes from.
    """

    network: str
    in_channels: int
    options: Mapping[str, Any]
    features: int
    tensors: Mapping[str, Tensor]
    decoder: bool
    origin: Origin


class EncoderOnlyError(InputError):
    """A file of an encoder where a network is needed; `encoder` is what it holds."""

    def __init__(self, path: object, encoder: Encoder) -> None:
        self.encoder = encoder
        beside = ", beside a decoder without its last layer" if encoder.decoder else ""
        super().__init__(
            f"{path} holds an encoder only, that of {encoder.network} {encoder.options['size']} "
            f"({encoder.features} features){beside}, and no network that segments; copy it into "
            "one with oncoforge.checkpoints.load_encoder(network, FILE)."
        )


def find_encoder(
    weights: Mapping[str, Tensor], path: Path, known: Weights | None, digest: str
) -> Encoder | None:
    """Tell which encoder weights are; None if they are none that is known alone.

    Parameters
    ----------
    weights
        By the names of the file.
    path, digest
        The file and its SHA-256.
    known
        What the catalogue knows of it.

    Raises
    ------
    InputError
        If it is one of a size that cannot be built here.
    """
    named = _named(weights)
    try:
        found = swin_encoder({key: tuple(tensor.shape) for key, tensor in named.items()})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except ValueError:  # the name is there, and its shape is none of Swin UNETR's
        return None
    if found is None or any(re.match(_HEADS, key) for key in named):
        return None
    channels, options = found
    known = known if known is not None and known.network == "swin_unetr" else None
    tensors = {key: tensor for key, tensor in named.items() if re.match(_SWIN, key)}
    beside = sorted({key.split(".")[0] for key in named if key not in tensors})
    notes = list(known.notes) if known else []
    if known is None and not any(".mlp.fc" in name for name in weights):
        notes.append("Its names do not tell its patch merging; the legacy one is supposed.")
    if known is not None and known.sha256 not in ("", digest):
        notes.append(DIFFERS)
    if number := len(named) - len(tensors):
        notes.append(f"Left out: {', '.join(beside)} ({number} tensor{'s' * (number != 1)}).")
    return Encoder(
        network="swin_unetr",
        in_channels=channels,
        options={**options, "merging": (known.merging if known else "") or LEGACY},
        features=named["swinViT.patch_embed.proj.weight"].shape[0],
        tensors=tensors,
        decoder=any(key.startswith("decoder") for key in tensors),
        origin=Origin(
            name=known.name if known else "",
            file=path.name,
            sha256=digest,
            licence=known.licence if known else "",
            notes=tuple(notes),
        ),
    )


def load_encoder(
    network: nn.Module, source: str | os.PathLike[str], *, whole: bool = False
) -> Transfer:
    """Copy an encoder into a network; the rest of it stays as it is.

    Parameters
    ----------
    network
        One that `oncoforge.networks.build` gave; its weights are changed.
    source
        A file (SuPreM, VoCo, Swin UNETR's own self-supervised ones, or any checkpoint of the same
        network), or a name of the catalogue that was fetched.
    whole
        Take the decoder too, where the file has one; never the last layer.

    Returns
    -------
    Transfer
        What was taken and what was not.

    Raises
    ------
    InputError
        If the file cannot be read or is refused, nothing in it has a name of the encoder, or sizes
        do not fit; the network is as it was then.
    """
    config = getattr(network, "config", None)
    if not isinstance(config, Config) or config.network not in _ENCODERS:
        raise InputError(
            f"An encoder goes into {', '.join(_ENCODERS)}, built with oncoforge.networks.build."
        )
    path, known = locate(source)
    contents = read(path)
    weights = _named(weights_of(contents.top, path))
    own = network.state_dict(keep_vars=True)
    begins = re.compile(_ENCODERS[config.network])
    wanted = [k for k in own if begins.match(k) or (whole and not re.match(_HEADS, k))]
    taken = [key for key in wanted if key in weights]
    if not taken:
        raise InputError(
            f"{path} has nothing for the encoder of {config.network}: none of its {len(weights)} "
            f"tensors is called as {wanted[0]} is."
        )
    _check_shapes(path, config, own, weights, taken)
    import torch

    with torch.no_grad():
        for key in taken:
            own[key].copy_(weights[key])
    known = known or identify(path, sha256(path))
    legacy = known is None or known.merging != "corrected"
    other = config.options.get("merging") == "corrected" and legacy
    filled = {id(own[key]) for key in taken}
    return Transfer(
        tuple(taken),
        tuple(key for key in own if begins.match(key) and id(own[key]) not in filled),
        tuple(key for key in weights if key not in taken),
        (_OTHER_MERGING,) if other else (),
    )


def _named(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights by MONAI's names, whatever the encoder was saved inside of."""
    plain = unwrapped(weights)
    if any(name.startswith("backbone.") for name in plain):
        # SuPreM has other modules beside it.
        plain = {name.removeprefix("backbone."): tensor for name, tensor in plain.items()}
    return swin_names({_swin_name(name): tensor for name, tensor in plain.items()})[0]


def _swin_name(name: str) -> str:
    """Return the name of a tensor in Swin UNETR, of an encoder that was saved alone.

    That of 50,000 scans calls its layers ``encoder.layers1.0.0``.
    """
    bare = re.sub(r"^encoder\.(layers\d\.0)\.0\.", r"\1.", name)
    bare = re.sub(r"^encoder\.(?=patch_embed\.|layers\d|norm\.)", "", bare)
    return f"swinViT.{bare}" if re.match(r"patch_embed\.|layers\d|norm\.", bare) else bare


def _check_shapes(
    path: object,
    config: Config,
    own: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    taken: list[str],
) -> None:
    wrong = [key for key in taken if own[key].shape != weights[key].shape]
    if wrong:
        key = wrong[0]
        theirs, ours = ("x".join(map(str, t.shape)) for t in (weights[key], own[key]))
        size = f" {config.options['size']}" if "size" in config.options else ""
        raise InputError(
            f"{path} is the encoder of another size than {config.network}{size}: {len(wrong)} of "
            f"{len(taken)} tensors differ, such as {key} with {theirs} where {ours} is needed; "
            "build the network in the size of the file."
        )
