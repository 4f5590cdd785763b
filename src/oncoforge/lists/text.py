"""Lists as lines of text, as DiffTumor keeps them: image and label, or one id."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from oncoforge.errors import InputError
from oncoforge.lists.draft import Draft, assemble
from oncoforge.lists.entry import SPLITS, CaseList, Entry
from oncoforge.lists.names import ending
from oncoforge.lists.places import locate, written
from oncoforge.lists.plain import read_plain

WORDS: Final = {"training": "train", "validation": "val", "test": "test"}
"""The word for a part in the name of its file: ``real_tumor_train_0.txt``."""

_PART = re.compile(r"(?<![a-z])(train|val|test)(?:ing|idation)?(?![a-z])", re.IGNORECASE)
_ID_FILES = ("{}.nii.gz", "{}_0000.nii.gz", "{}/ct.nii.gz", "{}.nii", "{}.nrrd", "{}.mha")


def is_text_list(text: str) -> bool:
    """Say whether a text can be a list: its first line has one or two words."""
    lines = _lines(text)
    return bool(lines) and len(lines[0][1]) <= 2


def read_text(path: Path, root: Path, part: str | None = None) -> CaseList:
    """Read a text list, with the lists of the other parts that are beside it.

    Parameters
    ----------
    path
        The file, such as ``real_tumor_train_0.txt``.
    root
        Absolute folder that its paths start from.
    part
        One of `SPLITS`: read this file alone, as this part. By default a file with ``train``,
        ``val`` or ``test`` in its name is read together with its neighbours of that name but for
        that word, and any other file is training.

    Raises
    ------
    InputError
        If a line has more than two words.
    """
    files = {part: path} if part else neighbours(path)
    return assemble(
        {part: _drafts(file, root) for part, file in files.items()}, path, name=path.stem
    )


def text_pairs(folder: Path) -> dict[int | None, Path]:
    """Return the training lists of a folder by the number of their fold, None if unnumbered."""
    found: dict[int | None, Path] = {}
    for file in sorted(folder.glob("*.txt")):
        if (match := _PART.search(file.stem)) and match[1].lower() == "train":
            number = re.search(r"(\d+)$", file.stem)
            found[int(number[1]) if number else None] = file
    return found


def text_lines(entries: Iterable[Entry], folder: Path) -> bytes:
    """Return the text of one part, with paths relative to the folder of its file.

    Raises
    ------
    InputError
        If a case has no image, or a path holds white space, which divides the columns.
    """
    lines = []
    for entry in entries:
        if entry.image is None:
            raise InputError(
                f"Case {entry.case} has no image; a text list names an image on every line. "
                "Write --to msd or csv."
            )
        words = [written(path, folder) for path in (entry.image, entry.label) if path]
        if any(len(word.split()) != 1 for word in words):
            raise InputError(
                f"{' '.join(words)!r} holds white space, which divides image from label in a text "
                "list; write --to msd or csv, or rename the file."
            )
        lines.append(" ".join(words) + "\n")
    return "".join(lines).encode()


def neighbours(path: Path) -> dict[str, Path]:
    """Return the file of each part, where a file is one of several."""
    match = _PART.search(path.stem)
    if match is None:
        return {"training": path}
    start, stop = match.span()
    files = {
        part: path.with_name(f"{path.stem[:start]}{word}{path.stem[stop:]}{path.suffix}")
        for part, word in WORDS.items()
    }
    own = next(part for part, word in WORDS.items() if word == match[1].lower())
    files[own] = path
    return {part: files[part] for part in SPLITS if part == own or files[part].is_file()}


def _lines(text: str) -> list[tuple[int, list[str]]]:
    """Return the words of every line that has some, with its number; ``#`` starts a comment."""
    lines = ((number, line.split()) for number, line in enumerate(text.splitlines(), start=1))
    return [(number, words) for number, words in lines if words and not words[0].startswith("#")]


def _drafts(file: Path, root: Path) -> list[Draft]:
    """Read the cases of one file."""
    drafts = []
    for number, words in _lines(read_plain(file)):
        if len(words) > 2:
            raise InputError(
                f"{file}, line {number}, should be an image and a label with white space between, "
                f"but has {len(words)} words."
            )
        label = locate(words[1], root) if len(words) == 2 else None
        drafts.append(Draft(_image(words[0], root), label))
    return drafts


def _image(word: str, root: Path) -> Path:
    """Return the place of an image that is given by path or by id."""
    plain = locate(word, root)
    if ending(plain) or os.path.isfile(plain):
        return plain
    found = (root / form.format(word) for form in _ID_FILES)
    return next((file for file in found if os.path.isfile(file)), plain)
