"""Where in a file the weights of a network are, and by which names the network knows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from oncoforge.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from torch import Tensor

TOPS: Final = ("state_dict", "network_weights", "ema", "model_state_dict", "model", "net")
"""Keys under which files hold their weights, the first that is there counts.

``network_weights`` is nnU-Net's, ``net`` SuPreM's; DiffTumor's denoiser has the averaged ``ema``
beside ``model``, and samples with the former.
"""

WRAPPERS: Final = ("module.", "_orig_mod.", "network.", "backbone.")
"""What stands before every name when a network was saved inside something else."""

PARTS: Final = ("netG.", "netD.", "netSeg.", "denoise_fn.", "vqgan.")
"""Networks that published files hold together, by how their names begin."""


@dataclass(frozen=True)
class View:
    """Weights that may be those of a network.

    Parameters
    ----------
    tensors
        By the names that networks here have.
    part
        Which of the networks of a file they are of; empty if it holds one.
    beside
        Names of the file that are left out, by their whole name.
    old
        Whether its names are older than MONAI's: ``mlp.fc1``, or a last norm that nothing uses.
    """

    tensors: Mapping[str, Tensor]
    part: str = ""
    beside: tuple[str, ...] = ()
    old: bool = False


def weights_of(top: Mapping[str, Any], path: object, part: str | None = None) -> dict[str, Tensor]:
    """Return the tensors of a file by name.

    Parameters
    ----------
    top
        What the file holds.
    path
        What it is called in sentences.
    part
        The key that holds them, or how their names begin; None for what is usual.

    Raises
    ------
    InputError
        If there are none.
    """
    if part is not None and part in top and _tensors(top[part]):
        return _tensors(top[part])
    for key in TOPS:
        if found := _tensors(top.get(key)):
            return found
    if found := _tensors(top):
        return found
    raise InputError(
        f"{path} holds no weights: its keys are {_listed(top) or 'none'}, and weights are looked "
        f"for under {', '.join(TOPS)} or at the top."
    )


def views(weights: Mapping[str, Tensor], part: str | None = None) -> Iterator[View]:
    """Yield what may be one network, the likeliest first.

    MONAI's U-Net has names that begin with ``model.`` themselves; as a wrapper that is the last
    thing to be tried.
    """
    whole = unwrapped(weights)
    if part is None or part in TOPS:
        yield _view(whole)
    for begin in PARTS:
        if part in (None, begin.rstrip("."), *TOPS) and (inside := _inside(whole, begin)):
            beside = tuple(name for name in whole if not name.startswith(begin))
            yield _view(unwrapped(inside), begin.rstrip("."), beside)
    for begin in ("model.", "net.", "backbone."):
        if inside := _inside(whole, begin):
            beside = tuple(name for name in whole if not name.startswith(begin))
            yield _view(unwrapped(inside), "", beside)


def check_part(weights: Mapping[str, Tensor], top: Mapping[str, Any], part: str | None) -> None:
    """Raise if a file has no such part.

    Raises
    ------
    UnknownNameError
        With the parts that it has.
    """
    whole = unwrapped(weights)
    known = [begin.rstrip(".") for begin in PARTS if _inside(whole, begin)]
    known += [key for key in TOPS if _tensors(top.get(key))]
    if part is not None and part not in known:
        raise UnknownNameError("part of the file", part, known or ["(it has no parts)"])


def unwrapped(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights without what stands before every name."""
    plain = dict(weights)
    while begin := next((w for w in WRAPPERS if all(k.startswith(w) for k in plain)), None):
        plain = {name.removeprefix(begin): tensor for name, tensor in plain.items()}
        if not plain:
            break
    return plain


def swin_names(weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], bool]:
    """Return weights by the names that MONAI's Swin UNETR has today, and whether they were older.

    ``swin_vit`` is today's ``swinViT``, ``mlp.fc1`` its ``mlp.linear1``; ``swinViT.norm`` is in the
    predecessors' files, and nothing uses it.
    """
    renamed, old = {}, False
    for name, tensor in weights.items():
        new = name.replace("swin_vit.", "swinViT.")
        if new.startswith("swinViT."):
            old |= ".mlp.fc" in new or new.startswith("swinViT.norm.")
            new = new.replace(".mlp.fc1.", ".mlp.linear1.").replace(".mlp.fc2.", ".mlp.linear2.")
        if not new.startswith("swinViT.norm."):
            renamed[new] = tensor
    return renamed, old


def _view(weights: Mapping[str, Tensor], part: str = "", beside: tuple[str, ...] = ()) -> View:
    tensors, old = swin_names(weights)
    return View(tensors, part, beside, old)


def _inside(weights: Mapping[str, Tensor], begin: str) -> dict[str, Tensor]:
    return {k.removeprefix(begin): tensor for k, tensor in weights.items() if k.startswith(begin)}


def _tensors(value: Any) -> dict[str, Tensor]:
    """Return the dense tensors of a mapping by name; none if it is no mapping."""
    import torch

    if not isinstance(value, Mapping):
        return {}
    return {
        name: tensor.detach()
        for name, tensor in value.items()
        if isinstance(name, str)
        and isinstance(tensor, torch.Tensor)
        and tensor.layout is torch.strided
        and tensor.device.type in ("cpu", "meta")
    }


def _listed(names: Mapping[str, Any], most: int = 8) -> str:
    shown = list(names)[:most]
    return ", ".join(shown) + (", ..." if len(names) > most else "")
