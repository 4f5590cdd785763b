"""A linear recurrence over long sequences, in chunks: parallel within them, one after another.

What is worked out is, for every channel d and state n, with decays between 0 and 1::

    h[t] = exp(delta[t] * A) * h[t - 1] + delta[t] * u[t] * B[t]
    y[t] = sum over n of C[t] * h[t]

A chunk is cut into blocks of `STEPS` positions, and all its blocks take their steps together:

1. Each block starts from zero, and only where it ends is kept.
2. The true state is carried from block to block. What a block leaves of it is one exponential,
   exp(A * sum of delta), which may be 0.
3. Each block takes its steps again, now from its true start.

Nothing is ever divided by, so strong decay is as exact as weak. The gradient is the same
recurrence backwards. It needs the states, and works them out anew from the starts of blocks: of
`STEPS` states, one is kept.

Inside, position comes first: (block, step, batch, states, channels). exp2 stands for exp since
PyTorch's is more than twice as fast on a CPU, and as exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import e, log2
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

STEPS = 16
"""Positions of a block. More of them keep less for the gradient, and leave less to do at once."""
NUMBERS = {"cpu": 3 << 18}
"""Numbers of a chunk's states that suit a type of device: here, what its cache holds."""
MANY_NUMBERS = 1 << 25
"""The same for every other device: enough to keep many cores busy."""


def recur(delta: Tensor, u: Tensor, A: Tensor, B: Tensor, C: Tensor, chunk: int | None) -> Tensor:
    """Return ``y`` of the recurrence.

    Parameters
    ----------
    delta, u
        (batch, channels, length).
    A
        (channels, states), negative.
    B, C
        (batch, states, length).
    chunk
        Positions of a chunk; None for as many as suit the device.

    Returns
    -------
    torch.Tensor
        As ``u``.
    """
    tensors = (delta, u, A, B, C)
    keeps = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    steps = min(STEPS, chunk or STEPS, u.shape[2])
    fitting = NUMBERS.get(u.device.type, MANY_NUMBERS) // (u.shape[0] * A.numel())
    blocks = max(1, (chunk or fitting) // steps)
    y: Tensor = _Recurrence.apply(*tensors, steps, blocks, keeps)  # type: ignore[no-untyped-call]
    return y


class _Recurrence(torch.autograd.Function):
    """The recurrence, with a gradient that needs the starts of blocks only."""

    @staticmethod
    def forward(
        ctx: Any,
        delta: Tensor,
        u: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        steps: int,
        blocks: int,
        keeps: bool,
    ) -> Tensor:
        told = [_by_position(tensor, steps) for tensor in (delta, u, B, C)]
        y = torch.empty_like(told[1])
        every = y.shape[1]
        spans = [slice(at, min(at + blocks, every)) for at in range(0, every, blocks)]
        kept = every if keeps else spans[0].stop
        starts = y.new_zeros(kept + 1, u.shape[0], *A.t().shape)
        whole = _Chunk.of(A, told[1][:, spans[0]])
        with _full_precision(y.device.type):
            for span in [] if y.is_meta else spans:  # a meta tensor has no numbers
                number = span.stop - span.start
                here = starts[span.start : span.stop + 1] if keeps else starts[: number + 1]
                piece = [tensor[:, span] for tensor in told]
                whole.first(number).advance(piece, here, y[:, span])
                if not keeps:
                    starts[0] = starts[number]
        if keeps:
            ctx.save_for_backward(*told, A, starts)
            ctx.spans, ctx.length = spans, u.shape[2]
        return _by_sequence(y, u.shape[2])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        *told, A, starts = ctx.saved_tensors
        grad_out = _by_position(grad_y, len(told[0]))
        grads = [torch.empty_like(tensor) for tensor in told]
        grad_A = torch.zeros_like(A)
        whole = _Chunk.of(A, told[1][:, ctx.spans[0]])
        slopes = torch.empty_like(whole.state)
        later = torch.zeros_like(starts[0])
        with _full_precision(grad_y.device.type):
            for span in [] if grad_y.is_meta else reversed(ctx.spans):
                work, before = whole.first(span.stop - span.start), starts[span]
                piece, into = ([tensor[:, span] for tensor in group] for group in (told, grads))
                slope = slopes[:, : len(before)]
                work.retrace(piece, before)
                later = work.adjoin(piece, grad_out[:, span], later, slope)
                grad_A += work.grade(piece, grad_out[:, span], slope, before, into).t()
        delta, u, B, C = (_by_sequence(grad, ctx.length) for grad in grads)
        return delta, u, grad_A, B, C, None, None, None


@dataclass(frozen=True)
class _Chunk:
    """Memory for the states of one chunk, which every chunk uses in turn.

    What its methods take as ``told`` is the chunk's part of delta, u, B and C, each of (steps,
    blocks, batch, channels or states), and as ``starts`` the state before each block. The last
    chunk may have fewer blocks: see `first`.

    Parameters
    ----------
    A
        (states, channels).
    decay, state
        (steps, blocks, batch, states, channels).
    edge
        (blocks, batch, states, channels): what blocks hand on when they start from zero.
    """

    A: Tensor
    decay: Tensor
    state: Tensor
    edge: Tensor

    @classmethod
    def of(cls, A: Tensor, u: Tensor) -> _Chunk:
        """Allocate it for the part of u of the first chunk, the longest."""
        turned = A.t().contiguous()
        shape = (*u.shape[:3], *turned.shape)
        return cls(turned, u.new_empty(shape), u.new_empty(shape), u.new_empty(shape[1:]))

    def first(self, blocks: int) -> _Chunk:
        """Return as much of it as so many blocks need."""
        if blocks == len(self.edge):
            return self
        return _Chunk(self.A, self.decay[:, :blocks], self.state[:, :blocks], self.edge[:blocks])

    def advance(self, told: list[Tensor], starts: Tensor, y: Tensor) -> None:
        """Go through the chunk: fill ``y``, and all of ``starts`` but the first.

        The last of ``starts`` is the state after the chunk.
        """
        delta, _, _, C = told
        self._enter(told)
        entering, *others = self.state.unbind()
        self.edge.copy_(entering)
        for now, decay in zip(others, self.decay[1:].unbind(), strict=True):
            torch.addcmul(now, decay, self.edge, out=self.edge)
        _carry(self._kept(delta), self.edge.unbind(), starts.unbind())
        self._take_steps(starts[:-1])
        y.copy_(_product(C.unsqueeze(3), self.state).squeeze(3))

    def retrace(self, told: list[Tensor], starts: Tensor) -> None:
        """Work out the decays and the states from the starts of all blocks."""
        self._enter(told)
        self._take_steps(starts)

    def adjoin(self, told: list[Tensor], grad_y: Tensor, later: Tensor, slope: Tensor) -> Tensor:
        """Fill ``slope``, the gradient of every state; return that of the state before the chunk.

        ``later`` is the gradient of the last state by way of all that comes after the chunk.
        """
        delta, _, _, C = told
        torch.mul(C.unsqueeze(4), grad_y.unsqueeze(3), out=slope)
        first, *decays = self.decay.unbind()
        *slopes, last = slope.unbind()
        backwards = list(zip(slopes, decays, strict=True))[::-1]
        self.edge.copy_(last)
        for now, decay in backwards:
            torch.addcmul(now, decay, self.edge, out=self.edge)
        self.edge.mul_(first)
        ladder = later.new_empty(len(self.edge) + 1, *later.shape)
        ladder[-1] = later
        _carry(self._kept(delta)[::-1], self.edge.unbind()[::-1], ladder.unbind()[::-1])
        last += ladder[1:]
        after = last
        for now, decay in backwards:
            torch.addcmul(now, decay, after, out=now)
            after = now
        return ladder[0]

    def grade(
        self, told: list[Tensor], grad_y: Tensor, slope: Tensor, starts: Tensor, into: list[Tensor]
    ) -> Tensor:
        """Fill ``into`` with the gradients of what was told, and return that of A, turned.

        Nothing of the decays and slopes is left afterwards.
        """
        delta, u, B, _ = told
        grad_delta, grad_u, grad_B, grad_C = into
        grad_entering = _product(B.unsqueeze(3), slope).squeeze(3)
        torch.mul(grad_entering, delta, out=grad_u)
        grad_B.copy_(_product(slope, (delta * u).unsqueeze(4)).squeeze(4))
        grad_C.copy_(_product(self.state, grad_y.unsqueeze(4)).squeeze(4))
        # Of the exponents delta * A: slope * decay * the state before.
        exponent = self.decay.mul_(slope)
        exponent[1:] *= self.state[:-1]
        exponent[0] *= starts
        torch.addcmul(
            torch.mul(exponent, self.A, out=slope).sum(3), grad_entering, u, out=grad_delta
        )
        return torch.mul(exponent, delta.unsqueeze(3), out=slope).sum((0, 1, 2))

    def _enter(self, told: list[Tensor]) -> None:
        """Fill the decays, and the states with what enters them."""
        delta, u, B, _ = told
        torch.mul(delta.unsqueeze(3), self.A * log2(e), out=self.decay).exp2_()
        torch.mul(B.unsqueeze(4), (delta * u).unsqueeze(3), out=self.state)

    def _take_steps(self, starts: Tensor) -> None:
        """Make true states of what enters them."""
        before = starts
        for now, decay in zip(self.state.unbind(), self.decay.unbind(), strict=True):
            torch.addcmul(now, decay, before, out=now)
            before = now

    def _kept(self, delta: Tensor) -> Sequence[Tensor]:
        """Return what each block leaves of the state before it."""
        return (delta.sum(0).unsqueeze(2) * (self.A * log2(e))).exp2_().unbind()


def _carry(kept: Sequence[Tensor], handed: Sequence[Tensor], ladder: Sequence[Tensor]) -> None:
    """Fill a ladder from its first rung: each is what is kept of the last, and what is handed."""
    for keep, hand, last, rung in zip(kept, handed, ladder[:-1], ladder[1:], strict=True):
        torch.addcmul(hand, keep, last, out=rung)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Multiply matrices along three axes of them."""
    product = torch.bmm(left.flatten(0, 2), right.flatten(0, 2))
    return product.view(*left.shape[:3], *product.shape[1:])


def _full_precision(device: str) -> AbstractContextManager[object]:
    """Keep autocast out, where a type of device has it."""
    if torch.amp.is_autocast_available(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()


def _by_position(sequences: Tensor, steps: int) -> Tensor:
    """Turn (batch, channels, length) into (steps, blocks, batch, channels), with zeros after.

    In memory, positions lie in their order: the steps of a block after each other.
    """
    batch, channels, length = sequences.shape
    blocks = -(-length // steps)
    turned = sequences.new_empty(blocks * steps, batch, channels)
    turned[length:] = 0
    for number in range(batch):  # PyTorch turns a matrix several times faster than more axes
        turned[:length, number].copy_(sequences[number].t())
    return turned.view(blocks, steps, batch, channels).transpose(0, 1)


def _by_sequence(turned: Tensor, length: int) -> Tensor:
    """Turn (steps, blocks, batch, channels) back into (batch, channels, length)."""
    flat = turned.transpose(0, 1).flatten(0, 1)[:length]
    sequences = turned.new_empty(*flat.shape[1:], length)
    for number in range(len(sequences)):
        sequences[number].copy_(flat[:, number].t())
    return sequences
