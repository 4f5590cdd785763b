"""The folder of a run: what it holds, and whether another run may go on in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

import yaml  # type: ignore[import-untyped]

from oncoforge.errors import InputError, OutputError
from oncoforge.formats.atomic import atomic_write
from oncoforge.training.files import (
    BEST,
    CONFIG,
    CURVES,
    LAST,
    PICTURES,
    STATE,
    SUMMARY,
    TABLE,
)

FILES: Final = (CONFIG, BEST, LAST, STATE, TABLE, SUMMARY, CURVES)
"""Files that a run leaves."""

FOLDERS: Final = (PICTURES, "tensorboard", "csv", "mlruns", "wandb")
"""Folders that a run leaves."""

_LOCK = ".lock"

MAY_CHANGE: Final = (
    "trainer.max_epochs",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.strategy",
    "trainer.log_every_n_steps",
    "trainer.profiler",
    "trainer.detect_anomaly",
    "trainer.enable_model_summary",
    "data.workers",
    "data.cache",
    "run.early_stop",
    "run.checkpoint_every_epochs",
    "run.loggers",
)
"""Settings that a run may go on with changed: of the machine, of its length, and of its logs."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run.

    Parameters
    ----------
    path
        It need not exist yet.
    """

    path: Path

    @property
    def state(self) -> Path:
        """What a run can be continued from."""
        return self.path / STATE

    def claim(self, config: str, *, resume: bool = False, overwrite: bool = False) -> bool:
        """Take the folder for a run, and write its settings.

        Parameters
        ----------
        config
            All settings, YAML.
        resume
            Go on with the run that is there, if any.
        overwrite
            Remove the run that is there, if any.

        Returns
        -------
        bool
            Whether there is a state to go on from.

        Raises
        ------
        InputError, OutputError
            As `check`, or if the folder cannot be written.
        """
        self.check(config, resume=resume, overwrite=overwrite)
        try:
            if overwrite:
                self._clear()
            self.path.mkdir(parents=True, exist_ok=True)
            self._sweep()
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be written ({error.strerror or error}); choose another folder."
            ) from error
        with atomic_write(self.path / CONFIG) as file:
            file.write(config.encode())
        return self.state.is_file()

    def check(self, config: str, *, resume: bool = False, overwrite: bool = False) -> None:
        """Raise if the folder could not be taken, and change nothing.

        Raises
        ------
        InputError
            If both are asked for, or its settings cannot be read.
        OutputError
            If it is a file, or holds another run.
        """
        if self.path.is_file():
            raise OutputError(f"{self.path} is a file; give the name of a folder.")
        if resume and overwrite:
            raise InputError("--resume goes on with a run and --overwrite removes it; give one.")
        there = self.there()
        if there and not (resume or overwrite):
            raise OutputError(
                f"{self.path} already holds {there[0]} of a run; --resume to go on with it, "
                "--overwrite to start anew, or choose another folder."
            )
        if resume:
            self._compare(config)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from training in the folder; also one that is killed lets go.

        Raises
        ------
        OutputError
            If another one does so now.
        """
        lock = self.path / _LOCK
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = lock.open("w")
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be written ({error.strerror or error}); choose another folder."
            ) from error
        with file:
            if not _taken(file):
                raise OutputError(
                    f"Another process is training in {self.path}; wait for it, stop it, or choose "
                    "another folder."
                )
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)

    def release(self) -> None:
        """Give the folder back, if the run that took it failed before the end of an epoch."""
        if not (self.state.exists() or (self.path / LAST).exists()):
            with suppress(OSError):
                self._clear()
                (self.path / _LOCK).unlink(missing_ok=True)
                self.path.rmdir()  # which others' files keep from happening

    def there(self) -> list[str]:
        """Name what a run has left here."""
        return [name for name in (*FILES, *FOLDERS) if (self.path / name).exists()]

    def _compare(self, config: str) -> None:
        """Raise if the run that is there has other settings."""
        before = read_config(self.path / CONFIG)
        if before is None:
            return
        now = dict(_leaves(yaml.safe_load(config)))
        then = dict(_leaves(before))
        for name in dict.fromkeys([*now, *then]):
            old, new = then.get(name), now.get(name)
            if old != new and not _may_change(name):
                raise OutputError(
                    f"{self.path} holds a run with {name} {_words(old)}, and now it is "
                    f"{_words(new)}; go on with the former, or choose another folder."
                )

    def _sweep(self) -> None:
        """Remove what a killed run was about to write."""
        for name in FILES:
            for part in self.path.glob(f".{name}.*.part"):
                part.unlink(missing_ok=True)

    def _clear(self) -> None:
        # The state first: without it nothing would go on with half of a run.
        for name in (STATE, *FILES):
            with suppress(FileNotFoundError):
                (self.path / name).unlink()
        for name in FOLDERS:
            with suppress(FileNotFoundError):
                shutil.rmtree(self.path / name)


def read_config(path: Path) -> dict[str, Any] | None:
    """Return the settings of a run; None if it has none.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, yaml.YAMLError) as error:
        words = str(error).splitlines()[0]
        raise InputError(f"{path} cannot be read ({words}); --overwrite starts anew.") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} holds no settings; --overwrite starts the run anew.")
    return found


def best_weights(run: str | os.PathLike[str]) -> Path:
    """Return the best weights of a run.

    Raises
    ------
    InputError
        If there is no such run, or it has none yet.
    """
    folder = Path(run)
    path = folder / BEST
    if path.is_file():
        return path
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; give the --out of 'oncoforge train'.")
    if RunFolder(folder).there():
        last = folder / LAST
        other = f", or take its last weights with --model {last}" if last.exists() else ""
        raise InputError(
            f"The run in {folder} has no {BEST} yet: it is written after the first validation; "
            f"wait for it, or go on with --resume{other}."
        )
    raise InputError(f"{folder} holds no run; give the --out of 'oncoforge train'.")


def _taken(file: TextIO) -> bool:
    """Lock a file for this process, and not for those that it forks; tell whether that was done."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _leaves(values: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, Mapping) and values:
        for key, value in values.items():
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, values


def _may_change(name: str) -> bool:
    return any(name == free or name.startswith(f"{free}.") for free in MAY_CHANGE)


def _words(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) and value else repr(value)
