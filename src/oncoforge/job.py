"""The main job: read a CT, put tumours into it, write the result and its report."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oncoforge import anatomy
from oncoforge.case import Case
from oncoforge.errors import InputError, OutputError, UnknownNameError
from oncoforge.formats import read_case, write_image, write_labels
from oncoforge.phantom import make_phantom
from oncoforge.reports.synthesis import SynthesisView, render
from oncoforge.synthesis.base import Recipe
from oncoforge.synthesis.cases import AIRY_HU, METHODS, SynthesizedCase, replay, synthesize
from oncoforge.synthesis.scene import Box, Vector, bounding_box
from oncoforge.version import __version__

RECORD = "lesions.json"
FILES = ("image.nii.gz", "label.nii.gz", RECORD, "report.html", "report.png")
"""What a run leaves in its folder."""

DTYPES = ("int16", "float32", "same")

Step = Callable[[str], None]

_HALF_WINDOW_HU = 125.0
_WIDEST_SOFT_HU = 450.0


def _silent(_: str) -> None:
    pass


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

    def path(self, name: str) -> Path:
        """Return the path of one of `FILES`."""
        return self.out / name

    def summary(self) -> dict[str, Any]:
        """Return plain data for machines: the folder, its files and its lesions."""
        keys = ("organ", "method", "seed", "lesions", "skipped")
        return {
            "out": str(self.out),
            "files": {name: str(self.path(name)) for name in FILES},
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
    size: str = "mix",
    seed: int = 0,
    at: Sequence[Vector] = (),
    label_style: str = "oncoforge",
    dtype: str = "int16",
    series: str | None = None,
    resample_labels: bool = False,
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
    organ, method, size, seed, at
        See `synthesize`.
    label_style
        One of `anatomy.STYLES`.
    dtype
        One of `DTYPES`: number type of the written CT. int16 rounds to whole HU; ``"same"`` keeps
        the input's type and scaling.
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
    return forge_case(
        Origin("files", options),
        out,
        organ=organ,
        method=method,
        size=size,
        seed=seed,
        at=at,
        label_style=label_style,
        dtype=dtype,
        overwrite=overwrite,
        step=step,
        **settings,
    )


def forge_case(
    origin: Origin,
    out: str | Path,
    *,
    organ: str,
    method: str = "handcrafted",
    size: str = "mix",
    seed: int = 0,
    at: Sequence[Vector] = (),
    label_style: str = "oncoforge",
    dtype: str = "int16",
    overwrite: bool = False,
    step: Step = _silent,
    **settings: Any,
) -> Outcome:
    """Do the same for any `Origin`, such as the phantom."""
    # Whatever can be wrong without the data is said before the data are read.
    anatomy.organ(organ)
    if method not in METHODS:
        raise UnknownNameError("method", method, METHODS)
    METHODS[method](size=size, **settings)
    anatomy.restyle(np.zeros(1, np.uint8), label_style, organ, np.zeros(1, np.uint8))
    if dtype not in DTYPES:
        raise UnknownNameError("dtype", dtype, DTYPES)

    def make(case: Case) -> SynthesizedCase:
        force = bool(origin.options.get("force"))
        return synthesize(
            case, organ, method, size, seed, at=at, in_place=True, force=force, **settings
        )

    wanted = Wanted(organ, seed, label_style, dtype)
    return _run(origin, Path(out), wanted, make, overwrite, step)


def forge_again(
    record: str | Path,
    out: str | Path,
    *,
    image: str | Path | None = None,
    labels: str | Path | None = None,
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
    image, labels
        The inputs, if they have moved since.
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

    def make(case: Case) -> SynthesizedCase:
        unchecked = force or bool(options.get("force"))
        return replay(case, data["organ"], recipe, in_place=True, force=unchecked)

    wanted = Wanted(
        data["organ"],
        data["seed"],
        data["label_style"],
        data.get("dtype", "int16"),
        known=data["input"],
        only_known=not force,
    )
    return _run(origin, Path(out), wanted, make, overwrite, step)


@dataclass(frozen=True)
class Wanted:
    """What a run writes, apart from the lesions themselves.

    Parameters
    ----------
    organ, seed, label_style, dtype
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
    with _staging(out, overwrite) as folder:
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
        box = bounding_box(case.organ(wanted.organ))
        assert box is not None  # an absent organ is an error of its own
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
            "spacing_mm": list(made.spacing),
            "shape": list(made.shape),
            "lesions": made.table(),
            "skipped": list(made.synthesis.skipped),
            "recipe": made.synthesis.recipe.to_dict(),
        }
        step("Writing the CT")
        write_image(folder / "image.nii.gz", made.image, made.source, wanted.dtype)
        write_labels(folder / "label.nii.gz", _styled(made, wanted.label_style), made.source)
        text = json.dumps(record, indent=2) + "\n"
        (folder / RECORD).write_text(text, encoding="utf-8")
        step("Drawing the report")
        html, png = render(_view(made, before, box, record))
        (folder / "report.html").write_text(html, encoding="utf-8")
        (folder / "report.png").write_bytes(png)
    return Outcome(out, record)


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
    size = recipe.parameters.get("size", "")
    return SynthesisView(
        image=made.image,
        before=before,
        box=box,
        organ=mask,
        instances=made.synthesis.instances(box),
        spacing=made.spacing,
        window=_window(organ, before[mask]),
        lesions=record["lesions"],
        skipped=record["skipped"],
        title=f"Synthetic {name} tumours",
        facts={
            "Input": str(record["input"]["options"].get("image_path", "oncoforge phantom")),
            "Organ": name,
            "Method": f"{recipe.method}, {recipe.parameters.get('preset', '')} preset, {size}",
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


def _window(organ: anatomy.Organ, values: NDArray[np.float32]) -> tuple[float, float]:
    """Return a display window: about a soft organ as it is in this scan, whatever its phase."""
    low, high = organ.window
    airy = np.quantile(values, 0.05) < AIRY_HU
    if airy or high - low > _WIDEST_SOFT_HU:
        return float(low), float(high)
    middle = float(np.median(values))
    return round(middle - _HALF_WINDOW_HU), round(middle + _HALF_WINDOW_HU)


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


def _check_target(out: Path, overwrite: bool) -> None:
    """Refuse a folder whose files would be lost, or could not be replaced."""
    there = [name for name in FILES if (out / name).exists()]
    if there and not overwrite:
        raise OutputError(
            f"{out} already holds {there[0]}; choose another folder, or --overwrite to replace it."
        )
    folders = [name for name in FILES if (out / name).is_dir()]
    if folders:
        raise OutputError(f"{out / folders[0]} is a folder; move it away, or choose another --out.")


@contextmanager
def _staging(out: Path, overwrite: bool) -> Iterator[Path]:
    """Give a folder to write into, whose files move to `out` together once all are there."""
    folder, new = None, []
    try:
        _check_target(out, overwrite)
        # What was not there before goes again if the run fails.
        new = [place for place in (out, *out.parents) if not place.exists()]
        out.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".oncoforge-", dir=out))
        yield folder
        for name in sorted(path.name for path in folder.iterdir()):
            (folder / name).replace(out / name)
        new = []
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written ({error.strerror or error}); check that it is a folder "
            "that you may write to, on a disk with room."
        ) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        for made in new:
            with suppress(OSError):
                made.rmdir()
