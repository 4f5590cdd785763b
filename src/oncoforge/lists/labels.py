"""What a list's header says of its label values."""

from __future__ import annotations


def read_labels(given: object) -> dict[int, str] | None:
    """Return label value to name, from any of the ways in which lists say it.

    Parameters
    ----------
    given
        MSD's ``{"1": "liver"}``, nnU-Net's ``{"liver": 1}``, or names from 0 on.

    Returns
    -------
    dict or None
        None if it is something else, such as nnU-Net's regions of several values.
    """
    if isinstance(given, list):
        given = dict(enumerate(given))
    if not isinstance(given, dict):
        return None
    labels: dict[int, str] = {}
    for key, value in given.items():
        number, name = (key, value) if is_whole(key) else (value, key)
        if not is_whole(number) or not isinstance(name, str):
            return None
        labels[int(number)] = name
    return labels


def is_whole(value: object) -> bool:
    """Say whether something is a whole number, or text that is one."""
    if isinstance(value, str):
        return value.strip().removeprefix("-").isdecimal()
    return isinstance(value, int) and not isinstance(value, bool)
