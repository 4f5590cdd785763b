"""The reference lesions and the simulated scanner of ``make experiment-smoke``."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "experiment"
SPACING = (2.0, 2.0, 3.0)
LIVER_HU = 110.0

pytest.importorskip("skimage")


@pytest.fixture(scope="module")
def experiment() -> Iterator[Path]:
    """Let the modules of the experiment be imported, as its script does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield FOLDER


@pytest.fixture(scope="module")
def lesions(experiment: Path) -> ModuleType:
    return importlib.import_module("reference_lesions")


@pytest.fixture(scope="module")
def scanners(experiment: Path) -> ModuleType:
    return importlib.import_module("scanner")


@pytest.fixture(scope="module")
def patients(experiment: Path) -> ModuleType:
    return importlib.import_module("phantoms")


def _liver(radius_mm: float = 75.0) -> tuple[np.ndarray, np.ndarray]:
    """A ball of liver in fat, without noise."""
    shape = (90, 90, 60)
    grid = [(np.arange(n) - n / 2) * s for n, s in zip(shape, SPACING, strict=True)]
    x, y, z = np.meshgrid(*grid, indexing="ij")
    liver = x**2 + y**2 + z**2 < radius_mm**2
    return np.where(liver, LIVER_HU, -100.0).astype(np.float32), liver


@pytest.mark.parametrize("seed", range(4))
def test_lesions_are_as_drawn_and_change_nothing_else(lesions: ModuleType, seed: int) -> None:
    image, liver = _liver()
    shapes = lesions.random_shapes(3, np.random.default_rng(0))
    rng = np.random.default_rng(seed)
    seen, mask, drawn = lesions.put_lesions(image, liver, SPACING, shapes, rng)
    low, high = lesions.CONTRAST_HU
    assert lesions.COUNT[0] <= len(drawn) <= lesions.COUNT[1]
    assert all(low <= one.contrast_hu <= high for one in drawn)
    assert not (mask & ~liver).any()
    assert np.array_equal(seen[~liver], image[~liver])
    assert (seen <= image + 1e-3).all()
    assert seen[mask].mean() < LIVER_HU + high * 0.6


def test_a_lesion_has_the_volume_that_was_drawn_and_the_contrast(
    lesions: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lesions, "COUNT", (1, 1))
    monkeypatch.setattr(lesions, "_INSIDE", 0.999)
    image, liver = _liver()
    shapes = lesions.random_shapes(1, np.random.default_rng(1))
    rng = np.random.default_rng(0)
    seen, mask, [one] = lesions.put_lesions(image, liver, SPACING, shapes, rng)
    assert mask.sum() * np.prod(SPACING) == pytest.approx(np.pi / 6 * one.diameter_mm**3, rel=0.1)
    assert (LIVER_HU - seen[mask]).mean() == pytest.approx(-one.contrast_hu, rel=0.25)


def test_voxels_on_the_surface_hold_some_of_both(lesions: ModuleType) -> None:
    image, liver = _liver()
    shapes = lesions.random_shapes(2, np.random.default_rng(0))
    seen, mask, _ = lesions.put_lesions(image, liver, SPACING, shapes, np.random.default_rng(3))
    drop = LIVER_HU - seen
    beyond = liver & ~mask & (drop > 0)
    assert beyond.sum() > 20
    assert drop[beyond].mean() < 0.6 * drop[mask].mean()


def test_a_liver_without_room_gets_none(lesions: ModuleType) -> None:
    image, liver = _liver(4.0)
    shapes = lesions.random_shapes(1, np.random.default_rng(0))
    seen, mask, drawn = lesions.put_lesions(image, liver, SPACING, shapes, np.random.default_rng(0))
    assert not drawn
    assert not mask.any()
    assert np.array_equal(seen, image)


def test_same_generator_same_lesions(lesions: ModuleType) -> None:
    image, liver = _liver()
    shapes = lesions.random_shapes(2, np.random.default_rng(0))
    first, second = (
        lesions.put_lesions(image, liver, SPACING, shapes, np.random.default_rng(5))
        for _ in range(2)
    )
    assert first[0].tobytes() == second[0].tobytes()
    assert first[2] == second[2]


def test_kidney_tumours_keep_their_volume(lesions: ModuleType, data_dir: Path, tmp_path) -> None:
    (tmp_path / "case_1.nii.gz").symlink_to(data_dir / "kits19_labels" / "case_00201.nii.gz")
    [shape] = lesions.kidney_shapes(tmp_path)
    # 17.1 mm by shared/data's table of labels, counted in voxels there.
    assert 2 * shape.radius_mm == pytest.approx(17.1, abs=0.6)


def test_no_shape_is_both_in_training_and_test(patients: ModuleType) -> None:
    _, shapes = patients.lesion_shapes("fields")
    names = {part: {shape.name for shape in each} for part, each in shapes.items()}
    assert not names["training"] & names["test"]
    assert min(map(len, names.values())) >= 10


def test_nothing_of_the_synthesizers_is_loaded() -> None:
    code = (
        "import sys; import reference_lesions, scanner; "
        "print([name for name in sys.modules if name.startswith('oncoforge.synthesis')])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=FOLDER, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def _disc(side: int = 64, radius: int = 24) -> np.ndarray:
    x, y = np.ogrid[:side, :side]
    inside = (x - side // 2) ** 2 + (y - side // 2) ** 2 < radius**2
    return np.where(inside, 50.0, -1000.0).astype(np.float32)[:, :, None]


def test_rays_are_line_integrals(scanners: ModuleType) -> None:
    rays = scanners.Scanner(views=8).integrals(_disc(), 2.0)
    middle = rays[32, :, 0]
    assert middle == pytest.approx(1.05 * scanners.WATER_PER_MM * 2 * 24 * 2.0, rel=0.04)


def test_a_scan_gives_back_what_was_scanned(scanners: ModuleType) -> None:
    scanner, disc = scanners.Scanner(views=120), _disc()
    seen = scanner.image(scanner.integrals(disc, 2.0), 2.0, disc.shape[:2])
    inner = _disc(radius=20) > 0
    assert seen[inner].mean() == pytest.approx(50.0, abs=5.0)
    assert seen[:8].mean() == pytest.approx(-1000.0, abs=15.0)


def test_noise_falls_with_the_root_of_the_photons_and_is_unbiased(scanners: ModuleType) -> None:
    disc, inner = _disc(), _disc(radius=20) > 0
    spread = []
    for photons in (1e5, 4e5):
        scanner = scanners.Scanner(views=120, photons=photons)
        rays = scanner.integrals(disc, 2.0)
        clean = scanner.image(rays, 2.0, disc.shape[:2])
        seen = scanner.image(scanner.measure(rays, np.random.default_rng(0)), 2.0, disc.shape[:2])
        noise = (seen - clean)[inner]
        assert abs(noise.mean()) < 1.0
        spread.append(noise.std())
    assert spread[0] / spread[1] == pytest.approx(2.0, rel=0.15)
