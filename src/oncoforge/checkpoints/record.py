"""What is known of published weights: one record for each file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from oncoforge.networks.config import Pipeline

HUB: Final = "https://huggingface.co/"

SEGMENTATION, GENERATOR, ENCODER = KINDS = ("segmentation", "generator", "encoder")

LEGACY: Final = "legacy"

NO_DERIVATIVES: Final = "CC-BY-NC-ND-4.0"
APACHE: Final = "Apache-2.0"


@dataclass(frozen=True)
class Weights:
    """A published file of weights.

    Parameters
    ----------
    name
        By which it is fetched and loaded.
    method
        The work that it is from.
    organs
        What it segments, or makes tumours in; empty for an encoder.
    kind
        One of `KINDS`. An encoder is for `load_encoder`.
    network
        Name of the network that it is for.
    licence
        As an SPDX identifier; empty if none is stated.
    source
        Repository of the Hugging Face Hub, or the address of the file; empty if none is known.
    file
        Its path in the repository, or its name. Files of one name are told apart by their folder.
    sha256
        Of the file, as its page states it; empty if not known.
    trained_on
        The data that it was trained on, in a few words.
    pipeline
        How a segmentation network is used.
    merging
        Patch merging of the Swin UNETR in it, if one is.
    part
        Which of the networks of the file; empty if it holds one.
    notes
        What to know: one sentence each.
    """

    name: str
    method: str
    organs: tuple[str, ...]
    kind: str
    network: str
    licence: str
    source: str
    file: str
    sha256: str = ""
    trained_on: str = ""
    pipeline: Pipeline | None = None
    merging: Literal["", "legacy", "corrected"] = ""
    part: str = ""
    notes: tuple[str, ...] = ()

    @property
    def on_hub(self) -> bool:
        """Whether it is fetched from the Hugging Face Hub."""
        return bool(self.source) and "://" not in self.source

    @property
    def page(self) -> str:
        """Address that people can open; empty if none is known."""
        return f"{HUB}{self.source}" if self.on_hub else self.source


def abdominal(organ: str, window_hu: tuple[float, float], postprocess: str) -> Pipeline:
    """Return how the predecessors use a network of one organ: 1 mm, windows of 96, overlap 0.75."""
    return Pipeline(
        classes=("background", organ, f"{organ}_tumor"),
        window_hu=window_hu,
        overlap=0.75,
        postprocess=postprocess,
    )
