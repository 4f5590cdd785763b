"""What a run takes: where its case comes from, and what is to be made of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from oncoforge import anatomy
from oncoforge.case import Case
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.formats import read_case
from oncoforge.phantom import make_phantom
from oncoforge.synthesis.cases import find_method, make_synthesizer
from oncoforge.synthesis.quality import checks_from
from oncoforge.synthesis.scene import Vector

DTYPES = ("int16", "float32", "same")


@dataclass(frozen=True)
class Origin:
    """Where a case comes from, so that it can be had again.

    Parameters
    ----------
    kind
        ``"files"`` or ``"phantom"``.
    options
        Arguments of `read_case`, or of `make_phantom`.
    """

    kind: str
    options: Mapping[str, Any]

    def case(self) -> Case:
        """Read or make the case."""
        makers: dict[str, Callable[..., Any]] = {"files": read_case, "phantom": make_phantom}
        if self.kind not in makers:
            raise UnknownNameError("kind of input", self.kind, makers)
        try:
            inspect.signature(makers[self.kind]).bind(**self.options)
        except TypeError as error:
            raise InputError(f"The record of the input cannot be used: {error}.") from error
        made = makers[self.kind](**self.options)
        return made if isinstance(made, Case) else made.case()


@dataclass(frozen=True)
class Order:
    """What a run is to make.

    Parameters
    ----------
    organ, method, preset, size, seed, at, device
        See `synthesize`.
    label_style
        One of `anatomy.STYLES`.
    dtype
        One of `DTYPES`.
    movie
        Film the growth, for methods whose lesions grow.
    prior, library
        Files from which lesions are drawn (see `synthesize`); their contents are checked too.
    appearance, exophytic, require
        See `synthesize`.
    settings
        Further settings of the method.

    Raises
    ------
    OncoforgeError
        If any of it cannot be made, whatever the data.
    """

    organ: str = "liver"
    method: str = "handcrafted"
    preset: str | None = None
    size: str | None = None
    seed: int = 0
    at: Sequence[Vector] = ()
    label_style: str = "oncoforge"
    dtype: str = "int16"
    device: str = "cpu"
    movie: bool = False
    prior: str | Path | None = None
    library: str | Path | None = None
    appearance: str = "texture"
    exophytic: bool = False
    require: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        make_synthesizer(
            self.method,
            self.organ,
            self.size,
            self.preset,
            self.device,
            prior=self.prior,
            library=self.library,
            appearance=self.appearance,
            **self.settings,
        )
        checks_from(self.require or {})
        anatomy.restyle(np.zeros(1, np.uint8), self.label_style, self.organ, np.zeros(1, np.uint8))
        if self.dtype not in DTYPES:
            raise UnknownNameError("dtype", self.dtype, DTYPES)
        if self.movie and not find_method(self.method).grows:
            raise InputError(
                f"Lesions of method {self.method} do not grow, so there is nothing to film; use "
                "method cellular, or leave the movie out."
            )
        if self.movie and (self.exophytic or self.library is not None or self.require):
            raise InputError(
                "Growth is filmed inside the organ only, and of all lesions: leave the movie out, "
                "or exophytic, library and require."
            )
