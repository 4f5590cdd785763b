"""Brightness of organs on CT, and size and brightness of their tumours: the numbers and sources."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

Range: TypeAlias = tuple[float, float]
"""Low and high, in HU."""


class Span(NamedTuple):
    """A range of diameters with the usual one.

    Attributes
    ----------
    low, typical, high
        In mm.
    """

    low: float
    typical: float
    high: float


class Row(NamedTuple):
    """One organ or structure; see `oncoforge.anatomy.Organ` for what the columns mean."""

    hu: Range
    window: Range
    source: str
    tumor_diameter_mm: Span | None = None
    tumor_hu: Range | None = None


LIVER: Final[Range] = (-21.0, 189.0)
"""Training window of the published handcrafted pipeline (SyntheticTumors, Hu et al., CVPR 2023)."""

ABDOMEN: Final[Range] = (-175.0, 250.0)
"""Training window of Pixel2Cancer (MICCAI 2024), DiffTumor (CVPR 2024) and FreeTumor (abdomen)."""

CHEST: Final[Range] = (-1000.0, 500.0)
"""Training window of FreeTumor for the chest."""

BONE: Final[Range] = (-450.0, 1050.0)
"""The reading-room setting for bone, width 1500 and level 300."""

BRAIN: Final[Range] = (0.0, 80.0)
"""The reading-room setting for the brain, width 80 and level 40."""

WHOLE: Final[Range] = (-1000.0, 1000.0)
"""From air to dense bone."""

_PLAIN = (
    "Unenhanced: liver 45 to 65, spleen 35 to 55, kidney 20 to 40, blood 45 to 65, lung -910 to "
    "-850, fat -100 to -50, grey matter 37 to 45, white matter 20 to 30 HU (RadClass "
    "table of CT numbers, after Prokop 2003, Heymsfield 2005 and Buzug 2008); widened by hand. "
)
_PORTAL = (
    "Portal venous rise: liver 59 to 63, spleen 73 to 82, aorta 117 to 125 HU in 171 patients "
    "(MDCT of the Liver and Hypervascular Hepatocellular Carcinomas: Optimizing Scan Delays, AJR). "
)
_BY_HAND = "Set by hand, from no published measurement. "
_TUMOR_BY_HAND = "Tumours: set by hand, from no published measurement. "
_METASTASES = "Tumours stand for bone metastases: set by hand, from no published measurement. "

_BONE_TUMOR: Final = (Span(5, 20, 70), (20.0, 120.0))

BEARERS: Final[Mapping[str, Row]] = MappingProxyType(
    {
        "liver": Row(
            (40, 140),
            LIVER,
            _PLAIN + _PORTAL + "Tumour size: metastases reach beyond 120 mm (Hamady et al., Ann "
            "Surg Oncol 2006;13:1493). Smallest and typical size, and tumour HU: set by hand.",
            Span(5, 20, 120),
            (20, 100),
        ),
        "pancreas": Row(
            (0, 130),
            ABDOMEN,
            "Tumour size: 57 carcinomas, 12.4 ± 4.8 mm where isodense and 30.3 ± 9.0 mm where not "
            "(PubMed 17961951). Tumour HU: 39 ± 16 below the gland in the hepatic phase (Lu et "
            "al., Radiology 1996;199:697). HU of the gland, low for lobules with fat, and largest "
            "size: set by hand.",
            Span(8, 28, 70),
            (20, 90),
        ),
        "kidney": Row(
            (10, 230),
            ABDOMEN,
            "Unenhanced 30.7 ± 4.8 HU (PubMed 21388763), cortex 195 to 217 and medulla up to 145 "
            "HU above that (PubMed 17367973). Tumour size: least, median and largest equivalent "
            "diameter of 24 KiTS19 cases; quartiles 24.1 and 47.0 mm. Tumour HU: homogeneous "
            "papillary carcinomas 41 to 95 in the portal venous phase (AJR, 42 of 114 seen from "
            "2007 to 2017); clear cell above that, by hand.",
            Span(12.7, 36.8, 88.5),
            (40, 150),
        ),
        "lung": Row(
            (-920, -650),
            CHEST,
            _PLAIN + "Tumour size: 225 solid cancers up to 30 mm, half of them below about 17 mm "
            "(Chu et al., BMC Cancer 2019;19:1060); nodules count from 3 mm (LIDC-IDRI); largest "
            "set by hand. Tumour HU: soft tissue, solid nodules only, set by hand.",
            Span(3, 16, 60),
            (-50, 90),
        ),
        "spleen": Row(
            (30, 150),
            ABDOMEN,
            _PLAIN + _PORTAL + _TUMOR_BY_HAND,
            Span(5, 20, 80),
            (20, 100),
        ),
        "colon": Row(
            (20, 120),
            ABDOMEN,
            "Tumour size: 300 386 cancers, 13 % up to 20 mm, 39 % up to 40, 30 % up to 60, 18 % "
            "above (Am J Surg 2015;209:570). HU of wall and tumour: set by hand.",
            Span(15, 40, 80),
            (40, 110),
        ),
        "gallbladder": Row((-10, 30), ABDOMEN, _BY_HAND, Span(8, 25, 60), (40, 110)),
        "esophagus": Row(
            (20, 110),
            ABDOMEN,
            "Tumour size: length of 362 squamous cell carcinomas, best cut at 40 mm (PMC4503066); "
            "as a diameter, and the rest: set by hand.",
            Span(12, 30, 70),
            (40, 110),
        ),
        "stomach": Row(
            (20, 120),
            ABDOMEN,
            "Tumour HU: 86 pT1-2 cancers, 68 without and 88 with nodal spread in the portal "
            "venous phase (Diagn Interv Radiol 2023;29:228). The rest: set by hand.",
            Span(12, 40, 90),
            (50, 110),
        ),
        "duodenum": Row((5, 120), ABDOMEN, _BY_HAND, Span(8, 25, 60), (40, 110)),
        "small_bowel": Row((10, 130), ABDOMEN, _BY_HAND, Span(8, 25, 70), (40, 120)),
        "adrenal_gland": Row(
            (0, 100),
            ABDOMEN,
            "Tumours: adenomas are mostly below 30 mm and often below 10 HU without contrast "
            "(128 adenomas, PMC7541453; Radiopaedia). The rest: set by hand.",
            Span(8, 22, 60),
            (-10, 100),
        ),
        "urinary_bladder": Row((-10, 30), ABDOMEN, _BY_HAND, Span(6, 25, 70), (30, 110)),
        "prostate": Row((5, 120), ABDOMEN, _BY_HAND, Span(5, 15, 40), (40, 130)),
        "uterus": Row((30, 150), ABDOMEN, _BY_HAND, Span(8, 35, 100), (40, 120)),
        "rectum": Row((20, 120), ABDOMEN, _BY_HAND, Span(15, 40, 80), (40, 110)),
        "thyroid_gland": Row(
            (80, 240),
            ABDOMEN,
            "Unenhanced 118 ± 12 HU in 24 controls, cancers 49 ± 13 HU (Radiology 1983;147(3), "
            "doi 10.1148/radiology.147.3.6844615). Contrast and tumour size: set by hand.",
            Span(5, 15, 50),
            (30, 120),
        ),
        "brain": Row((20, 55), BRAIN, _PLAIN + _TUMOR_BY_HAND, Span(5, 30, 70), (10, 80)),
        "heart": Row(
            (25, 180), ABDOMEN, _PLAIN + _PORTAL + _TUMOR_BY_HAND, Span(10, 35, 80), (20, 100)
        ),
        "vertebra": Row(
            (60, 400),
            BONE,
            "Trabecular bone of L1 226 ± 44 HU below 30 years, 89 ± 38 HU from 90 on (Jang et "
            "al., Radiology 2019;291:360); with its cortex more. " + _METASTASES,
            *_BONE_TUMOR,
        ),
        "rib": Row((60, 600), BONE, _BY_HAND + _METASTASES, *_BONE_TUMOR),
        "pelvis": Row((60, 500), BONE, _BY_HAND + _METASTASES, *_BONE_TUMOR),
        "sternum": Row((40, 400), BONE, _BY_HAND + _METASTASES, *_BONE_TUMOR),
        "shoulder": Row((80, 600), BONE, _BY_HAND + _METASTASES, *_BONE_TUMOR),
        "femur": Row((80, 700), BONE, _BY_HAND + _METASTASES, *_BONE_TUMOR),
        "humerus": Row((80, 700), BONE, _BY_HAND + _METASTASES, *_BONE_TUMOR),
        "skull": Row((300, 1300), BONE, _BY_HAND + _METASTASES, *_BONE_TUMOR),
    }
)
"""Organs that can hold tumours."""

_VESSEL = _PLAIN + _PORTAL + "Veins and other arteries: by analogy."

STRUCTURES: Final[Mapping[str, Row]] = MappingProxyType(
    {
        "aorta": Row((30, 200), ABDOMEN, _PLAIN + _PORTAL),
        "inferior_vena_cava": Row((30, 180), ABDOMEN, _VESSEL),
        "superior_vena_cava": Row((30, 250), ABDOMEN, _VESSEL),
        "portal_and_splenic_vein": Row((30, 220), ABDOMEN, _VESSEL),
        "artery": Row((30, 220), ABDOMEN, _VESSEL),
        "vein": Row((30, 220), ABDOMEN, _VESSEL),
        "trachea": Row((-1000, -900), CHEST, "Air is -1000 HU by definition."),
        "spinal_cord": Row((0, 60), ABDOMEN, _BY_HAND),
        "muscle": Row(
            (5, 80),
            ABDOMEN,
            "Psoas 42 ± 8 HU and a whole slice 32 ± 10 HU in the portal venous phase, 150 "
            "patients (Rollins et al.); with fat less.",
        ),
        "costal_cartilage": Row((60, 250), ABDOMEN, _BY_HAND),
        "cyst": Row((-10, 20), ABDOMEN, "Simple cysts measure 20 HU or less by convention."),
        "body": Row((-200, 200), WHOLE, _BY_HAND),
        "fat": Row((-130, -50), ABDOMEN, _PLAIN),
    }
)
"""Structures that hold none."""
