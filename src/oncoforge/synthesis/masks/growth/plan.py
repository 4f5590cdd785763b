"""One growing tumour, as drawn and as grown."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.synthesis.masks import sizes
from oncoforge.synthesis.masks.growth import automaton
from oncoforge.synthesis.masks.growth.clock import diameter_after
from oncoforge.synthesis.masks.growth.grown import Grown, cut_out
from oncoforge.synthesis.masks.growth.lattice import Lattice
from oncoforge.synthesis.masks.growth.rules import BEYOND, MATURE, WALL, Colony, Rules, Window
from oncoforge.synthesis.masks.growth.window import check_room, window
from oncoforge.synthesis.scene import Scene, Vector
from oncoforge.synthesis.tissue import Tissue

MOST_STEPS = 2000
PATIENCE = 60
"""A tumour that is to reach a size gives up after so many steps without growing."""

_FARTHEST_MM = 1e5
_MOST_CORES = 100
_FINEST_MM, _COARSEST_MM = 0.1, 20.0
_WIDEST = 500
_ROOM = 5
"""Points that a window holds beyond the radius expected in tissue of level 1."""

_LEAST_DEAD, _MOST_DEAD = 0.2, 0.35
"""Part of a tumour that dies, if any does: about what the published rules give."""

_DEATHS = (5, 19)
"""Places about each seed that may be dead from the start."""


class Backend(NamedTuple):
    """The two programs of the automaton, on one device."""

    grow: Callable[..., Colony]
    die: Callable[..., NDArray[np.bool_]]


def backend(device: str) -> Backend:
    """Return the automaton for a device.

    Parameters
    ----------
    device
        ``"cpu"``, or a device of PyTorch such as ``"cuda"``.

    Raises
    ------
    InputError
        If PyTorch is not installed, or does not have the device.
    """
    if device == "cpu":
        return Backend(automaton.grow, automaton.die)
    try:
        from oncoforge.synthesis.masks.growth import automaton_torch
    except ImportError as error:
        raise InputError(
            f"Device {device!r} needs PyTorch; pip install 'oncoforge[monai]', or leave it out to "
            "work on the CPU."
        ) from error
    automaton_torch.check_device(device)
    return Backend(
        partial(automaton_torch.grow, device=device), partial(automaton_torch.die, device=device)
    )


def check_pitch(pitch_mm: float, diameter_mm: float | None) -> None:
    """Raise `InputError` if a lattice makes no sense, or no sense for a diameter."""
    if not _FINEST_MM <= pitch_mm <= _COARSEST_MM:
        raise InputError(
            f"pitch_mm is from {_FINEST_MM:g} to {_COARSEST_MM:g} mm, not {pitch_mm:g}."
        )
    if diameter_mm is not None and diameter_mm > _WIDEST * pitch_mm:
        raise InputError(
            f"A diameter of {diameter_mm:g} mm is more than {_WIDEST} points of {pitch_mm:g} mm; "
            "raise pitch_mm."
        )


@dataclass(frozen=True)
class GrowthPlan:
    """One growing tumour, as drawn.

    Parameters
    ----------
    cores_mm
        Where it starts, mm from the centre of the scan's first voxel along the array axes; the
        first is its focus, and more make a cluster.
    steps
        How long it grows; at most so long if a diameter is asked for.
    diameter_mm
        Diameter at which it stops, of the sphere of its volume in the organ; None for never.
    seed
        Of its random numbers.
    necrosis
        Whether its middle dies.
    levels_hu, smooth_mm
        See `Tissue`.
    acceptance, neighbours
        See `Rules`.
    pitch_mm
        Distance of the lattice's points.
    """

    cores_mm: tuple[Vector, ...]
    steps: int
    levels_hu: Vector
    diameter_mm: float | None = None
    seed: int = 0
    necrosis: bool = False
    smooth_mm: float = 0.0
    acceptance: Vector = (1.0, 0.3, 0.1)
    neighbours: int = 27
    pitch_mm: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= len(self.cores_mm) <= _MOST_CORES:
            raise InputError(f"cores_mm lists 1 to {_MOST_CORES} places, not {len(self.cores_mm)}.")
        if max(abs(c) for core in self.cores_mm for c in core) > _FARTHEST_MM:
            raise InputError(f"cores_mm {self.cores_mm[0]} is not in any scan.")
        if not 0 <= self.steps <= MOST_STEPS or not 0 <= self.seed < 2**63:
            raise InputError(
                f"steps ({self.steps}) is from 0 to {MOST_STEPS}, and seed ({self.seed}) a whole "
                "number of up to 63 bits."
            )
        sizes.check_lesions(None, self.diameter_mm, 0)
        check_pitch(self.pitch_mm, self.diameter_mm)
        self.tissue, self.rules  # noqa: B018  # both check their fields

    @property
    def tissue(self) -> Tissue:
        """Levels of the tissue that it grows in."""
        return Tissue(self.levels_hu, self.smooth_mm)

    @property
    def rules(self) -> Rules:
        """Rules that it grows by."""
        return Rules(self.acceptance, self.neighbours)

    def grow(self, scene: Scene, run: Backend) -> Grown | None:
        """Grow the tumour in an organ, whatever else is placed there.

        Parameters
        ----------
        scene
            The organ.
        run
            See `backend`.

        Returns
        -------
        The tumour, or None if its focus lies outside the organ's box.
        """
        lattice = Lattice(scene, self.pitch_mm)
        points = np.array([lattice.nearest(core) for core in self.cores_mm])
        first, last = lattice.limits()
        if (points[0] < first).any() or (points[0] >= last).any():
            return None
        expected, wanted = diameter_after(self.steps), 0
        if self.diameter_mm is not None:
            expected = self.diameter_mm / self.pitch_mm
            wanted = max(1, round(expected**3 * math.pi / 6))
        reach = round(0.55 * expected) + _ROOM
        while True:
            low, high = points.min(axis=0) - reach, points.max(axis=0) + reach + 1
            check_room(np.minimum(high, last) - np.maximum(low, first))
            place = window(self.tissue, lattice, low, high)
            cores = _cores(place, points)
            patience = PATIENCE if wanted else 0
            colony = run.grow(place, cores, self.steps, self.seed, self.rules, wanted, patience)
            if not colony.cut:
                break
            reach += reach // 2
        dead = self._kill(place, colony, cores, run) if self.necrosis else None
        return cut_out(lattice, place, colony, dead)

    def _kill(
        self, place: Window, colony: Colony, cores: NDArray[np.int64], run: Backend
    ) -> NDArray[np.bool_]:
        """Let a tumour die from its seeds outwards, and return what is dead.

        As published, but death goes on until it has 20 % of the tumour, and ends where it would
        take more than 35 %: in dense tissue, or cut by the organ, a tumour is small for its steps.
        """
        rng = np.random.default_rng([self.seed, 1])
        steps = colony.volumes.size - 1
        reach = max(int(steps / 10 - 2), 0)
        start = [cores]
        for core in cores:
            number = int(rng.integers(*_DEATHS, endpoint=True))
            near = core + rng.integers(-reach, reach, (number, 3), endpoint=True)
            near = near[((near >= 0) & (near < colony.population.shape)).all(axis=1)]
            start.append(near[colony.population[tuple(near.T)] == MATURE])
        volume = int(colony.volumes[-1])
        return run.die(
            colony,
            place,
            np.concatenate(start),
            steps // 7 + 1,
            self.seed,
            self.rules,
            most=int(_MOST_DEAD * volume),
            least=math.ceil(_LEAST_DEAD * volume),
        )


def _cores(place: Window, points: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the seeds as points of a window: the focus, opened to growth, and the others."""
    cores = points - np.array(place.low)
    # Whoever asks for a tumour in a vessel gets it, with room to start.
    focus = tuple(slice(c - 1, c + 2) for c in cores[0])
    if place.tissue[tuple(cores[0])] >= WALL:
        walls = (place.tissue[focus] >= WALL) & (place.tissue[focus] < BEYOND)
        place.tissue[focus][walls & place.organ[focus]] = 0
        place.tissue[tuple(cores[0])] = 0
    # Of a cluster, seeds in walls and beyond the organ's box fall away.
    cores = cores[((cores >= 0) & (cores < place.tissue.shape)).all(axis=1)]
    return cores[place.tissue[tuple(cores.T)] < WALL]
