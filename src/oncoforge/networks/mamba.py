"""The Mamba layer (Gu & Dao 2023, arXiv:2312.00752, figure 3), and it in three orders of a volume.

Modules and parameters have the names that the field's checkpoints have, so that those may load.
"""

from __future__ import annotations

from math import ceil, log
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from oncoforge.networks.scan import selective_scan

EXPAND = 2
"""Inner channels of a layer, of its own."""
STATES = 16
"""Numbers of the state of one inner channel."""
TAPS = 4
"""Positions that the causal convolution sees."""
DELTA = (0.001, 0.1)
"""Range of delta in a new layer, drawn evenly on a logarithmic scale (section 3.6 of the paper)."""
LEAST_DELTA = 1e-4


class _Parts(NamedTuple):
    """Names of what scans in one order."""

    conv1d: str
    x_proj: str
    dt_proj: str
    A_log: str
    D: str


FORWARD = _Parts("conv1d", "x_proj", "dt_proj", "A_log", "D")
BACKWARD = _Parts("conv1d_b", "x_proj_b", "dt_proj_b", "A_b_log", "D_b")
ACROSS = _Parts("conv1d_s", "x_proj_s", "dt_proj_s", "A_s_log", "D_s")


class Mamba(nn.Module):
    """A Mamba layer, which reads a sequence from its first position to its last.

    Parameters
    ----------
    d_model
        Channels in and out.
    """

    orders: tuple[_Parts, ...] = (FORWARD,)

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.d_inner = EXPAND * d_model
        self.dt_rank = ceil(d_model / 16)
        self.in_proj = nn.Linear(d_model, 2 * self.d_inner, bias=False)
        for names in self.orders:
            self._add(names)
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=False)

    def forward(self, tokens: Tensor, slices: int = 1) -> Tensor:
        """Mix the positions of sequences.

        Parameters
        ----------
        tokens
            (batch, length, channels).
        slices
            In how many slices of one size the sequence lies; what reads it in its own order only
            has no use for that.

        Returns
        -------
        torch.Tensor
            As ``tokens``.
        """
        x, z = self.in_proj(tokens).transpose(1, 2).chunk(2, dim=1)
        mixed = self.mix(x, slices) * functional.silu(z)
        out: Tensor = self.out_proj(mixed.transpose(1, 2))
        return out

    def mix(self, x: Tensor, slices: int) -> Tensor:
        """Mix the positions of (batch, inner channels, length)."""
        return self._scan(x, FORWARD)

    def _add(self, names: _Parts) -> None:
        """Add what one order needs, with weights as the paper begins."""
        inner, rank = self.d_inner, self.dt_rank
        conv = nn.Conv1d(inner, inner, TAPS, padding=TAPS - 1, groups=inner)
        x_proj = nn.Linear(inner, rank + 2 * STATES, bias=False)
        dt_proj = nn.Linear(rank, inner)
        nn.init.uniform_(dt_proj.weight, -(rank**-0.5), rank**-0.5)
        low, high = map(log, DELTA)
        delta = torch.empty(inner).uniform_(low, high).exp().clamp(min=LEAST_DELTA)
        with torch.no_grad():
            dt_proj.bias.copy_(delta + torch.log(-torch.expm1(-delta)))  # softplus gives delta back
        # S4D-Real (section 3.6): state n decays at the rate n.
        rates = torch.arange(1, STATES + 1, dtype=torch.float32).repeat(inner, 1)
        parts = (conv, x_proj, dt_proj, nn.Parameter(rates.log()), nn.Parameter(torch.ones(inner)))
        for name, part in zip(names, parts, strict=True):
            setattr(self, name, part)

    def _scan(self, x: Tensor, names: _Parts) -> Tensor:
        conv, x_proj, dt_proj, A_log, D = (getattr(self, name) for name in names)
        u = functional.silu(conv(x)[..., : x.shape[2]])
        delta, B, C = (
            part.transpose(1, 2)
            for part in x_proj(u.transpose(1, 2)).split([self.dt_rank, STATES, STATES], dim=2)
        )
        delta = dt_proj.weight @ delta
        return selective_scan(
            u, delta, -torch.exp(A_log), B, C, D, delta_bias=dt_proj.bias, delta_softplus=True
        )


class TriMamba(Mamba):
    """A Mamba layer that reads a volume forwards, backwards and across its slices.

    The tri-orientated Mamba of Xing et al. 2024 (arXiv:2401.13560): each order has a convolution
    and a scan of its own, and their outputs are added. Across the slices, the sequence goes
    through the first position of every slice, then through the second of every slice, and so on.
    """

    orders = (FORWARD, BACKWARD, ACROSS)

    def mix(self, x: Tensor, slices: int) -> Tensor:
        """Mix the positions of (batch, inner channels, length) in three orders."""
        backward = self._scan(x.flip(2), BACKWARD).flip(2)
        length = x.shape[2]
        across = self._scan(_turned(x, slices), ACROSS)
        return self._scan(x, FORWARD) + backward + _turned(across, length // slices)


def _turned(x: Tensor, rows: int) -> Tensor:
    """Read (batch, channels, rows * columns) column by column; by columns, it turns it back."""
    return x.view(*x.shape[:2], rows, -1).transpose(2, 3).flatten(2)
