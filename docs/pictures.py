"""Make every picture of the documentation, from the phantom alone.

python docs/pictures.py            # all of them, about a minute
python docs/pictures.py sizes      # one
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import BoundaryNorm, ListedColormap, to_rgb
from matplotlib.figure import Figure
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

import oncoforge as of
from oncoforge import anatomy
from oncoforge.case import Case
from oncoforge.job import forge_case
from oncoforge.order import Order, Origin
from oncoforge.phantom import PHASES
from oncoforge.reports import panels
from oncoforge.reports.planes import AXIAL, CORONAL, PLANES, Field, Plane, Section, cut, field
from oncoforge.synthesis.cases import SynthesizedCase
from oncoforge.synthesis.masks.growth.lattice import Lattice
from oncoforge.synthesis.masks.growth.plan import Grown, GrowthPlan, backend
from oncoforge.synthesis.masks.growth.rules import BORDER, MATURE, WALL
from oncoforge.synthesis.masks.growth.window import window as tissue_of
from oncoforge.synthesis.masks.sizes import MIX, SIZES
from oncoforge.synthesis.scene import make_scene

IMAGES = Path(__file__).resolve().parent / "images"
MOST_BYTES = 400_000

DPI = 120
SOFT, LUNG, LIVER = (-160.0, 240.0), (-1350.0, 150.0), (-20.0, 220.0)
SPACING = (1.5, 1.5, 1.5)
LIVER_CENTRE = (45.0, 15.0, 40.0)
BY_A_VESSEL = (60.0, 20.0, 45.0)
BY_THE_KIDNEY = ((82.0, -46.0, -45.0), (-92.0, -42.0, 5.0))

TISSUE = ("#33414e", "#8a6a2f", "#c98a3a", "#f2f2f2")
"""Colours of tissue of level 1, 2 and 3, and of walls."""

# Dark enough for white letters, and apart for every common kind of colour vision.
PALETTE = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#b8a500", "#999999",
    "#7b4fa3", "#5b8a3c", "#a65a2a", "#3c5a99", "#c44e72", "#2a8f8f", "#8c8c2a", "#6b6b8c",
    "#b07aa1", "#4c9a6a", "#c98a5a", "#4472c4", "#9c3d54", "#6fa8a8", "#7a6a4f",
)  # fmt: skip

QUIET = {
    anatomy.LABELS["body"]: "#3a3a3a",
    anatomy.LABELS["fat"]: "#57503c",
    anatomy.LABELS["muscle"]: "#6b3535",
}


class Board:
    """A dark figure of panels in rows and columns, sizes in inches."""

    def __init__(
        self,
        widths: Sequence[float],
        heights: Sequence[float],
        *,
        left: float = 0.3,
        top: float = 0.3,
    ) -> None:
        gap = 0.06
        self.lefts = [left + sum(widths[:i]) + i * gap for i in range(len(widths))]
        self.tops = [top + sum(heights[:i]) + i * gap for i in range(len(heights))]
        self.widths, self.heights = widths, heights
        self.width = self.lefts[-1] + widths[-1] + gap
        self.height = self.tops[-1] + heights[-1] + gap
        self.figure = Figure(figsize=(self.width, self.height), dpi=DPI, facecolor=panels.PAPER)
        self.canvas = FigureCanvasAgg(self.figure)

    def panel(self, row: int, column: int) -> Axes:
        left, top = self.lefts[column], self.tops[row]
        width, height = self.widths[column], self.heights[row]
        return self.figure.add_axes(
            (
                left / self.width,
                1 - (top + height) / self.height,
                width / self.width,
                height / self.height,
            )
        )

    def column_name(self, column: int, text: str) -> None:
        x = (self.lefts[column] + self.widths[column] / 2) / self.width
        y = 1 - (self.tops[0] - 0.07) / self.height
        panels.words(self.figure, x, y, text, ha="center", va="bottom", fontsize=9)

    def row_name(self, row: int, text: str) -> None:
        x = (self.lefts[0] - 0.09) / self.width
        y = 1 - (self.tops[row] + self.heights[row] / 2) / self.height
        panels.words(self.figure, x, y, text, ha="right", va="center", rotation=90, fontsize=9)

    def save(self, name: str, few: bool = True) -> None:
        buffer = io.BytesIO()
        self.canvas.print_png(buffer, metadata={"Software": None})
        buffer.seek(0)
        save(Image.open(buffer), name, few)


@cache
def inks() -> np.ndarray:
    """Return the colours that pictures of slices are made of: (n, 3) uint8, at most 256."""
    grey = np.linspace(0, 255, 100)[:, None].repeat(3, axis=1)
    change = panels.CHANGE(np.linspace(0, 1, 92))[:, :3] * 255
    paper = np.array(to_rgb(panels.PAPER))[None] * 255
    mixed = [
        np.array(to_rgb(ink)) * 255 * part + ground * (1 - part)
        for ink in (panels.LESION, panels.ORGAN)
        for ground in (16.0, 60.0, 100.0, 130.0, 160.0)
        for part in (0.25, 0.5, 0.75, 0.9, 1.0)
    ]
    return np.concatenate([paper, grey, change, np.array(mixed)]).round().astype(np.uint8)


def save(picture: Image.Image, name: str, few: bool = True) -> None:
    """Write a small PNG: of the inks above, or of the colours that are most common in it."""
    path = IMAGES / f"{name}.png"
    pixels = np.asarray(picture.convert("RGB"))
    if few:
        codes = np.ravel_multi_index(tuple(np.moveaxis(pixels, -1, 0)), (256, 256, 256))
        found, where = np.unique(codes, return_inverse=True)
        colours = np.stack(np.unravel_index(found, (256, 256, 256)), axis=1)
        nearest = cKDTree(inks()).query(colours)[1].astype(np.uint8)
        small = Image.fromarray(nearest[where].reshape(pixels.shape[:2]))
        small.putpalette(inks().tobytes())
    else:
        small = picture.convert("RGB").quantize(256, Image.Quantize.MEDIANCUT)
    small.save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.name}: {small.width} x {small.height}, {size / 1000:.0f} kB")
    if size > MOST_BYTES:
        raise SystemExit(f"{path} has {size} bytes; at most {MOST_BYTES} are wanted.")


@cache
def phantom(
    seed: int = 0, phase: str = "portal", spacing: tuple[float, float, float] = SPACING
) -> Case:
    return of.make_phantom(seed=seed, spacing_mm=spacing, phase=phase).case()


def section(
    case: Case, plane: Plane, index: int, organ: str = "liver", before: Case | None = None
) -> Section:
    """Cut a case as the reports do."""
    made = isinstance(case, SynthesizedCase)
    instances = case.synthesis.instances() if made else np.zeros(case.shape, np.uint16)
    columns, rows = case.shape[plane.across], case.shape[plane.up]
    return Section(
        plane,
        after=cut(case.image, plane, index),
        before=cut((before or case).image, plane, index),
        organ=cut(case.organ(organ), plane, index),
        instances=cut(instances, plane, index),
        x_mm=np.arange(columns)[::-1] * case.spacing[plane.across],
        y_mm=np.arange(rows)[::-1] * case.spacing[plane.up],
        pixel_mm=(case.spacing[plane.across], case.spacing[plane.up]),
    )


def index_at(case: Case, plane: Plane, world_mm: Sequence[float]) -> int:
    voxel = np.rint(case.to_voxel(world_mm)[plane.normal])
    return int(np.clip(voxel, 0, case.shape[plane.normal] - 1))


def focus(case: Case, world_mm: Sequence[float]) -> tuple[float, float, float]:
    x, y, z = case.to_voxel(world_mm) * case.spacing
    return float(x), float(y), float(z)


def show(
    axes: Axes,
    cut_: Section,
    where: Field,
    window: tuple[float, float],
    *,
    before: bool = False,
    lesions: bool = True,
    close: bool = False,
) -> None:
    pixels = cut_.before if before else cut_.after
    panels.paint(
        axes,
        cut_,
        pixels,
        where,
        cmap="gray",
        vmin=window[0],
        vmax=window[1],
        interpolation="bicubic" if close else "antialiased",
    )
    if lesions and not before:
        panels.outline_lesions(axes, cut_, 0.8)


def busiest(case: SynthesizedCase, plane: Plane) -> int:
    """Return the slice with the most tumour in it."""
    others = tuple(a for a in range(3) if a != plane.normal)
    return int(case.synthesis.tumor.sum(axis=others).argmax())


def draw_planes() -> None:
    """Draw the phantom in three planes, in a soft-tissue and in a lung window."""
    case = phantom()
    size = [n * s for n, s in zip(case.shape, case.spacing, strict=True)]
    widths = [2.9 * size[p.across] / size[0] for p in PLANES]
    height = 2.9 * size[1] / size[0]
    board = Board(widths, [height, height])
    rows = (
        ("soft tissue", SOFT, {"axial": (0, 0, 12), "coronal": (0, 20, 0), "sagittal": (35, 0, 0)}),
        ("lung", LUNG, {"axial": (0, 0, 112), "coronal": (0, -25, 0), "sagittal": (-75, 0, 0)}),
    )
    for row, (name, window, places) in enumerate(rows):
        board.row_name(row, name)
        for column, plane in enumerate(PLANES):
            cut_ = section(case, plane, index_at(case, plane, places[plane.name]))
            centre = [mm / 2 for mm in size]
            where = field(cut_, tuple(centre), size[plane.across], size[plane.up])
            axes = board.panel(row, column)
            show(axes, cut_, where, window)
            panels.letters(axes, cut_)
            if row == 0:
                board.column_name(column, plane.name)
            if column == 0:
                panels.scale_bar(axes, where)
    board.save("phantom-planes")


def draw_phases() -> None:
    """Draw one slice in the four contrast phases."""
    board = Board([2.2] * 4, [1.75, 1.75], left=0.3)
    planes = ((AXIAL, (0, 0, 2)), (CORONAL, (0, 12, 0)))
    for column, phase in enumerate(PHASES):
        case = phantom(phase=phase)
        board.column_name(column, phase)
        for row, (plane, place) in enumerate(planes):
            cut_ = section(case, plane, index_at(case, plane, place))
            where = field(cut_, focus(case, (0, 0, 20)), 340, 270)
            show(board.panel(row, column), cut_, where, (-120.0, 280.0))
            board.row_name(row, plane.name)
    board.save("phantom-phases")


def draw_seeds() -> None:
    """Draw four patients."""
    seeds = (0, 1, 2, 3)
    board = Board([2.2] * 4, [1.75, 1.75], left=0.3)
    planes = ((AXIAL, (0, 0, 20)), (CORONAL, (0, 10, 0)))
    for column, seed in enumerate(seeds):
        case = phantom(seed=seed)
        board.column_name(column, f"seed={seed}")
        for row, (plane, place) in enumerate(planes):
            cut_ = section(case, plane, index_at(case, plane, place))
            where = field(cut_, focus(case, (0, 0, 20)), 340, 270)
            show(board.panel(row, column), cut_, where, SOFT)
            board.row_name(row, plane.name)
    board.save("phantom-seeds")


def paint_labels(axes: Axes, cut_: Section, shown: np.ndarray, where: Field) -> None:
    """Draw a label map, each value in its colour and written on its larger pieces."""
    values = [int(v) for v in np.unique(shown) if v]
    colours = [QUIET.get(v, PALETTE[(v - 1) % len(PALETTE)]) for v in values]
    norm = BoundaryNorm([0, *[v - 0.5 for v in values], 65536], len(values) + 1)
    look = {"cmap": ListedColormap(["#000000", *colours]), "norm": norm}
    panels.paint(axes, cut_, shown, where, interpolation="nearest", **look)
    style = {"transform": axes.transData, "ha": "center", "va": "center", "fontsize": 8}
    for value in values:
        pieces, count = ndimage.label(shown == value)
        for number in range(1, count + 1):
            # Padded, so that the middle of a piece at the edge is found within the picture.
            depth = ndimage.distance_transform_edt(np.pad(pieces == number, 1))[1:-1, 1:-1]
            row, column = np.unravel_index(depth.argmax(), depth.shape)
            x, y = float(cut_.x_mm[column]), float(cut_.y_mm[row])
            if depth[row, column] * cut_.pixel_mm[0] > 7.0 and where.holds(x, y):
                panels.words(axes, x, y, str(value), **style)


def draw_labels() -> None:
    """Draw the label map of the phantom beside its CT."""
    case = phantom()
    board = Board([3.3, 3.3], [2.65, 2.65], top=0.3)
    board.column_name(0, "image")
    board.column_name(1, "labels")
    for row, (plane, place) in enumerate(((AXIAL, (0, 0, 8)), (CORONAL, (0, 15, 0)))):
        index = index_at(case, plane, place)
        cut_ = section(case, plane, index)
        where = field(cut_, focus(case, (0, 0, 5)), 350, 280)
        board.row_name(row, plane.name)
        show(board.panel(row, 0), cut_, where, SOFT)
        paint_labels(board.panel(row, 1), cut_, cut(case.labels, plane, index), where)
    board.save("phantom-labels", few=False)


def draw_sizes() -> None:
    """Draw the five sizes in the liver of the phantom."""
    case = phantom()
    names = (*SIZES, MIX)
    board = Board([1.95] * len(names), [1.65, 1.65])
    for column, name in enumerate(names):
        made = of.synthesize(case, size=name, seed=2)
        count = len(made.synthesis.lesions)
        board.column_name(column, f"{name} ({count} lesions)")
        for row, plane in enumerate((AXIAL, CORONAL)):
            cut_ = section(made, plane, busiest(made, plane))
            where = field(cut_, focus(case, LIVER_CENTRE), 220, 186)
            axes = board.panel(row, column)
            show(axes, cut_, where, LIVER)
            board.row_name(row, plane.name)
            if column == 0 and row == 0:
                panels.scale_bar(axes, where)
    board.save("sizes")


def draw_presets() -> None:
    """Draw both presets on three seeds."""
    case = phantom()
    seeds = (1, 2, 3)
    board = Board([2.9] * 3, [2.4, 2.4])
    for row, preset in enumerate(("published", "realistic")):
        board.row_name(row, preset)
        for column, seed in enumerate(seeds):
            made = of.synthesize(case, size="medium", seed=seed, preset=preset)
            board.column_name(column, f"seed={seed}")
            cut_ = section(made, AXIAL, busiest(made, AXIAL))
            where = field(cut_, focus(case, LIVER_CENTRE), 210, 174)
            axes = board.panel(row, column)
            show(axes, cut_, where, LIVER, lesions=False, close=True)
            if column == 0:
                panels.scale_bar(axes, where)
    board.save("presets")


def draw_effects() -> None:
    """Draw one lesion with each effect switched on by itself."""
    case = phantom()
    looks = {
        "published": {},
        "rotate, volume": {"rotate": True, "elastic": "volume"},
        "rim=1": {"rim": 1.0},
        "core=1": {"core": 1.0},
        "mass_effect": {"mass_effect": (0.5, 0.5)},
        "hyperdense=1": {"hyperdense": 1.0},
    }
    board = Board([1.65] * len(looks), [1.65, 1.65])
    board.row_name(0, "after")
    board.row_name(1, "difference")
    for column, (name, settings) in enumerate(looks.items()):
        made = of.synthesize(case, seed=5, count=1, diameter_mm=36, at=[(72, -28, 52)], **settings)
        board.column_name(column, name)
        lesion = made.synthesis.lesions[0]
        index = round(lesion.centre_mm[2] / case.spacing[2])
        cut_ = section(made, AXIAL, index, before=case)
        where = field(cut_, lesion.centre_mm, 76, 76)
        show(board.panel(0, column), cut_, where, LIVER, lesions=False, close=True)
        style = {"cmap": panels.CHANGE, "vmin": -80, "vmax": 80, "interpolation": "bilinear"}
        panels.paint(board.panel(1, column), cut_, cut_.after - cut_.before, where, **style)
    board.save("effects")


def draw_organs() -> None:
    """Draw a lesion in each of five organs."""
    wanted = {
        "liver": (LIVER, 30.0),
        "pancreas": (SOFT, 20.0),
        "kidney": ((-60.0, 280.0), 30.0),
        "spleen": (LIVER, 24.0),
        "lung": (LUNG, 18.0),
    }
    case = phantom()
    board = Board([1.95] * len(wanted), [1.95, 1.95])
    board.row_name(0, "before")
    board.row_name(1, "after")
    for column, (organ, (window, diameter)) in enumerate(wanted.items()):
        made = of.synthesize(
            case, organ, seed=3, preset="realistic", count=1, diameter_mm=diameter, min_inside=0.4
        )
        lesion = made.synthesis.lesions[0]
        board.column_name(column, f"{organ}, {lesion.diameter_mm:.0f} mm")
        index = round(lesion.centre_mm[2] / case.spacing[2])
        cut_ = section(made, AXIAL, index, organ, before=case)
        where = field(cut_, lesion.centre_mm, 90, 90)
        for row in (0, 1):
            axes = board.panel(row, column)
            show(axes, cut_, where, window, before=row == 0, close=True)
            panels.outline_organ(axes, cut_, 0.6)
            if column == 0 and row == 0:
                panels.scale_bar(axes, where)
    board.save("organs")


def draw_styles() -> None:
    """Draw one label map in the four styles."""
    made = of.synthesize(phantom(), size="medium", seed=2)
    index = busiest(made, AXIAL)
    board = Board([2.2] * len(anatomy.STYLES), [1.8], left=0.06)
    for column, style in enumerate(anatomy.STYLES):
        instances = made.synthesis.instances() if style == "instances" else None
        labels = anatomy.restyle(made.labels, style, "liver", instances)
        cut_ = section(made, AXIAL, index)
        shown = cut(labels, AXIAL, index)
        where = field(cut_, focus(made, (0, 5, 0)), 330, 270)
        board.column_name(column, style)
        paint_labels(board.panel(0, column), cut_, shown, where)
    board.save("label-styles", few=False)


def draw_spacing() -> None:
    """Draw the same lesions on a cube of voxels, on thick slices, and as voxels would have it."""
    thin, thick = phantom(), phantom(spacing=(0.8, 0.8, 5.0))
    board = Board([2.9] * 3, [2.2])
    ways = (
        ("1.5 x 1.5 x 1.5 mm", thin, "mm"),
        ("0.8 x 0.8 x 5 mm, units='mm'", thick, "mm"),
        ("0.8 x 0.8 x 5 mm, units='vox'", thick, "vox"),
    )
    board.row_name(0, "coronal")
    for column, (name, case, units) in enumerate(ways):
        made = of.synthesize(case, size="medium", count=1, seed=1, at=[(70, 10, 40)], units=units)
        cut_ = section(made, CORONAL, index_at(made, CORONAL, (0, 10, 0)))
        where = field(cut_, focus(case, (50, 10, 35)), 210, 160)
        board.column_name(column, name)
        axes = board.panel(0, column)
        show(axes, cut_, where, LIVER)
        panels.scale_bar(axes, where)
    board.save("spacing")


def draw_demo() -> None:
    """Draw what `oncoforge demo` draws."""
    with tempfile.TemporaryDirectory() as folder:
        options = {"seed": 0, "spacing_mm": list(SPACING), "phase": "portal"}
        run = forge_case(Origin("phantom", options), folder, Order(preset="realistic"))
        with Image.open(run.path("report.png")) as report:
            size = 1280, round(1280 * report.height / report.width)
            save(report.convert("RGB").resize(size, Image.Resampling.LANCZOS), "demo")


def draw_growth() -> None:
    """Keep the film and the strip of a run on the phantom."""
    options = {"seed": 0, "spacing_mm": list(SPACING), "phase": "portal"}
    with tempfile.TemporaryDirectory() as folder:
        order = Order(
            method="cellular",
            preset="realistic",
            seed=1,
            at=[BY_A_VESSEL],
            movie=True,
            settings={"count": 1, "diameter_mm": 40.0},
        )
        run = forge_case(Origin("phantom", options), folder, order)
        film = run.path("growth.gif").read_bytes()
        with Image.open(run.path("growth.png")) as strip:
            size = 1280, round(1280 * strip.height / strip.width)
            save(strip.convert("RGB").resize(size, Image.Resampling.LANCZOS), "growth")
    (IMAGES / "growth.gif").write_bytes(film)
    print(f"growth.gif: {len(film) / 1000:.0f} kB")
    if len(film) > MOST_BYTES:
        raise SystemExit(f"growth.gif has {len(film)} bytes; at most {MOST_BYTES} are wanted.")


def draw_automaton() -> None:
    """Draw what the automaton sees, what it makes of it, and the tumour."""
    case = phantom(spacing=(1.0, 1.0, 1.0))
    settings = {"preset": "liver", "steps": 90, "foci": 1, "necrosis": 0.0}
    made = of.synthesize(case, "liver", "cellular", seed=3, at=[BY_A_VESSEL], **settings)
    plan = GrowthPlan(**made.synthesis.recipe.lesions[0].mask)
    scene = make_scene(case.image.copy(), case.organ("liver"), case.spacing)
    grown = plan.grow(scene, backend("cpu"))
    assert grown is not None
    low, high = Lattice(scene).limits()
    tissue = tissue_of(plan.tissue, Lattice(scene), low, high).tissue[(slice(BORDER, -BORDER),) * 3]
    index = index_at(case, AXIAL, BY_A_VESSEL)
    cut_ = section(made, AXIAL, index, before=case)
    where = field(cut_, focus(case, BY_A_VESSEL), 84, 84)
    names = ("scan", "tissue and walls", "population", "tumour")
    board = Board([2.3] * len(names), [2.3], left=0.06)
    axes = [board.panel(0, column) for column in range(len(names))]
    for column, name in enumerate(names):
        board.column_name(column, name)
    show(axes[0], cut_, where, LIVER, before=True, close=True)
    panels.scale_bar(axes[0], where)
    whole = np.zeros(case.shape, np.uint8)
    whole[scene.box] = np.where(scene.organ, np.minimum(tissue, WALL) + 1, 0)
    colours = ListedColormap(["#000000", *TISSUE])
    norm = BoundaryNorm(np.arange(6) - 0.5, 5)
    levels = cut(whole, AXIAL, index)
    panels.paint(axes[1], cut_, levels, where, cmap=colours, norm=norm, interpolation="nearest")
    style = {"cmap": "inferno", "vmin": 0, "vmax": MATURE, "interpolation": "nearest"}
    people = cut(spread(grown, case.shape), AXIAL, index)
    panels.paint(axes[2], cut_, people, where, **style)
    panels.outline_organ(axes[2], cut_, 0.6)
    show(axes[3], cut_, where, LIVER, lesions=False, close=True)
    board.save("automaton", few=False)


def spread(grown: Grown, shape: tuple[int, ...]) -> np.ndarray:
    """Return the population of a tumour on a scan whose voxels are the lattice."""
    whole = np.zeros(shape, np.uint8)
    tumour = grown.population
    whole[tuple(slice(a, a + n) for a, n in zip(grown.low, tumour.shape, strict=True))] = tumour
    return whole


def draw_steps() -> None:
    """Draw one tumour after more and more steps."""
    case = phantom()
    steps = (30, 60, 100, 149)
    board = Board([2.3] * len(steps), [2.3], left=0.06)
    for column, number in enumerate(steps):
        settings = {"preset": "liver", "steps": number, "foci": 1, "necrosis": 1.0}
        made = of.synthesize(case, "liver", "cellular", seed=1, at=[(75, 5, 50)], **settings)
        lesion = made.synthesis.lesions[0]
        board.column_name(column, f"{number} steps, {lesion.diameter_mm:.0f} mm")
        cut_ = section(made, AXIAL, index_at(case, AXIAL, (75, 5, 50)))
        where = field(cut_, focus(case, (68, 5, 50)), 110, 110)
        axes = board.panel(0, column)
        show(axes, cut_, where, LIVER, close=True)
        if column == 0:
            panels.scale_bar(axes, where)
    board.save("growth-steps")


def draw_growth_presets() -> None:
    """Draw presets of the cellular method: one tumour by a vessel, and a whole scan."""
    case = phantom()
    names = ("released", "liver", "adaptive", "realistic")
    board = Board([2.3] * len(names), [2.3, 1.95])
    board.row_name(0, "one focus")
    board.row_name(1, "a scan")
    for column, name in enumerate(names):
        board.column_name(column, name)
        settings = {"steps": 100, "foci": 1, "necrosis": 0.0}
        one = of.synthesize(
            case, "liver", "cellular", seed=3, preset=name, at=[BY_A_VESSEL], **settings
        )
        cut_ = section(one, AXIAL, index_at(case, AXIAL, BY_A_VESSEL))
        close = field(cut_, focus(case, BY_A_VESSEL), 84, 84)
        axes = board.panel(0, column)
        show(axes, cut_, close, LIVER, close=True)
        many = of.synthesize(case, "liver", "cellular", seed=6, preset=name)
        below = section(many, CORONAL, busiest(many, CORONAL))
        wide = field(below, focus(case, LIVER_CENTRE), 220, 186)
        lower = board.panel(1, column)
        show(lower, below, wide, LIVER)
        if column == 0:
            panels.scale_bar(axes, close)
            panels.scale_bar(lower, wide)
    board.save("growth-presets")


def draw_exophytic() -> None:
    """Draw tumours at the edge of a kidney: kept in the organ, and let out into the fat."""
    case = phantom()
    methods = ("handcrafted", "cellular")
    settings = {"preset": "realistic", "count": 1, "diameter_mm": 38, "min_distance_mm": None}
    board = Board([2.3] * 4, [2.3, 2.3])
    names = ("before", "in the organ", "exophytic", "exophytic, difference")
    for column, name in enumerate(names):
        board.column_name(column, name)
    for row, (method, place) in enumerate(zip(methods, BY_THE_KIDNEY, strict=True)):
        board.row_name(row, method)
        kept, out = (
            of.synthesize(case, "kidney", method, seed=4, at=[place], exophytic=way, **settings)
            for way in (False, True)
        )
        for column, made in ((0, kept), (1, kept), (2, out)):
            cut_ = section(made, AXIAL, index_at(case, AXIAL, place), "kidney", before=case)
            where = field(cut_, focus(case, place), 110, 110)
            axes = board.panel(row, column)
            show(axes, cut_, where, SOFT, before=column == 0, close=True)
            if column == 0:
                panels.outline_organ(axes, cut_, 0.6)
                panels.scale_bar(axes, where)
        axes, style = board.panel(row, 3), {"cmap": panels.CHANGE, "vmin": -200.0, "vmax": 200.0}
        panels.paint(axes, cut_, cut_.after - cut_.before, where, **style)
        panels.outline_organ(axes, cut_, 0.6)
    board.save("exophytic")


def draw_analysis() -> None:
    """Draw the sheet of an analysis of phantoms."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(12):
            case = phantom(seed=number, spacing=(2.5, 2.5, 2.5))
            made = of.synthesize(
                case, "kidney", seed=number, preset="realistic", count=1 + number % 3,
                size=("small", "medium", "large")[number // 4], exophytic=True,
            )  # fmt: skip
            write(Path(folder), number, made, images=made.image, labels=made.labels)
        sheet = Path(folder) / "sheet"
        of.analyze(Path(folder) / "labels", images=Path(folder) / "images", out=sheet)
        save_sheet(sheet / "report.png", "analysis")


def draw_evaluation() -> None:
    """Draw the report of two make-believe models: one is careful, one sees large tumours only."""
    with tempfile.TemporaryDirectory() as name:
        folder, rng = Path(name), np.random.default_rng(0)
        for number in range(14):
            case = phantom(seed=number, spacing=(2.5, 2.5, 2.5))
            if number > 2:  # the first three stay healthy
                case = of.synthesize(
                    case, "liver", seed=number, preset="realistic",
                    size=("small", "medium", "large")[number % 3], count=1 + number % 2,
                )  # fmt: skip
            careful = make_believe(case, rng, least_voxels=12, shift=0)
            hasty = make_believe(case, rng, least_voxels=220, shift=1)
            write(folder, number, case, images=case.image, labels=case.labels)
            write(folder, number, case, careful=careful, hasty=hasty)
        found = of.evaluation.evaluate(
            folder / "careful", folder / "labels", name="careful", organ="liver",
            versus={"hasty": folder / "hasty"}, images=folder / "images",
        )  # fmt: skip
        found.write(folder / "scores")
        save_sheet(folder / "scores" / "report.png", "evaluation")


def make_believe(case: Case, rng: np.random.Generator, least_voxels: int, shift: int) -> np.ndarray:
    """Return labels as a model might predict them: rough, and without the smallest tumours."""
    labels = case.labels.copy()
    pieces, count = ndimage.label(labels == 2)
    rough = ndimage.gaussian_filter(rng.normal(size=labels.shape), 1.5)
    rough /= rough.std()
    liver = np.isin(labels, (1, 2))
    grown = ndimage.gaussian_filter(liver.astype(np.float32), 1.0) + 0.15 * rough > 0.5
    labels[liver] = 0
    labels[grown & ((labels == 0) | liver)] = 1
    for piece in range(1, count + 1):
        mask = pieces == piece
        if mask.sum() >= least_voxels:
            level = ndimage.gaussian_filter(mask.astype(np.float32), 1.2) + 0.12 * rough
            labels[np.roll((level > 0.5) & liver, shift, axis=0)] = 2
    return labels


def write(folder: Path, number: int, case: Case, **arrays: np.ndarray) -> None:
    """Write a patient's volumes, each into the folder of its name."""
    for name, array in arrays.items():
        (folder / name).mkdir(exist_ok=True)
        path = folder / name / f"patient_{number}.nii.gz"
        (of.write_image if name == "images" else of.write_labels)(path, array, case)


def save_sheet(report: Path, name: str) -> None:
    """Keep the picture of a report, smaller."""
    with Image.open(report) as picture:
        size = 1280, round(1280 * picture.height / picture.width)
        save(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS), name, few=False)


def draw_training() -> None:
    """The smoke recipe: its last validation, and its curves."""
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        command = ["oncoforge.cli", "train", "segmentation", "--config", "smoke", "--out", str(run)]
        subprocess.run([sys.executable, "-m", *command], check=True)
        shutil.copy(sorted((run / "pictures").iterdir())[-1], IMAGES / "training.png")
        shutil.copy(run / "curves.png", IMAGES / "training-curves.png")


def draw_experiment() -> None:
    """Two test patients of the smoke experiment, with shapes that are free to show; minutes."""
    script = IMAGES.parents[1] / "benchmarks" / "experiment" / "run.py"
    with tempfile.TemporaryDirectory() as scratch:
        words = ["--shapes", "fields", "--seeds", "1", "--out", scratch]
        subprocess.run([sys.executable, str(script), *words], check=True)
        shutil.copy(Path(scratch) / "result.png", IMAGES / "experiment.png")


PICTURES: dict[str, Callable[[], None]] = {
    "demo": draw_demo,
    "planes": draw_planes,
    "phases": draw_phases,
    "seeds": draw_seeds,
    "labels": draw_labels,
    "sizes": draw_sizes,
    "presets": draw_presets,
    "effects": draw_effects,
    "organs": draw_organs,
    "styles": draw_styles,
    "spacing": draw_spacing,
    "growth": draw_growth,
    "automaton": draw_automaton,
    "growth-steps": draw_steps,
    "growth-presets": draw_growth_presets,
    "exophytic": draw_exophytic,
    "analysis": draw_analysis,
    "evaluation": draw_evaluation,
    "training": draw_training,
    "training-curves": draw_training,
    "experiment": draw_experiment,
}

if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for wanted in sys.argv[1:] or PICTURES:
        PICTURES[wanted]()
