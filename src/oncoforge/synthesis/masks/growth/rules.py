"""The rules of growth, and the numbers that both programs of them share.

Lai et al., "From Pixel to Cancer: Cellular Automata in Computed Tomography", MICCAI 2024. A point
of the lattice is empty, or holds a population from 1 to 10. In every step

- a population below 10 grows by 1,
- one of 5 or more also tries, up to three times, to place 1 in a neighbour drawn at random, itself
  among them. Tissue accepts it with a probability that falls with its density; a neighbour that is
  mature (10), or becomes so by itself in this step, does not,
- a mature population that draws a wall (vessel, or what is not organ) presses on it. Pressure stays
  up to 2; the wall opens to growth when pressure and the presses of one step come to 4.

Every point is computed from the state before the step alone, so neither their order nor the number
of threads or devices makes a difference. Random numbers are a hash of seed, step and place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.synthesis.scene import Vector

MATURE = 10
PUSHES = 5
"""A population of this size places some of itself in its neighbours."""

TRIES = 3

WALL = 3
"""Codes of tissue: 0, 1 and 2 are its levels; a wall under pressure p is `WALL` + p."""

PRESSURE = 2
"""Pressure that a wall keeps from step to step."""

BREACH = 4
"""Pressure at which a wall opens."""

BEYOND = 8
"""Code of what lies beyond the organ's box, where nothing grows."""

CUT = 9
"""Code of what lies beyond a window that was too small."""

BORDER = 2
"""Points all round a window that hold `BEYOND` or `CUT`: as far as any neighbour lies."""

BITS = 21
"""Random bits for one try: of which neighbour it draws, and likewise of whether tissue accepts."""

GOLDEN, MIX_1, MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
"""Constants of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), which hashes 64 bits to 64."""

DEATH, LUCK = 0xD1B54A32D192ED03, 0x8CB92BA72F3D8DD7
"""Tell the random numbers of death, and of acceptance by tissue, from those of directions."""

STALLED = 20
"""Steps without any new death after which there is nothing left to kill."""

_WORD = (1 << 64) - 1


def mix(word: int) -> int:
    """Hash 64 bits (SplitMix64)."""
    word = ((word ^ (word >> 30)) * MIX_1) & _WORD
    word = ((word ^ (word >> 27)) * MIX_2) & _WORD
    return word ^ (word >> 31)


def key(seed: int, step: int) -> int:
    """Return the 64-bit key of all random numbers of one step."""
    return mix((seed + mix((step * GOLDEN) & _WORD)) & _WORD)


@dataclass(frozen=True)
class Rules:
    """What differs between the paper's rules and those of its released program.

    Parameters
    ----------
    acceptance
        Probability with which tissue of level 1, 2 and 3 accepts growth.
    neighbours
        27: the cube around a point, each drawn equally often; every second step mirrors the draws
        of the one before, so that a tumour in tissue that accepts it stays centred on its seed. 28:
        as released, where a slip in the draw adds one more outcome, at (+2, -1, -1), which makes
        tumours drift.
    """

    acceptance: Vector = (1.0, 0.3, 0.1)
    neighbours: int = 27

    def __post_init__(self) -> None:
        if self.neighbours not in (27, 28):
            raise InputError(f"neighbours is 27 or 28 (as released), not {self.neighbours}.")
        if not all(0 <= p <= 1 for p in self.acceptance) or self.acceptance[0] == 0:
            raise InputError(
                f"acceptance holds three probabilities, the first above 0, not {self.acceptance}."
            )

    @property
    def mirrors(self) -> bool:
        """Whether every second step mirrors the one before."""
        return self.neighbours == 27

    def offsets(self, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Return how far each outcome of a draw lies from a point, in a flat C-ordered window."""
        n = np.arange(self.neighbours)
        x, y, z = n // 9 - 1, n % 9 // 3 - 1, n % 3 - 1
        return (x * shape[1] + y) * shape[2] + z

    def accepts(self) -> NDArray[np.int64]:
        """Return the probabilities of acceptance as whole numbers of 2^-21."""
        return np.rint(np.array(self.acceptance) * 2**BITS).astype(np.int64)


@dataclass(frozen=True)
class Window:
    """A part of the lattice to grow in.

    Parameters
    ----------
    tissue
        uint8 (x, y, z): 0 to 2 for levels 1 to 3, `WALL`, and a border of `BEYOND` or `CUT`.
    organ
        bool (x, y, z): what counts as tumour when it is reached.
    low
        Lattice index of the window's first point.
    """

    tissue: NDArray[np.uint8]
    organ: NDArray[np.bool_]
    low: tuple[int, int, int]


@dataclass(frozen=True)
class Colony:
    """What has grown in a window.

    Parameters
    ----------
    population
        uint8 (x, y, z), 0 to 10.
    born
        uint16 (x, y, z): step after which a point was occupied first; 0 too where it never was.
    volumes
        int64 (steps + 1,): points of the organ that are occupied after each step from 0; empty if
        growth was cut.
    cut
        Whether growth met the edge of the window and stopped there: it needs a larger one.
    """

    population: NDArray[np.uint8]
    born: NDArray[np.uint16]
    volumes: NDArray[np.int64]
    cut: bool
