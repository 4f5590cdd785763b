"""Which network weights are of, told from their names and shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from oncoforge.checkpoints.blueprint import Blueprint, Shapes
from oncoforge.checkpoints.shapes_generative import autoencoder, denoiser, freetumor
from oncoforge.checkpoints.shapes_other import segmamba, segresnet, swin_unetr
from oncoforge.checkpoints.shapes_unets import nnunet, unet, unetpp

RECOGNIZERS: Final[Mapping[str, Callable[[Shapes], Blueprint | None]]] = {
    "swin_unetr": swin_unetr,
    "unet": unet,
    "nnunet": nnunet,
    "segresnet": segresnet,
    "unetpp": unetpp,
    "segmamba": segmamba,
    "difftumor_denoiser": denoiser,
    "difftumor_autoencoder": autoencoder,
    "freetumor_unet": freetumor,
}
"""Network to what tells it, and its channels and options, from shapes; None if it is another."""


def recognize(shapes: Shapes, network: str | None = None) -> Blueprint | None:
    """Tell which network weights are of.

    Parameters
    ----------
    shapes
        Name to shape of every tensor, by the names that the networks here have.
    network
        Look for this one only.

    Returns
    -------
    Blueprint or None
        None if it is none that is known.

    Raises
    ------
    InputError
        If it is a known network of a kind that cannot be built here.
    """
    for name, tells in RECOGNIZERS.items():
        try:
            found = tells(shapes) if network in (None, name) else None
        except (IndexError, KeyError, ValueError, ZeroDivisionError):
            continue  # names of the network, and shapes that are none of its
        if found is not None:
            return found
    return None
