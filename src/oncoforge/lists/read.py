"""Read a list of cases, whatever of the field's forms it has."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.lists.entry import SPLITS, CaseList
from oncoforge.lists.folds import at_fold
from oncoforge.lists.msd import is_msd, read_msd
from oncoforge.lists.nnunet import SPLITS_FILE, is_nnunet, read_nnunet
from oncoforge.lists.plain import FORMS, read_plain
from oncoforge.lists.table import delimiter, read_table, without_columns
from oncoforge.lists.text import is_text_list, read_text, text_pairs


def read_list(
    path: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    split: str | None = None,
    fold: int | None = None,
) -> CaseList:
    """Read a list of cases; its form is seen from what it holds.

    The files that it names need not exist. Those of a list that was made on another machine, or
    for another folder, are looked for below `root` (see `oncoforge.lists.places.locate`).

    Parameters
    ----------
    path
        MSD or MONAI JSON; CSV with the columns case, image, label, patient, fold, split; a text
        list, such as DiffTumor's ``real_tumor_train_0.txt``, with its ``val`` file if that is
        beside it; an nnU-Net raw folder, or its dataset.json.
    root
        Folder that the paths start from; by default the list's own.
    split
        One of `SPLITS`: what a text list is for, read alone. By default its name says it.
    fold
        Take the cases of this fold for validation: of a list whose cases have a ``fold``, of
        nnU-Net's splits_final.json, or of a folder with numbered text lists.

    Raises
    ------
    InputError
        If the file cannot be read, is no list, or has no such fold.
    UnknownNameError
        If there is no such split.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("list.json").write_text('{"training": [{"image": "a.nii", "label": "b.nii"}]}')
    >>> len(read_list("list.json").training)
    1
    """
    if split is not None and split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS)
    file = Path(os.path.abspath(path))
    if file.is_dir():
        file, fold = _inside(file, fold)
    start = file.parent if root is None else Path(os.path.abspath(root))
    text = read_plain(file)
    if text.lstrip()[:1] in ("{", "["):
        content = _json(text, file)
        if is_nnunet(content) and not is_msd(content):
            return read_nnunet(content, file, start, fold)
        cases = _read_msd(content, file, start)
    elif delimiter(text) is not None:
        cases = read_table(text, file, start)
    elif columns := without_columns(text):
        raise InputError(_no_list(file, columns))
    elif is_text_list(text):
        return read_text(file, start, split)
    else:
        raise InputError(f"{file} is not a list of cases; expected {FORMS}.")
    return cases if fold is None else at_fold(cases, fold)


def _inside(folder: Path, fold: int | None) -> tuple[Path, int | None]:
    """Return the list in a folder, and the fold that is still to be taken."""
    if (folder / "dataset.json").is_file():
        return folder / "dataset.json", fold
    pairs = text_pairs(folder)
    if fold in pairs:
        return pairs[fold], None
    if len(pairs) == 1 and fold is None:
        return next(iter(pairs.values())), None
    if pairs:
        known = ", ".join(str(number) for number in pairs if number is not None)
        raise InputError(f"{folder} holds text lists for the folds {known}; choose one of them.")
    raise InputError(
        f"{folder} is a folder without a dataset.json, so it is not a list of cases; expected "
        f"{FORMS}."
    )


def _no_list(file: Path, columns: tuple[str, ...]) -> str:
    """Say why a table is no list of cases."""
    if {"case", "organ"} <= set(columns):
        what = "cases and organs" if "lesions" in columns else "lesions"
        return (
            f"{file} is a table of {what} that oncoforge analyze wrote, not a list of cases; give "
            "the list, or the label maps, that it was made from."
        )
    shown = ", ".join(columns[:6]) + (", ..." if len(columns) > 6 else "")
    return (
        f"{file} is a table without the column 'image' or 'label' (it has {shown}), so it names no "
        "files; a list of cases needs one of them, and may have case, patient, fold and split."
    )


def _json(text: str, file: Path) -> Any:
    """Return the content of a JSON file."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not valid JSON: {error}.") from None


def _read_msd(content: Any, file: Path, root: Path) -> CaseList:
    """Read a JSON list; cases alone, without parts, are for training."""
    if isinstance(content, list):
        if any(isinstance(item, dict) and "train" in item for item in content):
            raise InputError(
                f"{file} holds nnU-Net's splits ({SPLITS_FILE}) and names no files; give the raw "
                "dataset's folder, with the splits beside its dataset.json."
            )
        content = {"training": content}
    if not is_msd(content):
        keys = ", ".join(repr(key) for key in list(content)[:6]) or "nothing"
        raise InputError(
            f"{file} is JSON, but not a list of cases: it has {keys}; expected {FORMS}."
        )
    return read_msd(content, file, root)
