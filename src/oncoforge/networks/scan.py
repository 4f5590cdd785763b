"""The selective state-space scan of Mamba (Gu & Dao 2023, arXiv:2312.00752), in plain PyTorch.

Of one channel of ``u``, with a state of N numbers (equation 2a and 4 of the paper, discretised)::

    state[t] = exp(delta[t] * A) * state[t - 1] + delta[t] * B[t] * u[t]
    y[t] = sum(C[t] * state[t]) + D * u[t]

``A`` and ``D`` belong to the channel. ``delta``, ``B`` and ``C`` change with t: that is what
"selective" means.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from importlib import import_module

import torch
from torch import Tensor
from torch.nn import functional

from oncoforge.errors import InputError
from oncoforge.networks.recurrence import recur

SWITCH = "ONCOFORGE_FUSED_SCAN"
"""Environment variable: 0 keeps the CUDA kernel of the package `mamba_ssm` from being used."""


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    *,
    chunk: int | None = None,
) -> Tensor:
    """Scan sequences in chunks; equal to `sequential_scan`, and differentiable in every tensor.

    Numbers are float64 if ``u`` is, else float32, whatever autocast says. Where `mamba_ssm` is
    installed, sequences on a CUDA device go through its kernel instead (see `SWITCH`).

    Parameters
    ----------
    u
        (batch, channels, length): the sequences.
    delta
        As ``u``: the size of each step, not negative once `delta_bias` and `delta_softplus` did
        their part.
    A
        (channels, states): negative, so that states decay.
    B, C
        (batch, states, length): how an input enters the state, and how the state is read.
    D
        (channels,): how much of the input is added to the output; None for none of it.
    z
        As ``u``: the output is multiplied by SiLU(z); None for no gate.
    delta_bias
        (channels,): added to ``delta``.
    delta_softplus
        Whether ``delta`` (with its bias) is passed through softplus.
    chunk
        Positions worked on at once; None for as many as suit the device. It changes memory and
        speed, and the result by rounding only.

    Returns
    -------
    torch.Tensor
        As ``u``, of its type.

    Raises
    ------
    InputError
        If shapes do not fit each other, or `chunk` is below 1.
    """
    _check(u, delta, A, B, C)
    if chunk is not None and chunk < 1:
        raise InputError(f"chunk is {chunk}; give a number of positions from 1.")
    kernel = fused_kernel(u.device.type) if u.dtype != torch.float64 else None
    if kernel is not None:
        return kernel(u, delta, A, B, C, D, z, delta_bias, delta_softplus)
    working = torch.float64 if u.dtype == torch.float64 else torch.float32
    wide = u.to(working)
    step = _step(delta.to(working), delta_bias, delta_softplus)
    y = recur(step, wide, A.to(working), B.to(working), C.to(working), chunk)
    return _read_out(y, wide, D, z).to(u.dtype)


def sequential_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
) -> Tensor:
    """Scan position after position, as the equations stand: slow, and what ours must equal.

    Parameters and result are those of `selective_scan`.
    """
    _check(u, delta, A, B, C)
    step = _step(delta, delta_bias, delta_softplus)
    state = u.new_zeros(*u.shape[:2], A.shape[1])
    outputs = []
    for now, entering, into, out in zip(
        step.unbind(-1), (step * u).unbind(-1), B.unbind(-1), C.unbind(-1), strict=True
    ):
        state = torch.exp(now[..., None] * A) * state + entering[..., None] * into[:, None]
        outputs.append((state * out[:, None]).sum(-1))
    return _read_out(torch.stack(outputs, -1), u, D, z)


def fused_kernel(device: str) -> Callable[..., Tensor] | None:
    """Return the CUDA kernel of `mamba_ssm` for a type of device; None if there is none to use."""
    if device != "cuda" or os.environ.get(SWITCH, "1") == "0":
        return None
    return _installed_kernel()


@cache
def _installed_kernel() -> Callable[..., Tensor] | None:
    try:
        module = import_module("mamba_ssm.ops.selective_scan_interface")
    except ImportError:  # not installed, or built for another PyTorch
        return None
    kernel: Callable[..., Tensor] = module.selective_scan_fn
    return kernel


def _step(delta: Tensor, bias: Tensor | None, softplus: bool) -> Tensor:
    shifted = delta if bias is None else delta + bias.to(delta.dtype)[:, None]
    return functional.softplus(shifted) if softplus else shifted


def _read_out(y: Tensor, u: Tensor, D: Tensor | None, z: Tensor | None) -> Tensor:
    passed = y if D is None else torch.addcmul(y, D.to(y.dtype)[:, None], u)
    return passed if z is None else passed * functional.silu(z.to(y.dtype))


def _check(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> None:
    if u.ndim != 3 or A.ndim != 2 or not u.shape[2]:
        raise InputError(
            f"A scan takes u of (batch, channels, length) and A of (channels, states); found "
            f"{tuple(u.shape)} and {tuple(A.shape)}."
        )
    batch, channels, length = u.shape
    read = (batch, A.shape[1], length)
    expected = (u.shape, (channels, A.shape[1]), read, read)
    for name, tensor, shape in zip(
        ["delta", "A", "B", "C"], (delta, A, B, C), expected, strict=True
    ):
        if tensor.shape != shape:
            raise InputError(
                f"{name} of a scan must be {shape} to fit u, and is {tuple(tensor.shape)}."
            )
