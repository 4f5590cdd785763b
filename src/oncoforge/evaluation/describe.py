"""The settings of an evaluation in words, so that no table stands without its definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from oncoforge.reports.wording import count
from oncoforge.version import __version__

_NSD: Final = {
    "surfel": "part of the surfaces' area within {:g} mm of each other",
    "voxel-edge": "part of the edges' voxels within {:g} mm of each other",
    "mean-of-fractions": "mean of the parts of both edges within {:g} mm of the other",
}

_EMPTY: Final = {
    "defined": (
        "where both masks are empty, nothing is counted; where one is, Dice, IoU and NSD are 0 and "
        "distances are not counted"
    ),
    "predecessors": (
        "as published: where a mask is empty, Dice, IoU and NSD are 0; infinite distances of "
        "tumours count 100 mm (ASSD) and 200 mm (HD95)"
    ),
}

_MATCHING: Final = {
    "one-to-one": "matched one to one for the largest sum of IoU, each above {:g} %",
    "predecessors": "found if more than {:g} % is predicted, not one to one (as MedCraft)",
}


def definition(settings: Mapping[str, Any]) -> str:
    """Say which NSD it is."""
    kind = settings.get("nsd", "surfel")
    return f"{kind}, {_NSD[kind].format(settings.get('tolerance_mm', 2.0))}"


def note(settings: Mapping[str, Any], cases: int, spread: str, early: bool) -> str:
    """Say what the numbers of the published table are; `early` if small lesions are among them."""
    beside = (
        "± standard deviation"
        if spread == "sd"
        else f"[{100 * settings.get('level', 0.95):g} % bootstrap interval]"
    )
    none = (
        "as published, cases without a structure count 0"
        if settings.get("empty") == "predecessors"
        else "misses and false alarms count 0, cases in which both masks are empty do not count"
    )
    organ = (
        "Organs with their tumours"
        if settings.get("organ_mask", "whole") == "whole"
        else "Organs without their tumours"
    )
    small = (
        " Sens.: part of the true lesions below 20 mm (sphere of the same volume) that were found."
    )
    return (
        f"Percent, mean {beside} over {count(cases, 'case')}; {none}. {organ}. DSC: Dice. "
        f"NSD: {definition(settings)}.{small if early else ''}"
    )


def facts(settings: Mapping[str, Any]) -> dict[str, str]:
    """Say how an evaluation was made: label to text."""
    whole = settings.get("organ_mask", "whole") == "whole"
    cases = count(settings.get("cases", 0), "case")
    said = {
        "Truths": f"{cases}, convention {settings.get('convention')}",
        "Predictions": f"convention {settings.get('pred_convention')}",
        "Organ masks": "with their tumours" if whole else "without their tumours",
        "NSD": definition(settings),
        "Undefined": _EMPTY[settings.get("empty", "defined")],
        "Lesions": (
            f"26-connected, at least {count(settings.get('min_voxels', 1), 'voxel')}; "
            + _MATCHING[settings.get("matching", "one-to-one")].format(
                100 * settings.get("overlap", 0.1)
            )
        ),
        "Intervals": (
            f"{100 * settings.get('level', 0.95):g} %, bootstrap (BCa) of patients, "
            f"{settings.get('draws')} draws, seed {settings.get('seed')}"
        ),
        "oncoforge": __version__,
    }
    if settings.get("positive_mm3"):
        said["Ill as predicted"] = f"more than {settings['positive_mm3']:g} mm³ in one scan"
    if settings.get("probabilities"):
        said["Ranking"] = "patients by their largest tumour probability"
    if settings.get("fold") is not None:
        said["Fold"] = str(settings["fold"])
    return said
