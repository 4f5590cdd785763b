"""Keep what libraries say about themselves from the people who train."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_LOGS: Final = ("lightning.pytorch", "lightning.fabric", "pytorch_lightning", "lightning_fabric")

_WARNINGS: Final = (
    # Hints of Lightning's about speed and logs, which `workers` and `metrics.csv` answer.
    r".*does not have many workers",
    r"The number of training batches \(\d+\) is smaller than the logging interval",
    r".*is not installed.*LitLogger",
    r".*seamless cloud",
    # Lightning's own use of what PyTorch gave up.
    r".*isinstance\(treespec, LeafSpec\)",
    r".*`?torch\.(cuda|cpu)\.amp\..*is deprecated",
    # A training without validation.
    r"Total length of `.*` across ranks is zero",
    # The module of a run begins with weights of its own.
    r"Found .* module\(s\) in eval mode at the start of training",
    # Only tensors of a validation that all ranks have worked out together.
    r"It is recommended to use `self\.log\(.*sync_dist=True\)`",
)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's notes about devices, tips and the like from being shown; errors are."""
    loggers = [logging.getLogger(name) for name in _LOGS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for message in _WARNINGS:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def quiet_parser() -> Iterator[None]:
    """Keep jsonargparse's notes to programmers about its own next version from being shown."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s).*(jsonargparse|deprecated in v4)")
        yield
