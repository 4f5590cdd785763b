"""Write the tables of the documentation from the code, between markers in the pages.

    python docs/tables.py            # rewrite them
    python docs/tables.py --check    # say which are stale, and exit with 1

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import cache, partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from oncoforge import anatomy
from oncoforge.anatomy.labels import FIRST_STRUCTURE
from oncoforge.checkpoints import describe
from oncoforge.cli import group
from oncoforge.datasets.findings import KINDS
from oncoforge.synthesis import cellular, handcrafted
from oncoforge.synthesis.appearance.copied import Copied
from oncoforge.synthesis.base import Lesion
from oncoforge.synthesis.masks.library.model import LibraryModel
from oncoforge.synthesis.masks.sizes import MIX, SIZES

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))
import dataset_table  # noqa: E402  (beside this file)

_MARKED = re.compile(r"<!-- table: ([\w-]+) -->\n.*?<!-- end -->", re.DOTALL)

MEANINGS: dict[str, tuple[str, str]] = {
    "size": ("name", "`tiny`, `small`, `medium`, `large`, `mix` (all four in one scan) or "
             "`random` (one of these five, anew for each scan)"),
    "count": ("lesions", "how many lesions; none draws the number from the size class"),
    "diameter_mm": ("mm", "diameter of the sphere of the same volume, before the organ clips it; "
                    "none draws radii from the size class"),
    "at_mm": ("mm", "centres of the first lesions, from the centre of the scan's first voxel along "
              "the array axes; for positions in the patient use `at` of `synthesize` or `--at`"),
    "units": ("`mm`, `vox`", "`vox` takes the radii in voxels, whatever the spacing, as the "
              "released program does on a native grid"),
    "rotate": ("yes, no", "give each ellipsoid a random orientation"),
    "elastic": ("`none`, `planes`, `volume`", "deformation: three passes of one 2-D field each, as "
                "published, or one true 3-D field"),
    "spheres": ("0 to 1", "part of the lesions that are plain spheres, undeformed"),
    "steps": ("steps, or range", "how long lesions grow; none draws from 5 up to what fills 0.45 "
              "of the diameter of the sphere that has the organ's volume, at most 149; not heeded "
              "with `size` or `diameter_mm`"),
    "clustered": ("probability", "lesion that starts from a cluster: 3 to 9 more seeds within 10 "
                  "points of the first along each axis"),
    "place": ("`band`, `inside`, `anywhere`", "`band`: the central 40 % of the organ's slices, "
              "2 mm inside it, as published; `inside`: anywhere deep enough for the lesion's size; "
              "`anywhere`: any voxel of the organ"),
    "margin": ("part of the radius", "how deep a centre lies below the organ's surface with "
               "`place=inside`; halved, then dropped, in a thin organ"),
    "avoid_vessels": ("yes, no", "prefer places without vessels within the lesion's radius"),
    "min_distance_mm": ("mm", "least gap between two lesions; none lets them touch"),
    "min_inside": ("0 to 1", "least part of a lesion that must lie in the organ and clear of other "
                   "lesions; below it the lesion is left out, unless count or positions are asked "
                   "for"),
    "necrosis": ("probability", "middle that dies, of a lesion that is large"),
    "necrosis_steps": ("steps", "a lesion is large if it grows longer than this; none for a third "
                       "of the longest that `steps` allows"),
    "levels_hu": ("HU, three", "HU from which tissue is of level 2, of level 3, and a wall; none "
                  "estimates them from the organ"),
    "smooth_mm": ("mm", "sigma of the filter through which levels are told apart; 0 for none"),
    "acceptance": ("probabilities, three", "with which tissue of level 1, 2 and 3 accepts growth"),
    "neighbours": ("27, 28", "the cube about a point, or the draw of the released program, which "
                   "drifts"),
    "pitch_mm": ("mm", "distance of the lattice's points"),
    "contrast_hu": ("HU, range", "HU added where texture and softened mask are 1; the texture "
                    "averages one half, so the mean changes by about half of it"),
    "edge_mm": ("mm, range", "sigma of the Gaussian that softens the edge"),
    "per_lesion": ("yes, no", "draw texture, contrast and edge for every lesion; no shares them "
                   "in a scan, as published"),
    "hyperdense": ("probability", "lesion brighter than the organ: its contrast changes sign"),
    "rim": ("probability", "capsule"),
    "rim_hu": ("HU, range", "strength of the capsule, before it is blurred"),
    "core": ("probability", "necrotic core"),
    "core_hu": ("HU, range", "HU added in the core"),
    "core_part": ("part of the depth, range", "size of the core: part of the lesion's greatest "
                  "depth that it takes"),
    "necrosis_hu": ("HU, range", "HU added where texture is 1 and all is dead"),
    "vessel_keep": ("0 to 1", "part of their HU that walls keep in a lesion"),
    "bright_keep": ("0 to 1", "part of its HU that tissue of level 3 keeps in a lesion"),
    "blur_mm": ("mm", "sigma of the filter of walls and tissue of level 3 in a lesion; 0 for none"),
    "fat_hu": ("HU", "tissue below this is fat, which lesions fill; none leaves it"),
    "fat_gain": ("range", "HU added to fat where texture and density are 1, as a multiple of the "
                 "mean in the lesion"),
    "fill_hu": ("HU, range", "fill lesions to this HU instead of adding contrast; `synthesize` and "
                "the command line set it by themselves for organs that hold air"),
    "floor_hu": ("HU", "least mean HU of a darker lesion: contrast and necrosis weaken where the "
                 "organ is too dark for them; none lets lesions grow as dark as they come"),
    "mass_effect": ("0 to below 1, range", "strength with which a lesion pushes the organ around "
                    "it outwards; none for no push"),
}  # fmt: skip
"""Unit and meaning of every setting, of either method."""

GROWN: dict[str, tuple[str, str]] = {
    "size": ("name", "lesions stop at a diameter of this class, and their number is the class's; "
             "none lets them grow for `steps`"),
    "count": ("lesions", "how many lesions; none draws 1 to 9, or from the size class"),
    "diameter_mm": ("mm", "lesions stop at this diameter, of the sphere of their volume in the "
                    "organ"),
    "at_mm": ("mm", "where the first lesions start, from the centre of the scan's first voxel "
              "along the array axes; for positions in the patient use `at` of `synthesize` or "
              "`--at`"),
    "place": ("`anywhere`, `inside`, `band`", "`anywhere`: any voxel of the organ, as published; "
              "`inside`: anywhere deep enough for the lesion's size; `band`: the central 40 % of "
              "the organ's slices, 2 mm inside it"),
    "contrast_hu": ("HU, range", "HU added where texture and density are 1; the texture averages "
                    "one half, so the mean changes by about half of it"),
    "per_lesion": ("yes, no", "draw steps, texture and contrast for every lesion; no shares them "
                   "in a scan, as published"),
    "rim_hu": ("HU, range", "strength of the capsule"),
}  # fmt: skip
"""The same, where it is another for lesions that grow."""

PASTED: dict[str, tuple[str, str]] = {
    "tumors_of": ("organ", "whose tumours are taken; `synthesize` and the command line set it to "
                  "the organ that is worked on if the library has tumours of it, else none, which "
                  "takes those of every organ"),
    "size": ("name", "size class: tumours that can be scaled to it, or the nearest ones; none "
             "takes tumours as large as they are"),
    "count": ("lesions", "how many; none draws as many as a case of the library has, or from the "
              "size class"),
    "diameter_mm": ("mm", "diameter of the sphere of the same volume; always reached, if need be "
                    "by scaling beyond `scale`, which a remark then says"),
    "at_mm": ("mm", "centroids of the first lesions, from the centre of the scan's first voxel "
              "along the array axes; for positions in the patient use `at` of `synthesize` or "
              "`--at`"),
    "scale": ("range", "factor by which tumours are scaled"),
    "rotate": ("yes, no, `axial`", "turn about all axes, not at all, or about the body's axis"),
    "flip": ("yes, no", "mirror every other tumour"),
    "place": MEANINGS["place"],
    "margin": MEANINGS["margin"],
    "avoid_vessels": MEANINGS["avoid_vessels"],
    "min_distance_mm": MEANINGS["min_distance_mm"],
    "min_inside": MEANINGS["min_inside"],
    "edge_mm": ("mm, range", "sigma of the Gaussian that softens the seam"),
    "match": ("yes, no", "shift the values so that the organ around has the mean of the scan"),
}  # fmt: skip
"""Unit and meaning of the settings of a library, and of copying from it."""

REFERENCE: dict[int, dict[int, float]] = {
    1: {5: 2.4, 10: 3.7, 20: 7.2, 30: 11.6, 50: 20.5, 80: 34.4, 100: 43.7, 149: 67.0},
    2: {20: 5.8, 50: 15.7, 80: 26.1, 149: 50.3},
    3: {20: 3.0, 50: 8.1, 80: 14.2, 149: 29.7},
}
"""Diameter in mm by level of tissue and steps, by an independent program of the published rules.

One run for each number. Level 1 is as released, with 28 outcomes of a draw; levels 2 and 3 are as
the paper meant them.
"""

REFERENCE_DEAD = {51: 26, 80: 25, 100: 31, 149: 31}
"""Dead part in % by steps, in tissue of level 1, by the same program: one run for each number."""

LEVEL_HU = {1: 100.0, 2: 130.0, 3: 150.0}
"""HU that lie in the middle of a level of the liver's tissue."""


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Write a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _value(value: Any) -> str:
    """Write the value of a setting."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        between = " to " if len(value) == 2 else ", "
        return between.join(f"{v:g}" for v in value).replace("-", "−")
    return f"`{value}`" if isinstance(value, str) else f"{value:.4g}"


def settings(method: Any) -> str:
    """Every setting of a method, with the values of its presets."""
    presets = method.PRESETS
    meanings = MEANINGS | (GROWN if method is cellular else {})
    rows = []
    for field in fields(method.Settings):
        unit, meaning = meanings[field.name]
        first, *others = [_value(getattr(presets[name], field.name)) for name in presets]
        values = [first, *(f"**{v}**" if v != first else v for v in others)]
        rows.append((f"`{field.name}`", unit, *values, meaning))
    return table(("Setting", "Unit", *presets, "Meaning"), rows)


def defaults(model: Any) -> str:
    """Every setting of a model of pasted tumours, with its default."""
    rows = []
    for field in fields(model):
        if field.metadata.get("setting", True):
            unit, meaning = PASTED[field.name]
            default = None if field.default == "" else field.default
            rows.append((f"`{field.name}`", unit, _value(default), meaning))
    return table(("Setting", "Unit", "Default", "Meaning"), rows)


def findings() -> str:
    """Every kind of finding of a check."""
    rows = [(kind.severity, f"`{name}`", kind.title) for name, kind in KINDS.items()]
    return table(("Severity", "Kind", "What"), rows)


@cache
def growth() -> str:
    """Diameters after some steps in even tissue: medians of nine tumours."""
    ways = ((1, "liver"), (1, "released"), (2, "liver"), (3, "liver"))
    rows = []
    for steps in REFERENCE[1]:
        ours = [f"{_diameter(steps, LEVEL_HU[level], preset):.1f}" for level, preset in ways]
        theirs = [f"*{REFERENCE[n][steps]}*" if steps in REFERENCE[n] else "" for n in (1, 2, 3)]
        rows.append((steps, *ours[:2], theirs[0], ours[2], theirs[1], ours[3], theirs[2]))
    head = ("Steps", "Level 1", "Level 1, `released`", "*reference*")
    return table((*head, "Level 2", "*reference*", "Level 3", "*reference*"), rows)


@cache
def death() -> str:
    """Dead part of tumours in even tissue: of nine that all have necrosis."""
    rows = []
    for steps, reference in REFERENCE_DEAD.items():
        grown = _grow(steps, LEVEL_HU[1], "liver", necrosis=1.0)
        dead = [100 * one.growth.necrotic_fraction for one in grown if one.growth]
        lowest, middle, highest = (f"{np.quantile(dead, q):.0f}" for q in (0.0, 0.5, 1.0))
        rows.append((steps, middle, f"{lowest} to {highest}", f"*{reference}*"))
    return table(("Steps", "Median, %", "Range, %", "*reference, %*"), rows)


def _diameter(steps: int, hu: float, preset: str) -> float:
    """Return the median diameter, mm, of nine tumours in tissue of one HU."""
    return float(np.median([one.diameter_mm for one in _grow(steps, hu, preset)]))


def _grow(steps: int, hu: float, preset: str, **settings: Any) -> list[Lesion]:
    """Grow nine tumours, each from one seed in the middle of even tissue."""
    side = 40 + round(0.6 * steps)
    image = np.full((side,) * 3, hu, np.float32)
    organ = np.zeros(image.shape, np.bool_)
    organ[2:-2, 2:-2, 2:-2] = True
    middle = ((side / 2,) * 3,)
    synth = cellular.Cellular(preset=preset, steps=steps, foci=1, at_mm=middle, **settings)
    made = [synth(image, organ, (1, 1, 1), np.random.default_rng(seed)) for seed in range(9)]
    return [one.lesions[0] for one in made]


def sizes() -> str:
    """Published constants of the size classes."""
    rows = []
    for name, size in SIZES.items():
        low, high = int(0.75 * size.radius_mm), int(1.25 * size.radius_mm)
        a, b = size.sigma_mm
        sigma = (
            ", ".join(map(str, range(int(a), int(b) + 1))) if size.whole_sigma else f"{a} to {b}"
        )
        ranges = ["{} to {}".format(*pair) for pair in (size.count, size.count_in_mix)]
        rows.append((f"`{name}`", size.radius_mm, f"{low} to {high}", sigma, *ranges))
    fewest, most = (sum(c.count_in_mix[i] for c in SIZES.values()) for i in (0, 1))
    rows.append((f"`{MIX}`", "all four", "", "", f"{fewest} to {most}", ""))
    head = ("Size", "Nominal radius R, mm", "Each semi-axis, mm (whole)", "Elastic sigma, mm")
    return table((*head, "Lesions in a scan", "The same, in a mix"), rows)


def organs() -> str:
    """Organs that can hold tumours."""
    rows = [
        (
            f"`{name}`",
            organ.label,
            organ.tumor_label,
            _value(organ.hu),
            _value(organ.window),
            " / ".join(f"{mm:g}" for mm in organ.tumor_diameter_mm or ()),
            _value(organ.tumor_hu),
            organ.source,
        )
        for name, organ in anatomy.ORGANS.items()
        if organ.tumor_label
    ]
    head = ("Organ", "Label", "Tumour", "HU", "Window", "Tumour, mm", "Tumour, HU", "Source")
    return table(head, rows)


def structures() -> str:
    """Structures that hold no tumours."""
    rows = [
        (f"`{name}`", organ.label, _value(organ.hu), _value(organ.window), organ.source)
        for name, organ in anatomy.ORGANS.items()
        if organ.label >= FIRST_STRUCTURE
    ]
    return table(("Structure", "Label", "HU", "Window", "Source"), rows)


def conventions() -> str:
    """Label conventions by name."""
    rows = []
    for name, convention in anatomy.CONVENTIONS.items():
        count = len(convention.classes) - 1
        classes = "1 class" if count == 1 else f"{count} classes"
        rows.append((f"`{name}`", convention.title, classes, convention.notes, convention.source))
    return table(("Name", "What", "Labels", "Notes", "Source"), rows)


def classes() -> str:
    """Every value of every convention but oncoforge's own."""
    parts = []
    for name, convention in anatomy.CONVENTIONS.items():
        if name == "oncoforge":
            continue
        rows = [
            (value, own, f"`{convention.targets[value]}`")
            for value, own in convention.classes.items()
            if value
        ]
        body = table(("Value", "There", "Here"), rows).replace("\n", "\n    ")
        parts.append(f'??? note "{name}: {convention.title}"\n\n    {body}')
    return "\n\n".join(parts)


def _option(option: click.Option, context: click.Context) -> tuple[str, str, str]:
    names = " ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    kind = "" if option.is_flag else option.make_metavar(context)
    default = option.to_info_dict()["default"]
    # Some say what the default does in the words of their help.
    meaning, _, said = (option.help or "").removesuffix("]").partition("  [default: ")
    if option.required:
        shown = "required"
    elif said or isinstance(option.show_default, str):
        shown = said or str(option.show_default)
        shown = f"`{shown}`" if shown == default else shown
    elif isinstance(default, str | int | float) and not isinstance(default, bool):
        shown = f"`{default}`" if default != "" else ""
    else:
        shown = ""
    return f"{names} {kind}".strip(), shown, meaning


def options(words: str) -> str:
    """Every option of one command, or of a command of a group such as ``prepare split``."""
    command: click.Command = group
    context = click.Context(group, info_name="oncoforge")
    for name in words.split():
        assert isinstance(command, click.Group)
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {words}"
        command, context = found, click.Context(found, info_name=name, parent=context)
    rows = [_option(p, context) for p in command.params if isinstance(p, click.Option)]
    return table(("Option", "Default", "Meaning"), rows)


COMMANDS = ("synth", "demo", "check", "analyze", "predict", "evaluate")
"""Commands that have no commands of their own."""

WEIGHTS = ("list", "show", "fetch", "import", "networks")
"""Commands of ``oncoforge weights``."""


def recipe_keys(group: str) -> str:
    """Every key of one group of a recipe."""
    from oncoforge.training.run import recipe  # Lightning is slow to import

    rows = [
        (f"`{name}`", kind, default if default == "required" else f"`{default}`", meaning)
        for name, kind, default, meaning in recipe.rows()
        if name.partition(".")[0] == group
    ]
    return table(("Key", "Type", "Default", "Meaning"), rows)


RECIPE = ("seed", "model", "data", "trainer", "run")
"""Groups of the keys of a recipe."""

TRAIN = ("segmentation", "nnunet")
"""Commands of ``oncoforge train``."""

PREPARE = (
    "list", "show", "NAME", "relabel", "dicom", "healthy", "early", "crops", "convert", "split",
)  # fmt: skip
"""Commands of ``oncoforge prepare``; NAME stands for a dataset."""


TABLES: dict[str, Callable[[], str]] = {
    "settings-handcrafted": lambda: settings(handcrafted),
    "settings-cellular": lambda: settings(cellular),
    "growth": growth,
    "death": death,
    "sizes": sizes,
    "organs": organs,
    "structures": structures,
    "conventions": conventions,
    "classes": classes,
    "settings-library": lambda: defaults(LibraryModel),
    "settings-copied": lambda: defaults(Copied),
    "datasets": lambda: table(*dataset_table.datasets()),
    "dataset-overlaps": lambda: table(*dataset_table.overlaps()),
    "dataset-oddities": lambda: table(*dataset_table.oddities()),
    "findings": findings,
    **{f"options-{name}": partial(options, name) for name in COMMANDS},
    **{f"options-prepare-{name}": partial(options, f"prepare {name}") for name in PREPARE},
    **{f"recipe-{group}": partial(recipe_keys, group) for group in RECIPE},
    **{f"options-train-{name}": partial(options, f"train {name}") for name in TRAIN},
    **{f"options-weights-{name}": partial(options, f"weights {name}") for name in WEIGHTS},
    "weights": lambda: table(describe.HEAD, describe.rows()),
}


def filled(text: str) -> str:
    """Return a page with its tables written anew."""
    return _MARKED.sub(
        lambda m: f"<!-- table: {m[1]} -->\n\n{TABLES[m[1]]()}\n\n<!-- end -->", text
    )


def stale() -> list[Path]:
    """Return the pages whose tables are not what the code says."""
    pages = sorted(DOCS.rglob("*.md"))
    return [page for page in pages if filled(page.read_text("utf-8")) != page.read_text("utf-8")]


if __name__ == "__main__":
    changed = stale()
    for page in changed:
        print(page.relative_to(DOCS.parent))
        if "--check" not in sys.argv:
            page.write_text(filled(page.read_text("utf-8")), "utf-8")
    sys.exit(1 if changed and "--check" in sys.argv else 0)
