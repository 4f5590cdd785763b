"""Random numbers that depend on what is drawn, and on nothing that happened before."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np


def generator(seed: int, *what: int | str) -> np.random.Generator:
    """Return the generator of one thing.

    Parameters
    ----------
    seed
        Of the run.
    *what
        Numbers and words that tell it from all other things, such as
        ``("patch", epoch, item)``.
    """
    return np.random.default_rng([seed, *map(_word, what)])


def number(seed: int, *what: int | str) -> int:
    """Return a seed for others (MONAI, PyTorch), from 0 to below 2**31."""
    return int(generator(seed, *what).integers(2**31))


def _word(what: int | str) -> int:
    if isinstance(what, int):
        return what
    return int.from_bytes(blake2b(what.encode(), digest_size=8).digest(), "little")
