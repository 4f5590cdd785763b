"""Training: Lightning modules and data modules, one set for each family of models.

PyTorch and Lightning are imported when a name of here is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oncoforge.training.data.module import SegmentationData
    from oncoforge.training.run.fit import fit
    from oncoforge.training.segmentation.module import SegmentationModule

_HOMES = {
    "SegmentationData": "data.module",
    "SegmentationModule": "segmentation.module",
    "fit": "run.fit",
}

__all__ = ["SegmentationData", "SegmentationModule", "fit"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
