"""Put weights into a network, and say what does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from oncoforge.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

_SHOWN = 4


def check(
    module: nn.Module, weights: Mapping[str, Tensor], path: object, name: str, *, strict: bool
) -> tuple[str, ...]:
    """Return what is missing and what is too much, one sentence each; nothing is changed.

    Names of one tensor, such as those that DynUNet keeps twice, are one: one of them is enough.

    Parameters
    ----------
    module
        The network, which may be on the device ``"meta"``.
    weights
        By the network's names.
    path, name
        What file and network are called in sentences.
    strict
        Refuse what is missing or too much. Shapes must fit in any case.

    Raises
    ------
    InputError
        With the numbers and the first names of what does not fit.
    """
    own = module.state_dict(keep_vars=True)
    wrong = [k for k, tensor in weights.items() if k in own and own[k].shape != tensor.shape]
    if wrong:
        key = wrong[0]
        raise InputError(
            f"{path} does not fit {name}: {_number(wrong, 'tensor')} of another shape, such as "
            f"{key} with {_shape(weights[key])} where {_shape(own[key])} is needed."
        )
    filled = {id(own[key]) for key in weights if key in own}
    missing = [key for key, tensor in own.items() if id(tensor) not in filled]
    extra = [key for key in weights if key not in own]
    told = [f"{_number(keys, 'key')} {what}: {_first(keys)}."
            for keys, what in ((missing, "missing"), (extra, "too many")) if keys]  # fmt: skip
    if strict and told:
        raise InputError(
            f"{path} does not fit {name}. {' '.join(told)} Name its network if it is another, or "
            "load it with strict=False (--not-strict) to let missing ones keep their random values "
            "and to leave out the others."
        )
    return tuple(told)


def fill(module: nn.Module, weights: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Copy weights into a network that they fit, and return what to know of them.

    Values become of the network's type (float32): float16 and bfloat16 lose nothing, float64 is
    rounded.
    """
    import torch

    own = module.state_dict(keep_vars=True)
    fitting = {key: tensor for key, tensor in weights.items() if key in own}
    notes = []
    kinds = {tensor.dtype for key, tensor in fitting.items() if tensor.dtype != own[key].dtype}
    for kind in sorted(map(str, kinds)):
        notes.append(f"The file's values are {kind.removeprefix('torch.')}; they became float32.")
    # A flag for all names, because a network that has one name twice has one tensor.
    with torch.no_grad():
        for key, tensor in fitting.items():
            own[key].copy_(tensor)
    wild = sum(
        int((~torch.isfinite(tensor)).sum())
        for tensor in fitting.values()
        if tensor.is_floating_point()
    )
    if wild:
        notes.append(f"{wild:,} of its values are not finite.")
    return tuple(notes)


def _number(keys: Sequence[str], noun: str) -> str:
    return f"{len(keys)} {noun}{'s' * (len(keys) != 1)}"


def _first(keys: Iterable[str]) -> str:
    listed = list(keys)
    return ", ".join(listed[:_SHOWN]) + (", ..." if len(listed) > _SHOWN else "")


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"
