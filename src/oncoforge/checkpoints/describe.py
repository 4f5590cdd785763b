"""What is known of weights, as data: for the command line and the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from oncoforge.checkpoints.cache import place
from oncoforge.checkpoints.catalogue import CATALOGUE
from oncoforge.checkpoints.record import Weights

if TYPE_CHECKING:
    from torch import Tensor

    from oncoforge.checkpoints.encoder import Encoder
    from oncoforge.checkpoints.loading import Recognized

HEAD = ("Name", "From", "For", "Network", "Trained on", "Licence", "Source")


def rows() -> Iterator[tuple[str, ...]]:
    """Yield a row of the catalogue's table in the documentation for each of its files."""
    for one in CATALOGUE.values():
        where = f"[{_short(one)}]({one.page})" if one.page else "no public page known"
        organs = ", ".join(one.organs) or "any"
        yield (
            f"`{one.name}`",
            one.method,
            f"{one.kind}: {organs}",
            f"`{one.network}`",
            one.trained_on,
            one.licence or "not stated",
            where,
        )


def _short(weights: Weights) -> str:
    return weights.source if weights.on_hub else weights.file


def as_dict(weights: Weights) -> dict[str, Any]:
    """Return all that is known of published weights as plain data."""
    return {**asdict(weights), "page": weights.page, "fetched": place(weights).is_file()}


def of_file(found: Recognized, *, keys: bool = False) -> dict[str, Any]:
    """Return what a file holds as plain data.

    Parameters
    ----------
    found
        As `checkpoints.loading.inspect` gives it.
    keys
        Name every tensor with its shape.
    """
    return {**found.config.to_dict(), **_counted(found.tensors, keys=keys)}


def of_encoder(found: Encoder, *, keys: bool = False) -> dict[str, Any]:
    """Return what a file of an encoder alone holds as plain data; `keys` as for `of_file`."""
    return {
        "network": found.network,
        "in_channels": found.in_channels,
        "options": dict(found.options),
        "features": found.features,
        "decoder": found.decoder,
        "origin": asdict(found.origin),
        **_counted(found.tensors, keys=keys),
    }


def _counted(tensors: Mapping[str, Tensor], *, keys: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "tensors": len(tensors),
        "values": sum(tensor.numel() for tensor in tensors.values()),
        "types": sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()}),
    }
    if keys:
        told["keys"] = {name: list(tensor.shape) for name, tensor in tensors.items()}
    return told
