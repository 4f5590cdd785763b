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
from pathlib import Path
from typing import Any

import click

from oncoforge import anatomy
from oncoforge.anatomy.labels import FIRST_STRUCTURE
from oncoforge.cli import group
from oncoforge.synthesis.handcrafted import PRESETS, Settings
from oncoforge.synthesis.masks.sizes import MIX, SIZES

DOCS = Path(__file__).resolve().parent

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
    "place": ("`band`, `inside`", "`band`: the central 40 % of the organ's slices, 2 mm inside it, "
              "as published; `inside`: anywhere deep enough for the lesion's size"),
    "margin": ("part of the radius", "how deep a centre lies below the organ's surface with "
               "`place=inside`; halved, then dropped, in a thin organ"),
    "avoid_vessels": ("yes, no", "prefer places without vessels within the lesion's radius"),
    "min_distance_mm": ("mm", "least gap between two lesions; none lets them touch"),
    "min_inside": ("0 to 1", "least part of a lesion that must lie in the organ and clear of other "
                   "lesions; below it the lesion is left out, unless count or positions are asked "
                   "for"),
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
    "fill_hu": ("HU, range", "fill lesions to this HU instead of adding contrast; `synthesize` and "
                "the command line set it by themselves for organs that hold air"),
    "floor_hu": ("HU", "least mean HU of a darker lesion: contrast and core weaken where the organ "
                 "is too dark for them; none lets lesions grow as dark as they come"),
    "mass_effect": ("0 to below 1, range", "strength with which a lesion pushes the organ around "
                    "it outwards; none for no push"),
}  # fmt: skip
"""Unit and meaning of every setting of the hand-crafted method."""


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
        return " to ".join(f"{v:g}" for v in value).replace("-", "−")
    return f"`{value}`" if isinstance(value, str) else f"{value:g}"


def settings() -> str:
    """Every setting of the hand-crafted method."""
    rows = []
    for field in fields(Settings):
        unit, meaning = MEANINGS[field.name]
        values = [_value(getattr(PRESETS[name], field.name)) for name in PRESETS]
        if values[0] != values[1]:
            values[1] = f"**{values[1]}**"
        rows.append((f"`{field.name}`", unit, *values, meaning))
    return table(("Setting", "Unit", *PRESETS, "Meaning"), rows)


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


def _option(option: click.Parameter, context: click.Context) -> tuple[str, str, str]:
    names = " ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    info = option.to_info_dict()
    kind = "" if info.get("is_flag") else option.make_metavar(context)
    default = info.get("default")
    if getattr(option, "required", False):
        shown = "required"
    elif isinstance(default, str | int | float) and not isinstance(default, bool):
        shown = f"`{default}`"
    else:
        shown = ""
    return f"{names} {kind}".strip(), shown, str(getattr(option, "help", ""))


def options(name: str) -> str:
    """Every option of one command."""
    context = click.Context(group, info_name="oncoforge")
    command = group.get_command(context, name)
    assert command is not None
    inner = click.Context(command, info_name=name, parent=context)
    rows = [_option(p, inner) for p in command.params if isinstance(p, click.Option)]
    return table(("Option", "Default", "Meaning"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "sizes": sizes,
    "organs": organs,
    "structures": structures,
    "conventions": conventions,
    "classes": classes,
    "options-synth": lambda: options("synth"),
    "options-demo": lambda: options("demo"),
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
