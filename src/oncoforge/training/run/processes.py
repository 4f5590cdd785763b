"""Which of the processes of a run this one is."""

from __future__ import annotations

from lightning.pytorch.utilities import rank_zero_only


def is_first() -> bool:
    """Tell whether this process is the first of its run, before and after they have met."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)
