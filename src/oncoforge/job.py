"""The main job: read a CT, put tumours into it, write the result and its report."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oncoforge import anatomy
from oncoforge.case import Case
from oncoforge.errors import InputError
from oncoforge.formats import write_image, write_labels
from oncoforge.lists.inputs import keep_inputs
from oncoforge.order import Order, Origin
from oncoforge.reports.synthesis import SynthesisView, render
from oncoforge.staging import staging
from oncoforge.synthesis.base import Recipe
from oncoforge.synthesis.cases import (
    AIRY_HU,
    SynthesizedCase,
    find_method,
    replay,
    synthesize,
    synthesizer_for,
)
from oncoforge.synthesis.room import REACH_MM
from oncoforge.synthesis.scene import Box, Vector, bounding_box
from oncoforge.version import __version__

RECORD = "lesions.json"
FILES = ("image.nii.gz", "label.nii.gz", RECORD, "report.html", "report.png")
"""What a run leaves in its folder."""

MOVIE = ("growth.gif", "growth.png")
"""What it leaves too if its growth is filmed: an animation, and a strip of its pictures."""

Step = Callable[[str], None]

_HALF_WINDOW_HU = 125.0
_WIDEST_SOFT_HU = 450.0
_FAT_HU = -150.0


def _silent(_: str) -> None:
    pass


@dataclass(frozen=True)
class Outcome:
    """What a run made.

    Parameters
    ----------
    out
        Its folder.
    record
        The contents of its ``lesions.json``.
    """

    out: Path
    record: Mapping[str, Any]

    def files(self) -> tuple[str, ...]:
        """Return the names of the files that are there."""
        filmed = self.record["movie"] and self.record["lesions"]
        return (*FILES, *MOVIE) if filmed else FILES

    def path(self, name: str) -> Path:
        """Return the path of one of the files."""
        return self.out / name

    def summary(self) -> dict[str, Any]:
        """Return plain data for machines: the folder, its files and its lesions."""
        keys = ("organ", "method", "seed", "lesions", "skipped", "remarks")
        return {
            "out": str(self.out),
            "files": {name: str(self.path(name)) for name in self.files()},
            **{key: self.record[key] for key in keys},
        }


def forge(
    image: str | Path,
    labels: str | Path,
    out: str | Path,
    *,
    organ: str = "liver",
    convention: str = "totalsegmentator",
    method: str = "handcrafted",
    preset: str | None = None,
    size: str | None = None,
    seed: int = 0,
    at: Sequence[Vector] = (),
    label_style: str = "oncoforge",
    dtype: str = "int16",
    series: str | None = None,
    resample_labels: bool = False,
    device: str = "cpu",
    movie: bool = False,
    prior: str | Path | None = None,
    library: str | Path | None = None,
    appearance: str = "texture",
    exophytic: bool = False,
    require: Mapping[str, Any] | None = None,
    force: bool = False,
    overwrite: bool = False,
    step: Step = _silent,
    **settings: Any,
) -> Outcome:
    """Put synthetic tumours into a CT on disk, and write the result into a folder.

    Parameters
    ----------
    image, labels, convention, series, resample_labels, force
        See `read_case`.
    out
        Folder for `FILES`; made if it does not exist.
    organ, method, preset, size, seed, at, device
        See `synthesize`.
    prior, library, appearance, exophytic, require
        See `synthesize`.
    label_style
        One of `anatomy.STYLES`.
    dtype
        One of `DTYPES`: number type of the written CT. int16 rounds to whole HU; ``"same"`` keeps
        the input's type and scaling.
    movie
        Write `MOVIE` too, for methods whose lesions grow.
    overwrite
        Replace files of an earlier run.
    step
        Called with a few words at the start of each step.
    **settings
        Further settings of the method.

    Raises
    ------
    OncoforgeError
        If an input cannot be used or the folder cannot be written; nothing is left behind.
    """
    options = {
        "image_path": os.path.abspath(image),
        "labels_path": os.path.abspath(labels),
        "convention": convention,
        "organ": organ,
        "series": series,
        "resample_labels": resample_labels,
        "force": force,
    }
    order = Order(
        organ, method, preset, size, seed, at, label_style, dtype, device, movie, prior, library,
        appearance, exophytic, require, settings,
    )  # fmt: skip
    return forge_case(Origin("files", options), out, order, overwrite=overwrite, step=step)


def forge_case(
    origin: Origin,
    out: str | Path,
    order: Order,
    *,
    overwrite: bool = False,
    step: Step = _silent,
) -> Outcome:
    """Do the same for any `Origin`, such as the phantom."""

    def make(case: Case) -> SynthesizedCase:
        return synthesize(
            case,
            order.organ,
            order.method,
            order.size,
            order.seed,
            preset=order.preset,
            at=order.at,
            in_place=True,
            force=bool(origin.options.get("force")),
            device=order.device,
            prior=order.prior,
            library=order.library,
            appearance=order.appearance,
            exophytic=order.exophytic,
            require=order.require,
            **order.settings,
        )

    wanted = Wanted(
        order.organ, order.seed, order.label_style, order.dtype, order.device, order.movie,
        exophytic=order.exophytic,
    )  # fmt: skip
    return _run(origin, Path(out), wanted, make, overwrite, step)


def forge_again(
    record: str | Path,
    out: str | Path,
    *,
    image: str | Path | None = None,
    labels: str | Path | None = None,
    library: str | Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    force: bool = False,
    step: Step = _silent,
) -> Outcome:
    """Rebuild a run from its ``lesions.json``: the same files, byte for byte.

    Parameters
    ----------
    record
        The ``lesions.json``.
    out, overwrite, step
        See `forge`.
    image, labels, library
        The inputs, if they have moved since.
    device
        See `synthesize`; the files are the same on any.
    force
        Apply the recipe even to another image than the one it was drawn on.

    Raises
    ------
    OncoforgeError
        If the record is not one, or its image has changed.
    """
    data = _read_record(Path(record))
    if data["input"]["kind"] == "phantom" and (image is not None or labels is not None):
        raise InputError(f"{record} was made from the phantom; leave IMAGE and LABELS out.")
    options = dict(data["input"]["options"])
    if image is not None:
        options["image_path"] = os.path.abspath(image)
    if labels is not None:
        options["labels_path"] = os.path.abspath(labels)
    if force and data["input"]["kind"] == "files":
        options["force"] = True
    origin = Origin(data["input"]["kind"], options)

    recipe = Recipe.from_dict(data["recipe"])
    if recipe.version != __version__ and not force:
        raise InputError(
            f"{record} was made by oncoforge {recipe.version} and this is {__version__}, which may "
            "give other bytes; install that version, or --force to go on."
        )

    movie = data.get("movie", False)
    if not isinstance(movie, bool) or (movie and not find_method(recipe.method).grows):
        raise InputError(
            f"{record} asks for a film, but lesions of method {recipe.method} do not grow; set its "
            "movie to false."
        )
    synthesizer_for(recipe, data["organ"], device, library)

    def make(case: Case) -> SynthesizedCase:
        unchecked = force or bool(options.get("force"))
        return replay(
            case, data["organ"], recipe, in_place=True, force=unchecked, device=device,
            library=library,
        )  # fmt: skip

    wanted = Wanted(
        data["organ"],
        data["seed"],
        data["label_style"],
        data.get("dtype", "int16"),
        device,
        movie,
        exophytic=recipe.exophytic,
        known=data["input"],
        only_known=not force,
    )
    return _run(origin, Path(out), wanted, make, overwrite, step)


@dataclass(frozen=True)
class Wanted:
    """What a run writes, apart from the lesions themselves.

    Parameters
    ----------
    organ, seed, label_style, dtype, device, movie, exophytic
        See `forge`.
    known
        Input block of the record that is rebuilt: it stays as it is if the input is the same, so
        that the files are, wherever the input has moved.
    only_known
        Refuse any other input than the known one.
    """

    organ: str
    seed: int
    label_style: str
    dtype: str
    device: str = "cpu"
    movie: bool = False
    exophytic: bool = False
    known: Mapping[str, Any] | None = None
    only_known: bool = False


def _run(
    origin: Origin,
    out: Path,
    wanted: Wanted,
    make: Callable[[Case], SynthesizedCase],
    overwrite: bool,
    step: Step,
) -> Outcome:
    paths = (origin.options.get(key) for key in ("image_path", "labels_path"))
    keep_inputs([out / name for name in (*FILES, *MOVIE)], [path for path in paths if path])
    with staging(out, (*FILES, *MOVIE), overwrite) as folder:
        step("Reading the CT" if origin.kind == "files" else "Making the phantom")
        try:
            case = origin.case()
        except OSError as error:
            raise InputError(f"The input cannot be read: {error}.") from error
        source: Mapping[str, Any] = {
            "kind": origin.kind,
            "options": dict(origin.options),
            "fingerprint": _fingerprint(case),
        }
        if wanted.known is not None and wanted.known["fingerprint"] == source["fingerprint"]:
            source = wanted.known
        elif wanted.only_known:
            raise InputError(
                f"{case.source.image_path or 'The phantom'} or its labels are not those that the "
                "record was made from; give the same files, or --force to apply its recipe to "
                "these."
            )
        box = _reach(case, wanted)
        before = case.image[box].copy()
        step("Making tumours")
        made = make(case)
        record = {
            "oncoforge": __version__,
            "input": source,
            "organ": made.organ_name,
            "method": made.synthesis.recipe.method,
            "seed": wanted.seed,
            "label_style": wanted.label_style,
            "dtype": wanted.dtype,
            "movie": wanted.movie,
            "spacing_mm": list(made.spacing),
            "shape": list(made.shape),
            "lesions": made.table(),
            "skipped": list(made.synthesis.skipped),
            "remarks": list(made.synthesis.remarks),
            "recipe": made.synthesis.recipe.to_dict(),
        }
        step("Writing the CT")
        write_image(folder / "image.nii.gz", made.image, made.source, wanted.dtype)
        write_labels(folder / "label.nii.gz", _styled(made, wanted.label_style), made.source)
        text = json.dumps(record, indent=2) + "\n"
        (folder / RECORD).write_text(text, encoding="utf-8")
        view = _view(made, before, box, record)
        if wanted.movie and made.synthesis.lesions:
            from oncoforge import movie  # Pillow and the rest of it: few runs are filmed

            gif, strip = movie.film(made, before, box, view, wanted.device, step)
            (folder / MOVIE[0]).write_bytes(gif)
            (folder / MOVIE[1]).write_bytes(strip)
            view = replace(view, strip=strip)
        step("Drawing the report")
        html, png = render(view)
        (folder / "report.html").write_text(html, encoding="utf-8")
        (folder / "report.png").write_bytes(png)
    return Outcome(out, record)


def _reach(case: Case, wanted: Wanted) -> Box:
    """Return the part of a scan that a run may change."""
    box = bounding_box(case.organ(wanted.organ))
    assert box is not None  # an absent organ is an error of its own
    if not wanted.exophytic:
        return box
    x, y, z = (
        slice(max(s.start - ceil(REACH_MM / h) - 1, 0), min(s.stop + ceil(REACH_MM / h) + 1, n))
        for s, h, n in zip(box, case.spacing, case.shape, strict=True)
    )
    return x, y, z


def _styled(made: SynthesizedCase, style: str) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return the labels in the style asked for."""
    if style != "instances":
        return anatomy.restyle(made.labels, style, made.organ_name)
    # Outside the organ's box this map is untouched memory, which takes none.
    few = len(made.synthesis.lesions) < 256
    whole = np.zeros(made.shape, np.uint8 if few else np.uint16)
    whole[made.synthesis.box] = made.synthesis.instances(made.synthesis.box)
    return whole


def _view(
    made: SynthesizedCase, before: NDArray[np.float32], box: Box, record: Mapping[str, Any]
) -> SynthesisView:
    """Gather what the report shows, without another array of the whole scan."""
    organ = anatomy.organ(made.organ_name)
    labels = made.labels[box]
    mask = (labels == organ.label) | (labels == organ.tumor_label)
    recipe = made.synthesis.recipe
    name = organ.name.replace("_", " ")
    how = (recipe.method, f"{recipe.parameters['preset']} preset", recipe.parameters.get("size"))
    return SynthesisView(
        image=made.image,
        before=before,
        box=box,
        organ=mask,
        instances=made.synthesis.instances(box),
        spacing=made.spacing,
        window=_window(organ, before[mask], recipe.exophytic),
        lesions=record["lesions"],
        skipped=record["skipped"],
        remarks=record["remarks"],
        title=f"Synthetic {name} tumours",
        facts={
            "Input": str(record["input"]["options"].get("image_path", "oncoforge phantom")),
            "Organ": name,
            "Method": ", ".join(part for part in how if part),
            "Seed": str(record["seed"]),
            "Volume": " x ".join(map(str, made.shape))
            + " voxels of "
            + " x ".join(f"{s:g}" for s in made.spacing)
            + " mm",
            "Label style": record["label_style"],
            "Again": f"oncoforge synth --replay {RECORD} --out FOLDER",
            "oncoforge": __version__,
        },
    )


def _window(organ: anatomy.Organ, values: NDArray[np.float32], bulges: bool) -> tuple[float, float]:
    """Return a display window: about a soft organ as it is in this scan, whatever its phase."""
    low, high = organ.window
    airy = np.quantile(values, 0.05) < AIRY_HU
    if airy or high - low > _WIDEST_SOFT_HU:
        return float(low), float(high)
    middle = float(np.median(values))
    low = middle - _HALF_WINDOW_HU
    # What bulges out must stand out from fat, which black would hide.
    return round(min(low, _FAT_HU) if bulges else low), round(middle + _HALF_WINDOW_HU)


def _fingerprint(case: Case) -> str:
    """Return a checksum of a case's voxels and labels, whatever file they came in."""
    from isal import isal_zlib

    total = 0
    for array in (case.image, case.labels):
        for plane in array:
            total = isal_zlib.crc32(plane, total)
    return f"crc32:{total:08x}"


def _read_record(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        missing = {"input", "organ", "recipe", "seed", "label_style"} - set(data)
        if missing or {"kind", "options", "fingerprint"} - set(data["input"]):
            raise ValueError("parts of it are missing")
        words = (data["input"]["kind"], data["organ"], data["label_style"])
        if not all(isinstance(word, str) for word in words):
            raise ValueError("kind of input, organ and label style are words")
        if not isinstance(data["input"]["options"], dict):
            raise ValueError("the options of its input are no mapping")
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; give the {RECORD} of an earlier run.") from error
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} is not the {RECORD} of an oncoforge run ({error}); give one that "
            "'oncoforge synth' wrote."
        ) from error
    return dict(data)
