"""Datasets of the chest, without labels of tumours.

Facts are from the datasets' own pages and papers and from the lists of earlier programs; what
could not be established is left out rather than guessed.
"""

from __future__ import annotations

from typing import Final

from oncoforge.datasets.record import UNLABELLED, Dataset, Layout

_FREETUMOR: Final = "FreeTumor folders"
_LUNG: Final = {1: "lung"}


def _with_lungs(case: str, name: str = "{case}") -> Layout:
    """Lay out the folder that FreeTumor made, with lungs as label 1."""
    return Layout(
        "imagesTr/{case}.nii.gz", "labelsTr/{case}.nii.gz", case, name=name, way=_FREETUMOR,
        classes=_LUNG,
    )  # fmt: skip


CHEST_SETS: Final = (
    Dataset(
        name="tcia-covid19",
        title="CT Images in COVID-19 (TCIA)",
        role=UNLABELLED,
        organs=("lung",),
        cases={"listed by FreeTumor": 722, "patients in it": 621},
        home="https://www.cancerimagingarchive.net/collection/ct-images-in-covid-19/",
        access="Without registration, from its page.",
        licence="see its page",
        citation="An et al., CT Images in COVID-19, TCIA 2020, doi:10.7937/TCIA.2020.GQRY-NC81",
        layouts=(
            Layout("**/{case}.nii.gz", "", r"volume-covid19-A-\d{4}(?:_day\d+)?"),
            _with_lungs(r"volume-covid19-A-\d{4}(?:_day\d+)?"),
        ),
        classes=_LUNG,
        overlaps={"covid-19-20": "its scans come from here, under the same names: in FreeTumor's "
                                 "lists 38 of 40 validation cases and 147 of 159 training cases"},
        notes=("Several days of one patient are several files (_dayNNN): split by patient.",
               "Infections are not labelled; in FreeTumor's label maps they are lung."),
        aliases=("tciacovid19", "ct-images-in-covid-19"),
    ),
    Dataset(
        name="stoic21",
        title="STOIC2021",
        role=UNLABELLED,
        organs=("lung",),
        cases={"training": 2000},
        home="https://stoic2021.grand-challenge.org",
        access="Without registration from the Registry of Open Data on AWS, as its page says.",
        licence="see its page",
        citation="Revel et al., Study of Thoracic CT in COVID-19: The STOIC Project, Radiology "
        "2021;301:E361",
        layouts=(
            Layout("**/mha/{case}.mha", "", r"\d{1,5}", name="stoic21-{case}"),
            _with_lungs(r"\d{1,5}", "stoic21-{case}"),
        ),
        classes=_LUNG,
        notes=("Only the outcome of each patient is known: there are no voxel labels.",),
        aliases=("stoic", "stoic2021"),
    ),
    Dataset(
        name="lidc",
        title="LIDC-IDRI",
        role=UNLABELLED,
        organs=("lung",),
        cases={"scans": 1018, "patients": 1010},
        home="https://www.cancerimagingarchive.net/collection/lidc-idri/",
        access="Without registration, with the NBIA Data Retriever of TCIA.",
        licence="CC BY 3.0",
        citation="Armato et al., Data From LIDC-IDRI, TCIA 2015, doi:10.7937/K9/TCIA.2015.LO9QL9SX",
        layouts=(
            Layout("**/{case}/{study}/{series}", "", r"LIDC-IDRI-\d{4}"),
            _with_lungs(r"\d{5}", "lidc-{case}"),
        ),
        size_gb=124.0,
        size_note="DICOM, as others report",
        classes=_LUNG,
        notes=("Nodules are outlined in XML files, which are not read: lungs are all that "
               "FreeTumor's label maps hold.",
               "Chest radiographs in the same folders are passed over; a patient with two CT "
               "scans gives two cases."),
        aliases=("lidc-idri",),
    ),
    Dataset(
        name="mela",
        title="MELA 2022, mediastinal lesions",
        role=UNLABELLED,
        organs=("lung",),
        cases={"training": 770},
        home="https://mela.grand-challenge.org",
        access="With registration, from its page.",
        licence="see its page",
        citation="MICCAI 2022 Mediastinal Lesion Analysis (MELA) Challenge",
        layouts=(
            Layout("**/{case}.nii.gz", "", r"mela_\d{4}"),
            _with_lungs(r"mela_\d{4}"),
        ),
        classes=_LUNG,
        notes=("Lesions are given as boxes, not as voxels, and are not read.",),
        aliases=("mela22", "mela2022"),
    ),
)  # fmt: skip
