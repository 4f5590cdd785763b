"""Datasets whose tumours are labelled voxel by voxel.

Facts are from the datasets' own pages and papers and from the lists of earlier programs; what
could not be established is left out rather than guessed.
"""

from __future__ import annotations

from typing import Final

from oncoforge.datasets.record import TUMOR, Dataset, Layout, decathlon, nnunet

_DECATHLON: Final = (
    "Without registration, from the links on its page (among them an open bucket of Amazon S3)."
)
_DECATHLON_PAPER: Final = (
    "Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 2022;13:4128"
)
_KITS_LICENCE: Final = "CC BY-NC-SA 4.0"
_KITS21_PAPER: Final = "Heller et al., The KiTS21 Challenge, arXiv:2307.01984"

HEALTHY_LITS: Final = ("32", "34", "38", "41", "47", "87", "89", "91", "105", "106", "114", "115",
                       "119")  # fmt: skip
"""Cases of LiTS without a tumour."""

_LITS_OVERLAPS: Final = {
    "abdomenct-1k": "republished there under other names",
    "abdomenatlas": "republished there under other names",
    "flare23": "may be republished there under other names",
}

TUMOR_SETS: Final = (
    Dataset(
        name="msd-liver",
        title="MSD Task03 Liver",
        role=TUMOR,
        organs=("liver",),
        cases={"training": 131, "test": 70},
        home="http://medicaldecathlon.com",
        access=_DECATHLON,
        licence="CC BY-SA 4.0",
        citation=f"{_DECATHLON_PAPER}; Bilic et al., Medical Image Analysis 2023;84:102680",
        layouts=(*decathlon(r"liver_\d+"), *nnunet(r"liver_\d+")),
        size_gb=28.9,
        size_note="Task03_Liver.tar",
        convention="msd-liver",
        overlaps={"lits": "the same scans: case N is liver_N here and volume-N there",
                  "3d-ircadb": "its 20 cases are cases 28 to 47 here",
                  **_LITS_OVERLAPS},
        healthy={"liver": HEALTHY_LITS},
        notes=("Cases " + ", ".join(HEALTHY_LITS) + " have no tumour.",),
        aliases=("task03", "task03-liver", "task003-liver", "dataset003-liver"),
    ),
    Dataset(
        name="lits",
        title="LiTS, Liver Tumor Segmentation",
        role=TUMOR,
        organs=("liver",),
        cases={"training": 131, "test": 70},
        home="https://competitions.codalab.org/competitions/17094",
        access="With registration, from its page; MSD Task03 has the same scans without one.",
        licence="see its page",
        citation="Bilic et al., The Liver Tumor Segmentation Benchmark (LiTS), Medical Image "
        "Analysis 2023;84:102680",
        layouts=(
            Layout(
                "**/volume-{case}.nii.gz", "**/segmentation-{case}.nii.gz", r"\d{1,3}",
                name="liver_{case}",
            ),
            Layout("**/test-volume-{case}.nii.gz", "", r"\d{1,3}", "test", "test-volume-{case}"),
            *nnunet(r"liver_\d+"),
            Layout("img/{case}.nii.gz", "label/{case}.nii.gz", r"liver_\d+",
                   way="SyntheticTumors folders"),
        ),
        size_gb=17.4,
        size_note="repacked as .nii.gz by others",
        convention="msd-liver",
        overlaps={"msd-liver": "the same scans: case N is volume-N here and liver_N there",
                  "3d-ircadb": "its 20 cases are cases 28 to 47 here",
                  **_LITS_OVERLAPS},
        healthy={"liver": HEALTHY_LITS},
        notes=("Cases " + ", ".join(HEALTHY_LITS) + " have no tumour.",
               "Cases are written as liver_N, the name that the Decathlon gave them."),
        aliases=("lits17", "lits2017"),
    ),
    Dataset(
        name="msd-pancreas",
        title="MSD Task07 Pancreas",
        role=TUMOR,
        organs=("pancreas",),
        cases={"training": 281, "test": 139},
        home="http://medicaldecathlon.com",
        access=_DECATHLON,
        licence="CC BY-SA 4.0",
        citation=_DECATHLON_PAPER,
        layouts=(*decathlon(r"pancreas_\d{3}"), *nnunet(r"pancreas_\d{3}")),
        convention="msd-pancreas",
        overlaps={"panorama": "194 of its training cases are there under other names",
                  "abdomenct-1k": "republished there under other names",
                  "flare22": "its 50 labelled training cases are said to come from here",
                  "abdomenatlas": "republished there under other names"},
        notes=("The tumour class covers cysts too (IPMN, neuroendocrine tumours, carcinoma).",),
        aliases=("task07", "task07-pancreas", "dataset007-pancreas"),
    ),
    Dataset(
        name="msd-colon",
        title="MSD Task10 Colon",
        role=TUMOR,
        organs=("colon",),
        cases={"training": 126, "test": 64},
        home="http://medicaldecathlon.com",
        access=_DECATHLON,
        licence="CC BY-SA 4.0",
        citation=_DECATHLON_PAPER,
        layouts=(*decathlon(r"colon_\d{3}"), *nnunet(r"colon_\d{3}")),
        convention="msd-colon",
        overlaps={"abdomenatlas": "republished there under other names"},
        notes=("Only the tumour is labelled: the colon itself is background.",),
        aliases=("task10", "task10-colon", "dataset010-colon"),
    ),
    Dataset(
        name="msd-lung",
        title="MSD Task06 Lung",
        role=TUMOR,
        organs=("lung",),
        cases={"training": 63, "test": 32},
        home="http://medicaldecathlon.com",
        access=_DECATHLON,
        licence="CC BY-SA 4.0",
        citation=_DECATHLON_PAPER,
        layouts=(*decathlon(r"lung_\d{3}"), *nnunet(r"lung_\d{3}")),
        convention="msd-lung",
        overlaps={"abdomenatlas": "republished there under other names"},
        notes=("Only the tumour is labelled: the lung itself is background.",),
        aliases=("task06", "task06-lung", "dataset006-lung"),
    ),
    Dataset(
        name="kits19",
        title="KiTS19, Kidney Tumor Segmentation",
        role=TUMOR,
        organs=("kidney",),
        cases={"training": 210, "test": 90},
        home="https://github.com/neheller/kits19",
        access="Without registration: clone the repository (labels) and run its script (images).",
        licence=_KITS_LICENCE,
        citation="Heller et al., The state of the art in kidney and kidney tumor segmentation in "
        "contrast-enhanced CT imaging, Medical Image Analysis 2021;67:101821",
        layouts=(
            Layout("**/{case}/imaging.nii.gz", "**/{case}/segmentation.nii.gz", r"case_\d{5}"),
            *nnunet(r"case_\d{5}"),
            Layout("", "**/{case}.nii.gz", r"case_\d{5}", way="label maps only"),
        ),
        size_gb=28.0,
        size_note="repacked by others, 300 cases",
        convention="kits",
        overlaps={"kits21": "all 300 cases are its training cases, with new labels",
                  "kits23": "all 300 cases are among its training cases, with new labels",
                  "abdomenct-1k": "republished there under other names",
                  "abdomenatlas": "republished there under other names"},
        notes=("Cases 210 to 299 are the test set: without labels until KiTS21.",
               "Cysts are not labelled apart."),
        aliases=("kits2019",),
    ),
    Dataset(
        name="kits21",
        title="KiTS21, Kidney Tumor Segmentation",
        role=TUMOR,
        organs=("kidney",),
        cases={"training": 300, "test": 100},
        home="https://github.com/neheller/kits21",
        access="Without registration: clone the repository (labels) and run its script (images).",
        licence=_KITS_LICENCE,
        citation=_KITS21_PAPER,
        layouts=(
            Layout(
                "**/{case}/imaging.nii.gz", "**/{case}/aggregated_MAJ_seg.nii.gz", r"case_\d{5}"
            ),
            *nnunet(r"case_\d{5}"),
            Layout("", "**/{case}.nii.gz", r"case_\d{5}", way="label maps only"),
        ),
        convention="kits",
        overlaps={"kits19": "all its 300 cases are the training cases here, with new labels",
                  "kits23": "all 300 training cases are there, with new labels"},
        notes=("Of three annotations per structure the majority is taken: aggregated_MAJ_seg.",),
        aliases=("kits2021",),
    ),
    Dataset(
        name="kits23",
        title="KiTS23, Kidney Tumor Segmentation",
        role=TUMOR,
        organs=("kidney",),
        cases={"training": 489, "test": 110},
        home="https://github.com/neheller/kits23",
        access="Without registration: clone the repository (labels) and run "
        "kits23_download_data (images).",
        licence=_KITS_LICENCE,
        citation=_KITS21_PAPER,
        layouts=(
            Layout("**/{case}/imaging.nii.gz", "**/{case}/segmentation.nii.gz", r"case_\d{5}"),
            *nnunet(r"case_\d{5}"),
            Layout("", "**/{case}.nii.gz", r"case_\d{5}", way="label maps only"),
        ),
        convention="kits",
        overlaps={"kits19": "all its 300 cases are among the training cases here",
                  "kits21": "all its training cases are among the training cases here"},
        notes=("The label maps of some earlier lists call 1 and 2 left and right kidney: they are "
               "kidney and tumour.",),
        aliases=("kits2023", "kits", "dataset220-kits2023"),
    ),
    Dataset(
        name="panorama",
        title="PANORAMA, pancreatic cancer on CT",
        role=TUMOR,
        organs=("pancreas", "vein", "artery"),
        cases={"training": 2238},
        home="https://panorama.grand-challenge.org",
        access="Without registration: images in four batches from Zenodo, labels from "
        "https://github.com/DIAGNijmegen/panorama_labels.",
        licence="CC BY-NC 4.0",
        citation="Alves et al., The PANORAMA Study Protocol, Zenodo 2024, "
        "doi:10.5281/zenodo.10599559",
        layouts=(
            Layout("**/{case}_0000.nii.gz", "**/{case}.nii.gz", r"\d{6}_\d{5}"),
        ),
        classes={1: "pancreas_tumor", 2: "vein", 3: "artery", 4: "pancreas", 5: "pancreas",
                 6: "background"},
        overlaps={"msd-pancreas": "194 cases come from its training set",
                  "pancreas-ct": "80 cases come from there"},
        notes=("676 cases have a carcinoma; 482 of these were outlined by hand, 194 by a program.",
               "Organs and vessels were all outlined by a program.",
               "Only ductal adenocarcinoma is labelled: other lesions are part of the pancreas.",
               "The duct (5) becomes pancreas; the bile duct (6) has no label here."),
        aliases=("panorama-pdac",),
    ),
    Dataset(
        name="3d-ircadb",
        title="3D-IRCADb-01",
        role=TUMOR,
        organs=("liver", "kidney", "spleen", "pancreas", "gallbladder", "lung", "stomach", "colon",
                "cyst"),
        cases={"training": 20},
        home="https://www.ircad.fr/research/data-sets/liver-segmentation-3d-ircadb-01",
        access="Without registration; unpack PATIENT_DICOM.zip and MASKS_DICOM.zip of each case.",
        licence="see the licence files in its folders",
        citation="Soler et al., 3D image reconstruction for comparison of algorithm database, "
        "IRCAD 2010",
        layouts=(
            Layout(
                "**/3Dircadb1.{case}/PATIENT_DICOM", "**/3Dircadb1.{case}/MASKS_DICOM/{part}",
                r"\d{1,2}", name="3Dircadb1.{case}",
            ),
            *nnunet(r"\d{1,2}", name="3Dircadb1.{case}"),
        ),
        classes={1: "liver", 2: "liver_tumor"},
        healthy={"liver": ("5", "7", "11", "14", "20")},
        parts={"liver": "liver", "*kidney*": "kidney", "spleen": "spleen", "*pancreas*": "pancreas",
               "*gallbladder*": "gallbladder", "*lung*": "lung", "stomach": "stomach",
               "colon": "colon", "liver*cyst*": "cyst", "liver*kyst*": "cyst",
               "liver*tumo*": "liver_tumor"},
        overlaps={"lits": "case N is case 27 + N there",
                  "msd-liver": "case N is liver_(27 + N) there"},
        notes=("One folder of DICOM masks per structure; structures differ from case to case.",
               "Vessels, bones and skin are not taken over.",
               "Cases 5, 7, 11, 14 and 20 have no tumour of the liver."),
        aliases=("3dircadb", "3d-ircadb-01", "ircadb", "ircad"),
    ),
    Dataset(
        name="covid-19-20",
        title="COVID-19-20, Lung CT Lesion Segmentation",
        role=TUMOR,
        organs=("lung",),
        cases={"training": 199, "validation": 50, "test": 46},
        home="https://covid-segmentation.grand-challenge.org/COVID-19-20/",
        access="With registration, from its page; images are from TCIA.",
        licence="see its page",
        citation="Roth et al., Rapid artificial intelligence solutions in a pandemic, Medical "
        "Image Analysis 2022;82:102605",
        layouts=(
            Layout(
                "**/Train/{case}_ct.nii.gz", "**/Train/{case}_seg.nii.gz",
                r"volume-covid19-A-\d{4}(?:_day\d+)?",
            ),
            Layout("**/Validation/{case}_ct.nii.gz", "", r"volume-covid19-A-\d{4}(?:_day\d+)?",
                   "validation"),
            Layout(
                "**/Train_lungmask/{case}_ct.nii.gz", "**/Train_lungmask/{case}_seg.nii.gz",
                r"volume-covid19-A-\d{4}(?:_day\d+)?", way="FreeTumor folders",
                classes={1: "lung", 2: "lung_tumor"},
            ),
        ),
        classes={1: "lung_tumor"},
        overlaps={"tcia-covid19": "38 of the 40 validation cases of FreeTumor's fold 0 and 147 of "
                                  "the 159 training cases are in FreeTumor's list of that set"},
        notes=("Its lesions are infections, not tumours; they become lung_tumor, as they did in "
               "FreeTumor.",
               "FreeTumor added lungs to the label maps: 1 lung, 2 lesion, under the same names."),
        aliases=("covid19-20", "covid1920"),
    ),
    Dataset(
        name="autopet",
        title="AutoPET, whole-body PET/CT",
        role=TUMOR,
        organs=(),
        modality="PET/CT",
        cases={"FDG": 1014, "PSMA": 597},
        home="https://autopet-iii.grand-challenge.org",
        access="From its page, or FDG-PET-CT-Lesions from TCIA.",
        licence="see its page",
        citation="Gatidis et al., A whole-body FDG-PET/CT dataset with manually annotated tumor "
        "lesions, Scientific Data 2022;9:601",
        layouts=(
            Layout("imagesTr/{case}_0000.nii.gz", "labelsTr/{case}.nii.gz",
                   r"(?:fdg|psma)_[^/]+"),
            Layout("**/{case}/{study}/CTres.nii.gz", "**/{case}/{study}/SEG.nii.gz",
                   r"PETCT_[0-9a-f]+", name="{case}_{study}", way="FDG-PET-CT-Lesions as NIfTI"),
        ),
        classes={1: "{organ}_tumor"},
        notes=("Tumours of any organ share one label: give --organ, and know that it holds for "
               "none but the cases of that organ.",
               "The CT is brought onto the grid of the PET (2 to 4 mm)."),
        aliases=("autopet-iii", "autopet3", "fdg-pet-ct-lesions"),
    ),
)  # fmt: skip
