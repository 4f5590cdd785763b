"""From oncoforge's labels to the channels of a network."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from oncoforge.anatomy import NAMES, ORGANS, Organ
from oncoforge.errors import InputError
from oncoforge.networks import Pipeline

_ORGANS = {record.tumor_label: record for record in ORGANS.values() if record.tumor_label}


def channels_of(pipeline: Pipeline) -> npt.NDArray[np.uint8]:
    """Return the channel of every label.

    Tumours of an organ that is a class, while they are none, count as the organ: they lie in it.
    Any other label that is no class is background.

    Returns
    -------
    numpy.ndarray
        uint8 (256,): channel of each label of an oncoforge map.

    Raises
    ------
    InputError
        If the first class is not the background, or there is no other.
    """
    if pipeline.classes[:1] != ("background",) or len(pipeline.classes) < 2:
        raise InputError(
            f"The classes are {', '.join(pipeline.classes)}; the first is background, and one more "
            "at least is to be learned."
        )
    channels = np.zeros(256, np.uint8)
    labels = pipeline.labels
    for channel, label in enumerate(labels):
        channels[label] = channel
    for tumor, organ in _ORGANS.items():
        if tumor not in labels:
            channels[tumor] = channels[organ.label]
    return channels


def foreground_of(pipeline: Pipeline) -> npt.NDArray[np.bool_]:
    """Return which labels patches are centred on: classes, and the organs of classes.

    Returns
    -------
    numpy.ndarray
        bool (256,).
    """
    held = channels_of(pipeline) > 0
    for organ in bearers(pipeline):
        held[organ.label] = True
    return held


def tumor_labels(pipeline: Pipeline) -> tuple[int, ...]:
    """Return the labels of the classes that are tumours."""
    return tuple(label for label in pipeline.labels if label in _ORGANS)


def bearers(pipeline: Pipeline) -> tuple[Organ, ...]:
    """Return the organs whose tumour is a class."""
    return tuple(_ORGANS[label] for label in tumor_labels(pipeline))


def sole_organ(pipeline: Pipeline) -> str | None:
    """Return the organ that all classes are about, if it is one alone."""
    about = {_ORGANS[label].name if label in _ORGANS else NAMES[label] for label in pipeline.labels}
    about.discard(NAMES[0])
    name = next(iter(about)) if len(about) == 1 else None
    return name if name in {record.name for record in _ORGANS.values()} else None
