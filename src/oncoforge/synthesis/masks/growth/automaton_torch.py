"""The automaton on any device of PyTorch: the same rules and numbers, so the same tumours."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.synthesis.masks.growth.rules import (
    BEYOND,
    BITS,
    BREACH,
    CUT,
    DEATH,
    GOLDEN,
    LUCK,
    MATURE,
    MIX_1,
    MIX_2,
    PRESSURE,
    PUSHES,
    STALLED,
    TRIES,
    WALL,
    Colony,
    Rules,
    Window,
    key,
)

_DRAW = 2**BITS - 1
_PRUNE_EVERY = 8
"""Steps between looking for points that cannot act again: a look costs as much as a step."""


def check_device(name: str) -> None:
    """Raise `InputError` if PyTorch does not know a device, or this machine has none."""
    try:
        torch.zeros(1, device=name).cpu()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        reason = "PyTorch knows none of that name" if reason.startswith("Expected") else reason
        raise InputError(
            f"Device {name!r} cannot be used ({reason}); leave it out to work on the CPU."
        ) from error


def grow(
    window: Window,
    cores: NDArray[np.int64],
    steps: int,
    seed: int,
    rules: Rules,
    wanted: int = 0,
    patience: int = 0,
    *,
    device: str,
) -> Colony:
    """Grow populations from seeds (see `automaton.grow`)."""
    field = _Field(window, rules, device)
    tissue = field.to(window.tissue)
    organ = field.to(window.organ)
    accepts = torch.from_numpy(rules.accepts()).to(device)
    population, born = torch.zeros_like(tissue), torch.zeros_like(tissue)
    gain = torch.zeros_like(tissue)
    active = torch.unique(field.points(cores))
    population[active] = PUSHES
    volume, still = int(organ[active].sum()), 0
    volumes: list[int] = []
    for step in range(steps + 1):
        turn = step // 2 if rules.mirrors else step
        mirrored = rules.mirrors and step % 2 == 1
        own = population[active]
        _add(gain, active[own < MATURE])
        able, own = active[own >= PUSHES], own[own >= PUSHES]
        draws = field.draws(able, key(seed, turn))
        luck = field.draws(able, key(seed ^ LUCK, step))
        trying = torch.ones_like(able, dtype=torch.bool)
        for _ in range(TRIES):
            outcome = ((draws & _DRAW) * rules.neighbours) >> BITS
            chance = luck & _DRAW
            draws, luck = _shift(draws, BITS), _shift(luck, BITS)
            target = able + field.offsets[rules.neighbours - 1 - outcome if mirrored else outcome]
            code = tissue[target]
            if bool((trying & (code == CUT)).any()):
                return Colony(
                    field.array(population),
                    field.array(born, torch.uint16),
                    np.zeros(0, np.int64),
                    True,
                )
            soft = (code < WALL) & (population[target] < MATURE - 1)
            placed = trying & soft & (chance < accepts[code.clamp(max=WALL - 1)])
            pressed = trying & (code >= WALL) & (code < BEYOND) & (own == MATURE)
            _add(gain, target[placed | pressed])
            trying &= ~placed
        before = volume
        newborn = _update(population, tissue, gain)
        active = torch.cat([active, newborn])
        if step % _PRUNE_EVERY == _PRUNE_EVERY - 1:
            active = field.prune(active, population)
        born[newborn] = step
        volume += int(organ[newborn].sum())
        volumes.append(volume)
        still = still + 1 if volume == before else 0
        enough = wanted > 0 and volume + (volume - before) / 2 >= wanted
        if enough or (patience > 0 and still >= patience):
            break
    return Colony(
        field.array(population), field.array(born, torch.uint16), np.array(volumes, np.int64), False
    )


def die(
    colony: Colony,
    window: Window,
    dead: NDArray[np.int64],
    steps: int,
    seed: int,
    rules: Rules,
    most: int,
    least: int = 0,
    *,
    device: str,
) -> NDArray[np.bool_]:
    """Spread death through mature populations (see `automaton.die`)."""
    field = _Field(window, rules, device)
    organ = field.to(window.organ)
    mature = field.to(colony.population) == MATURE
    mask = torch.zeros_like(mature)
    front = torch.unique(field.points(dead))
    mask[front] = True
    total = int(organ[front].sum())
    step, still = 0, 0
    while step < steps or (total < least and still < STALLED):
        draws = field.draws(front, key(seed ^ DEATH, step))
        step += 1
        trying = torch.ones_like(front, dtype=torch.bool)
        killed = []
        for _ in range(TRIES):
            outcome = ((draws & _DRAW) * rules.neighbours) >> BITS
            draws = _shift(draws, BITS)
            target = front + field.offsets[outcome]
            hit = trying & mature[target] & ~mask[target]
            killed.append(target[hit])
            trying &= ~hit
        new = torch.unique(torch.cat(killed))
        total += int(organ[new].sum())
        if total > most:
            break
        mask[new] = True
        front = torch.cat([front, new])
        still = 0 if len(new) else still + 1
    return field.array(mask)


class _Field:
    """A window as flat tensors on a device."""

    def __init__(self, window: Window, rules: Rules, device: str) -> None:
        self.shape = window.tissue.shape
        self.low = window.low
        self.device = device
        self.offsets = torch.from_numpy(rules.offsets(self.shape)).to(device)

    def to(self, array: NDArray[Any]) -> torch.Tensor:
        """Return an array as a flat int64 tensor, of its own memory."""
        return torch.from_numpy(array.astype(np.int64).reshape(-1)).to(self.device)

    def array(self, tensor: torch.Tensor, kind: torch.dtype = torch.uint8) -> NDArray[Any]:
        """Return a flat tensor as an array of the window: bool, or else of another type."""
        flat = tensor if tensor.dtype == torch.bool else tensor.to(kind)
        return flat.cpu().numpy().reshape(self.shape)

    def points(self, places: NDArray[np.int64]) -> torch.Tensor:
        """Return the flat indices of (n, 3) points."""
        return torch.from_numpy(np.ravel_multi_index(tuple(places.T), self.shape)).to(self.device)

    def draws(self, points: torch.Tensor, word: int) -> torch.Tensor:
        """Return each point's random bits for a step; int64 holds the 64 bits."""
        row = torch.div(points, self.shape[2], rounding_mode="floor")
        i = torch.div(row, self.shape[1], rounding_mode="floor") + self.low[0]
        j, k = row % self.shape[1] + self.low[1], points % self.shape[2] + self.low[2]
        return _mix(((i << 42) + (j << 21) + k) * _signed(GOLDEN) + _signed(word))

    def prune(self, active: torch.Tensor, population: torch.Tensor) -> torch.Tensor:
        """Return the points that can still act: not mature, or next to one that is not."""
        full = population == MATURE
        around = full[active[:, None] + self.offsets].all(dim=1)
        return active[~(full[active] & around)]


def _update(population: torch.Tensor, tissue: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    """Apply what a step gained, in place; return the points that were empty before."""
    points = torch.nonzero(gain).squeeze(1)
    more, code = gain[points], tissue[points]
    gain[points] = 0
    wall = code >= WALL
    pressure = code - WALL + more
    opened = wall & (pressure >= BREACH)
    holds = wall & ~opened
    tissue[points[holds]] = WALL + pressure[holds].clamp(max=PRESSURE)
    tissue[points[opened]] = 0
    more = torch.where(opened, pressure - BREACH + 1, more)[~holds]
    points = points[~holds]
    old = population[points]
    population[points] = (old + more).clamp(max=MATURE)
    return points[old == 0]


def _add(gain: torch.Tensor, points: torch.Tensor) -> None:
    """Add 1 at each point, as often as it is listed; whole numbers, so in any order."""
    gain.index_add_(0, points, torch.ones_like(points))


def _signed(word: int) -> int:
    """Return 64 bits as the int64 of the same bits."""
    return word - (1 << 64) if word >> 63 else word


def _shift(word: torch.Tensor, bits: int) -> torch.Tensor:
    """Shift int64 to the right as if it were unsigned."""
    return (word >> bits) & ((1 << (64 - bits)) - 1)


def _mix(word: torch.Tensor) -> torch.Tensor:
    """Hash 64 bits; see `rules.mix`. Products wrap round, as those of uint64 do."""
    word = (word ^ _shift(word, 30)) * _signed(MIX_1)
    word = (word ^ _shift(word, 27)) * _signed(MIX_2)
    return word ^ _shift(word, 31)
