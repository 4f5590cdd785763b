"""The automaton on the CPU: only populations that can still act are visited."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oncoforge.compiled import compiled, inlined
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
)

_GOLDEN, _MIX_1, _MIX_2 = np.uint64(GOLDEN), np.uint64(MIX_1), np.uint64(MIX_2)
_LUCK = np.uint64(LUCK)
_DRAW = np.int64(2**BITS - 1)


def grow(
    window: Window,
    cores: NDArray[np.int64],
    steps: int,
    seed: int,
    rules: Rules,
    wanted: int = 0,
    patience: int = 0,
) -> Colony:
    """Grow populations from seeds.

    Parameters
    ----------
    window
        Where; it stays as it is.
    cores
        (n, 3): points of the window to start from, with half of a full population.
    steps
        Number of the last step; step 0 is the first.
    seed
        Of the random numbers.
    rules
        See `Rules`.
    wanted
        Stop at the step whose volume, in points of the organ, comes nearest to this; 0 for never.
    patience
        Stop after so many steps without a change of volume; 0 for never.

    Returns
    -------
    Colony
    """
    shape = window.tissue.shape
    population, born = np.zeros(shape, np.uint8), np.zeros(shape, np.uint16)
    volumes, cut = _grow(
        population.reshape(-1),
        born.reshape(-1),
        window.tissue.flatten(),
        window.organ.reshape(-1),
        np.ravel_multi_index(tuple(cores.T), shape),
        np.array(shape[1:]),
        np.array(window.low),
        steps,
        np.uint64(seed),
        rules.accepts(),
        rules.offsets(shape),
        rules.mirrors,
        wanted,
        patience,
    )
    return Colony(population, born, volumes, cut)


def die(
    colony: Colony,
    window: Window,
    dead: NDArray[np.int64],
    steps: int,
    seed: int,
    rules: Rules,
    most: int,
    least: int = 0,
) -> NDArray[np.bool_]:
    """Spread death through mature populations.

    Parameters
    ----------
    colony, window
        What has grown, and where.
    dead
        (n, 3): points of the window that are dead from the start.
    steps
        How many times each dead point kills one of up to three neighbours drawn at random.
    seed, rules
        As for `grow`.
    most
        Spreading stops before more points of the organ than this are dead.
    least
        It goes on after its steps until so many are, if it can.

    Returns
    -------
    bool (x, y, z), what is dead.
    """
    shape = window.tissue.shape
    mask = np.zeros(shape, np.bool_)
    _die(
        colony.population.reshape(-1),
        mask.reshape(-1),
        window.organ.reshape(-1),
        np.ravel_multi_index(tuple(dead.T), shape),
        np.array(shape[1:]),
        np.array(window.low),
        steps,
        np.uint64(seed) ^ np.uint64(DEATH),
        rules.offsets(shape),
        most,
        least,
    )
    return mask


@inlined
def _mix(word):  # type: ignore[no-untyped-def]
    """Hash 64 bits; see `rules.mix`."""
    word = (word ^ (word >> np.uint64(30))) * _MIX_1
    word = (word ^ (word >> np.uint64(27))) * _MIX_2
    return word ^ (word >> np.uint64(31))


@inlined
def _place(point, size, low):  # type: ignore[no-untyped-def]
    """Return a point's place on the lattice as one number: 21 bits for each axis."""
    row = point // size[1]
    i, j, k = row // size[0], row % size[0], point % size[1]
    where = ((i + low[0]) << 42) + ((j + low[1]) << 21) + (k + low[2])
    return np.uint64(where) * _GOLDEN


@compiled
def _grow(  # type: ignore[no-untyped-def]
    population, born, tissue, organ, cores, size, low, steps, seed, accepts, offsets, mirrors,
    wanted, patience,
):  # fmt: skip
    """Grow in flat arrays; the first three change. Return volumes, and whether it was cut."""
    last = len(offsets) - 1
    gain = np.zeros(population.size, np.uint8)
    # How many outcomes of a draw lead to a point that is not mature: without any, and mature
    # itself, a point cannot act again.
    chances = np.full(population.size, len(offsets), np.uint8)
    active = np.empty(4096, np.int64)
    changed = np.empty(4096, np.int64)
    volumes = np.zeros(steps + 1, np.int64)
    count, volume, still = 0, 0, 0
    for core in cores:
        if population[core] == 0:
            population[core] = PUSHES
            volume += organ[core]
            active[count] = core
            count += 1
    for step in range(steps + 1):
        mirrored = mirrors and step % 2 == 1
        turn = step // 2 if mirrors else step
        key = _mix(seed + _mix(np.uint64(turn) * _GOLDEN))
        luck_key = _mix((seed ^ _LUCK) + _mix(np.uint64(step) * _GOLDEN))
        if changed.size < (1 + TRIES) * count:
            changed = np.empty(2 * (1 + TRIES) * count, np.int64)
        changes = 0
        for a in range(count):
            point = active[a]
            own = population[point]
            if own < MATURE:
                if gain[point] == 0:
                    changed[changes] = point
                    changes += 1
                gain[point] += 1
            if own < PUSHES:
                continue
            place = _place(point, size, low)
            draws, luck = _mix(key + place), _mix(luck_key + place)
            for _ in range(TRIES):
                outcome = ((np.int64(draws) & _DRAW) * (last + 1)) >> BITS
                chance = np.int64(luck) & _DRAW
                draws >>= np.uint64(BITS)
                luck >>= np.uint64(BITS)
                target = point + offsets[last - outcome if mirrored else outcome]
                code = tissue[target]
                if code < WALL:
                    # A population of 9 is full after this step by itself.
                    open_ = population[target] < MATURE - 1
                    if open_ and chance < accepts[code]:
                        if gain[target] == 0:
                            changed[changes] = target
                            changes += 1
                        gain[target] += 1
                        break
                elif code == CUT:
                    return volumes[:0], True
                elif code < BEYOND and own == MATURE:
                    if gain[target] == 0:
                        changed[changes] = target
                        changes += 1
                    gain[target] += 1
        if active.size < count + changes:
            longer = np.empty(2 * (count + changes), np.int64)
            longer[:count] = active[:count]
            active = longer
        before = volume
        for a in range(changes):
            point = changed[a]
            more = gain[point]
            gain[point] = 0
            if tissue[point] >= WALL:
                pressure = tissue[point] - WALL + more
                if pressure < BREACH:
                    tissue[point] = WALL + min(pressure, PRESSURE)
                    continue
                tissue[point] = 0
                more = pressure - BREACH + 1
            old = population[point]
            population[point] = min(old + more, MATURE)
            if old == 0:
                born[point] = step
                active[count] = point
                count += 1
                volume += organ[point]
            if old < MATURE and population[point] == MATURE:
                for offset in offsets:
                    chances[point - offset] -= 1
        kept = 0
        for a in range(count):
            point = active[a]
            if population[point] < MATURE or chances[point] > 0:
                active[kept] = point
                kept += 1
        count = kept
        volumes[step] = volume
        still = still + 1 if volume == before else 0
        # Half a step more would come as near from above as this step does from below.
        enough = wanted > 0 and volume + (volume - before) / 2 >= wanted
        if enough or (patience > 0 and still >= patience):
            return volumes[: step + 1], False
    return volumes, False


@compiled
def _die(  # type: ignore[no-untyped-def]
    population, dead, organ, cores, size, low, steps, seed, offsets, most, least
):  # fmt: skip
    """Spread death in flat arrays; `dead` changes."""
    count, total = 0, 0
    front = np.empty(2 * population.size, np.int64)
    for core in cores:
        if not dead[core]:
            dead[core] = True
            front[count] = core
            count += 1
            total += organ[core]
    step, still = 0, 0
    while step < steps or (total < least and still < STALLED):
        key = _mix(seed + _mix(np.uint64(step) * _GOLDEN))
        step += 1
        killed, more = count, 0
        for a in range(count):
            point = front[a]
            draws = _mix(key + _place(point, size, low))
            for _ in range(TRIES):
                outcome = ((np.int64(draws) & _DRAW) * len(offsets)) >> BITS
                draws >>= np.uint64(BITS)
                target = point + offsets[outcome]
                if population[target] == MATURE and not dead[target]:
                    # Two may kill the same one; it is listed twice and counted once below.
                    front[killed] = target
                    killed += 1
                    break
        unique = count
        for a in range(count, killed):
            point = front[a]
            if not dead[point]:
                dead[point] = True
                front[unique] = point
                unique += 1
                more += organ[point]
        if total + more > most:
            for a in range(count, unique):
                dead[front[a]] = False
            return
        still = still + 1 if unique == count else 0
        count = unique
        total += more
