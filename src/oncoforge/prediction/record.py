"""What is known of a folder of predictions: one JSON file, which a rerun goes on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from oncoforge.errors import InputError, OutputError
from oncoforge.formats.atomic import atomic_write
from oncoforge.formats.content import sha256_of
from oncoforge.version import __version__

RECORD: Final = "predictions.json"
SHEET: Final = "predictions.png"
PICTURES: Final = "pictures"


@dataclass
class Record:
    """The content of ``predictions.json``.

    Parameters
    ----------
    settings
        How the predictions were made: plain data.
    origins
        Where the weights of each network are from; None where that is not known.
    cases
        Case to what is known of its prediction.
    failures
        Case to why it has none.
    """

    settings: Mapping[str, Any]
    origins: Sequence[Any] = ()
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """A hash of the settings: 64 hexadecimal digits."""
        text = json.dumps(self.settings, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def content(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        return {
            "oncoforge": __version__,
            "fingerprint": self.fingerprint,
            "settings": dict(self.settings),
            "weights": list(self.origins),
            "cases": dict(sorted(self.cases.items())),
            **({"failures": self.failures} if self.failures else {}),
        }

    def write(self, out: Path) -> None:
        """Write it into a folder, as a whole or not at all."""
        text = json.dumps(self.content(), indent=2, ensure_ascii=False) + "\n"
        with atomic_write(out / RECORD) as file:
            file.write(text.encode())


def resume(out: Path, new: Record, overwrite: bool) -> Record:
    """Return a record with what is in the folder already, if that was made in the same way.

    Parameters
    ----------
    out
        The folder; it need not exist.
    new
        Its settings are plain data, as JSON gives it back; its cases are filled in.
    overwrite
        Begin anew; predictions that were made with other settings are removed.

    Raises
    ------
    OutputError
        If it holds predictions that were made in another way, or files that may be others'.
    """
    old = _read(out)
    if old is None:
        there = [] if not out.is_dir() else sorted(out.glob("*.nii.gz"))
        if there and not overwrite:
            raise OutputError(
                f"{out} already holds {there[0].name}, of which no {RECORD} tells; choose another "
                "folder, or --overwrite to replace files of the same names."
            )
        return new
    if not old.cases:  # none of its scans could be read
        return new
    if old.fingerprint == new.fingerprint and not overwrite:
        # A mask that is gone, or is not what was written, is made anew.
        new.cases = {
            case: row
            for case, row in old.cases.items()
            if sha256_of(out / str(row["mask"])) == row.get("sha256")
        }
        return new
    if not overwrite:
        raise OutputError(
            f"{out} holds predictions that were made differently ({_difference(old, new)}); "
            "choose another folder, or --overwrite to replace them."
        )
    for case, row in old.cases.items():
        for path in (out / str(row["mask"]), out / PICTURES / f"{case}.png"):
            path.unlink(missing_ok=True)
    return new


def _read(out: Path) -> Record | None:
    """Return the record that is in a folder, if there is one."""
    try:
        content = json.loads((out / RECORD).read_text("utf-8"))
        cases = {str(case): dict(row) for case, row in content["cases"].items()}
        masks = [str(row["mask"]) for row in cases.values()]
        if any(Path(mask).name != mask for mask in masks):
            raise ValueError("a mask lies elsewhere")
        return Record(dict(content["settings"]), cases=cases)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{out / RECORD} should be the record of earlier predictions, and cannot be read as "
            f"one ({error}); move it away, or choose another folder."
        ) from None


def _difference(old: Record, new: Record) -> str:
    """Name the first setting that differs."""
    for name in dict.fromkeys([*new.settings, *old.settings]):
        mine, theirs = new.settings.get(name), old.settings.get(name)
        if mine != theirs:
            if name == "models":
                return _other_models(theirs, mine)
            return f"{name.replace('_', ' ')} {_words(theirs)}, and now {_words(mine)}"
    return "in another way"


def _other_models(old: Any, new: Any) -> str:
    """Name what differs, where the weights are the same and are used otherwise."""
    try:
        for theirs, mine in zip(old, new, strict=True):
            if {**theirs, "pipeline": None} != {**mine, "pipeline": None}:
                break
            for name, value in mine["pipeline"].items():
                if theirs["pipeline"][name] != value:
                    was = _words(theirs["pipeline"][name])
                    return f"{name.replace('_', ' ')} {was}, and now {_words(value)}"
    except (TypeError, ValueError, KeyError, AttributeError):  # a record of another version
        pass
    return "with other models"


def _words(value: Any) -> str:
    """Write a setting as people would."""
    if isinstance(value, dict):
        own = [f"{key.replace('_', ' ')} {item}" for key, item in value.items() if key != "name"]
        return " with ".join(filter(None, [str(value.get("name", "")), ", ".join(own)]))
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return {None: "none", True: "yes", False: "no"}.get(value, str(value))
