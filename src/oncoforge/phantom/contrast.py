"""What every structure of the phantom is made of: its label, its HU in each phase, its grain.

Sources of the values, which are rounded typical means at 120 kVp:

- timing and height of enhancement of aorta, portal vein, liver: Bae, Radiology 2010;256:32-61;
- kidney (corticomedullary, nephrographic, excretory): Yuh and Cohan, AJR 1999;173:747-755;
- pancreas and the veins around it: McNulty et al., Radiology 2001;220:97-102;
- trabecular bone of the lumbar spine: Pickhardt et al., Ann Intern Med 2013;158:588-595;
- fat, muscle, bile, water, lung, cartilage: the usual textbook ranges of the Hounsfield scale.

A thin cortex is listed at its true density; blur brings it down to what one reads on a console.
"""

from __future__ import annotations

from typing import NamedTuple

from oncoforge.anatomy import LABELS

PHASES: tuple[str, ...] = ("non-contrast", "arterial", "portal", "delayed")


class Structure(NamedTuple):
    """One row of the table.

    Attributes
    ----------
    label
        Name in ``oncoforge.anatomy.LABELS``, or None for what has no label (air, table).
    hu
        Mean HU in the order of ``PHASES``.
    fine_hu, coarse_hu
        Standard deviation of the texture with a grain of about 2.5 and 12 mm.
    """

    label: str | None
    hu: tuple[float, float, float, float]
    fine_hu: float = 0.0
    coarse_hu: float = 0.0


def _same(value: float) -> tuple[float, float, float, float]:
    """Return one HU for all phases, for what takes up no contrast."""
    return (value, value, value, value)


# The position of a row is its number in the structure map: append, never insert.
STRUCTURES: dict[str, Structure] = {
    "air": Structure(None, _same(-1000.0)),
    "table": Structure(None, _same(180.0)),
    "skin": Structure("body", (35.0, 45.0, 55.0, 55.0), 6, 4),
    "subcutaneous_fat": Structure("fat", _same(-106.0), 5, 4),
    "visceral_fat": Structure("fat", _same(-102.0), 7, 5),
    "muscle": Structure("muscle", (52.0, 57.0, 64.0, 64.0), 7, 5),
    "diaphragm": Structure("muscle", (50.0, 56.0, 64.0, 64.0), 3, 2),
    "lung": Structure("lung", _same(-855.0), 22, 18),
    "lung_vessel": Structure("lung", (38.0, 190.0, 150.0, 110.0)),
    "mediastinal_fat": Structure("fat", _same(-98.0), 8, 5),
    "heart_muscle": Structure("heart", (45.0, 95.0, 108.0, 95.0), 3, 4),
    "heart_blood": Structure("heart", (42.0, 280.0, 155.0, 115.0), 2, 4),
    "esophagus_wall": Structure("esophagus", (38.0, 60.0, 70.0, 65.0), 3, 3),
    "esophagus_lumen": Structure("esophagus", _same(-30.0), 60, 60),
    "cortical_bone": Structure(None, _same(640.0), 40, 30),
    "trabecular_bone": Structure(None, (148.0, 155.0, 162.0, 158.0), 26, 16),
    "intervertebral_disc": Structure("body", (78.0, 78.0, 80.0, 80.0), 4, 8),
    "spinal_canal": Structure("spinal_cord", (28.0, 30.0, 34.0, 34.0), 4, 4),
    "costal_cartilage": Structure("costal_cartilage", _same(105.0), 14, 14),
    "aorta": Structure("aorta", (42.0, 310.0, 158.0, 115.0), 1, 2),
    "inferior_vena_cava": Structure("inferior_vena_cava", (41.0, 95.0, 142.0, 113.0), 2, 6),
    "artery": Structure("artery", (42.0, 295.0, 152.0, 112.0)),
    "vein": Structure("vein", (41.0, 105.0, 148.0, 112.0)),
    "portal_vein": Structure("portal_and_splenic_vein", (42.0, 130.0, 168.0, 118.0), 1, 2),
    "hepatic_vein": Structure("liver", (42.0, 62.0, 160.0, 116.0), 1, 2),
    "liver": Structure("liver", (58.0, 72.0, 108.0, 92.0), 2.5, 2.5),
    "gallbladder": Structure("gallbladder", _same(9.0), 1, 2),
    "gallbladder_wall": Structure("gallbladder", (30.0, 50.0, 62.0, 55.0)),
    "spleen": Structure("spleen", (49.0, 132.0, 122.0, 98.0), 2, 2.5),
    "pancreas": Structure("pancreas", (41.0, 108.0, 96.0, 74.0), 7, 6),
    "kidney_cortex": Structure("kidney", (34.0, 188.0, 180.0, 158.0), 4, 3),
    "kidney_medulla": Structure("kidney", (31.0, 72.0, 158.0, 160.0), 4, 3),
    "renal_sinus_fat": Structure("fat", _same(-72.0), 14, 8),
    "renal_pelvis": Structure("kidney", (8.0, 9.0, 22.0, 420.0), 2, 4),
    "adrenal_gland": Structure("adrenal_gland", (22.0, 72.0, 72.0, 48.0), 2, 2),
    "stomach_wall": Structure("stomach", (40.0, 78.0, 88.0, 76.0), 3, 4),
    "stomach_fluid": Structure("stomach", _same(16.0), 4, 7),
    "stomach_gas": Structure("stomach", _same(-985.0)),
    "duodenum_wall": Structure("duodenum", (40.0, 84.0, 92.0, 78.0), 4, 4),
    "bowel_wall": Structure("small_bowel", (40.0, 88.0, 96.0, 80.0), 4, 4),
    "bowel_fluid": Structure("small_bowel", _same(20.0), 12, 16),
    "bowel_gas": Structure("small_bowel", _same(-970.0)),
    "colon_wall": Structure("colon", (42.0, 72.0, 84.0, 74.0), 4, 4),
    "stool": Structure("colon", _same(0.0), 90, 60),
}

STRUCTURE_NAMES: dict[int, str] = dict(enumerate(STRUCTURES))
STRUCTURE_IDS: dict[str, int] = {name: number for number, name in STRUCTURE_NAMES.items()}


def structure_hu(name: str, phase: str) -> float:
    """Return the mean HU of a structure in a phase."""
    return STRUCTURES[name].hu[PHASES.index(phase)]


def structure_label(name: str) -> int:
    """Return the oncoforge label value of a structure; 0 where the table gives none."""
    label = STRUCTURES[name].label
    return 0 if label is None else LABELS[label]
