"""How public datasets number their labels, as published: value, own name, name here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from oncoforge.anatomy import totalsegmentator
from oncoforge.anatomy.labels import NAMES


class Table(NamedTuple):
    """The label table of one dataset.

    Attributes
    ----------
    title
        The dataset, for people.
    source
        Where the numbers were published.
    classes
        Value to the dataset's own class name and the oncoforge name that it becomes. A name with
        ``{organ}`` in it waits for the user to say which organ.
    notes
        Choices that a user should know of.
    """

    title: str
    source: str
    classes: Mapping[int, tuple[str, str]]
    notes: str = ""


TABLES: Final[Mapping[str, Table]] = MappingProxyType(
    {
        "oncoforge": Table(
            title="oncoforge",
            source="This library.",
            classes={value: (name, name) for value, name in NAMES.items() if value},
            notes="An organ has an odd label and its tumour the next; labels from 65 on hold none.",
        ),
        "totalsegmentator": Table(
            title="TotalSegmentator v2, task 'total'",
            source="Wasserthal et al., Radiology: Artificial Intelligence 2023;5(5):e230024; class "
            "map 'total' in totalsegmentator/map_to_binary.py and the header of files it writes.",
            classes=totalsegmentator.CLASSES,
            notes="Version 1 (104 classes) and the MR task 'total_mr' number theirs differently.",
        ),
        "msd-liver": Table(
            title="MSD Task03 Liver (and LiTS, from which it was made)",
            source="Antonelli et al., Nature Communications 2022;13:4128; dataset.json of "
            "Task03_Liver. Bilic et al. (LiTS), Medical Image Analysis 2023;84:102680.",
            classes={1: ("liver", "liver"), 2: ("cancer", "liver_tumor")},
        ),
        "msd-pancreas": Table(
            title="MSD Task07 Pancreas",
            source="Antonelli et al., Nature Communications 2022;13:4128; dataset.json of "
            "Task07_Pancreas.",
            classes={1: ("pancreas", "pancreas"), 2: ("cancer", "pancreas_tumor")},
            notes="The tumour class covers cysts too: the cases are IPMN, PNET and adenocarcinoma.",
        ),
        "msd-spleen": Table(
            title="MSD Task09 Spleen",
            source="Antonelli et al., Nature Communications 2022;13:4128; dataset.json of "
            "Task09_Spleen.",
            classes={1: ("spleen", "spleen")},
        ),
        "msd-colon": Table(
            title="MSD Task10 Colon",
            source="Antonelli et al., Nature Communications 2022;13:4128; dataset.json of "
            "Task10_Colon.",
            classes={1: ("colon cancer primaries", "colon_tumor")},
            notes="Only tumours are labelled: the colon itself is background.",
        ),
        "msd-lung": Table(
            title="MSD Task06 Lung",
            source="Antonelli et al., Nature Communications 2022;13:4128; dataset.json of "
            "Task06_Lung.",
            classes={1: ("cancer", "lung_tumor")},
            notes="Only tumours are labelled: the lung itself is background.",
        ),
        "kits": Table(
            title="KiTS19, KiTS21 and KiTS23",
            source="Heller et al., Medical Image Analysis 2021;67:101821 (KiTS19); Heller et al., "
            "arXiv:2307.01984 (KiTS21); KITS_LABEL_NAMES in the KiTS23 repository.",
            classes={
                1: ("kidney", "kidney"),
                2: ("tumor", "kidney_tumor"),
                3: ("cyst", "cyst"),
            },
            notes="KiTS19 names 1 and 2 only; 3 came with KiTS21.",
        ),
        "btcv": Table(
            title="BTCV, Beyond the Cranial Vault (abdomen)",
            source="Landman et al., MICCAI 2015 Multi-Atlas Labeling Beyond the Cranial Vault; "
            "Synapse syn3193805; label systems of the A-Eval benchmark.",
            classes={
                1: ("spleen", "spleen"),
                2: ("right kidney", "kidney"),
                3: ("left kidney", "kidney"),
                4: ("gallbladder", "gallbladder"),
                5: ("esophagus", "esophagus"),
                6: ("liver", "liver"),
                7: ("stomach", "stomach"),
                8: ("aorta", "aorta"),
                9: ("inferior vena cava", "inferior_vena_cava"),
                10: ("portal vein and splenic vein", "portal_and_splenic_vein"),
                11: ("pancreas", "pancreas"),
                12: ("right adrenal gland", "adrenal_gland"),
                13: ("left adrenal gland", "adrenal_gland"),
            },
        ),
        "amos": Table(
            title="AMOS22",
            source="Ji et al., NeurIPS 2022 Datasets and Benchmarks, arXiv:2206.08023; label "
            "systems of the A-Eval benchmark (uni-medical/A-Eval).",
            classes={
                1: ("spleen", "spleen"),
                2: ("right kidney", "kidney"),
                3: ("left kidney", "kidney"),
                4: ("gall bladder", "gallbladder"),
                5: ("esophagus", "esophagus"),
                6: ("liver", "liver"),
                7: ("stomach", "stomach"),
                8: ("aorta", "aorta"),
                9: ("postcava", "inferior_vena_cava"),
                10: ("pancreas", "pancreas"),
                11: ("right adrenal gland", "adrenal_gland"),
                12: ("left adrenal gland", "adrenal_gland"),
                13: ("duodenum", "duodenum"),
                14: ("bladder", "urinary_bladder"),
                15: ("prostate/uterus", "prostate"),
            },
            notes="15 is prostate or uterus and the file does not tell which; it becomes prostate.",
        ),
        "flare": Table(
            title="FLARE22 and FLARE23",
            source="FLARE22: label systems of the A-Eval benchmark and dataset.json of U-Mamba's "
            "Dataset701_AbdomenCT. FLARE23: Ma et al., arXiv:2408.12534; label lists "
            "in public nnU-Net converters for it.",
            classes={
                1: ("liver", "liver"),
                2: ("right kidney", "kidney"),
                3: ("spleen", "spleen"),
                4: ("pancreas", "pancreas"),
                5: ("aorta", "aorta"),
                6: ("inferior vena cava", "inferior_vena_cava"),
                7: ("right adrenal gland", "adrenal_gland"),
                8: ("left adrenal gland", "adrenal_gland"),
                9: ("gallbladder", "gallbladder"),
                10: ("esophagus", "esophagus"),
                11: ("stomach", "stomach"),
                12: ("duodenum", "duodenum"),
                13: ("left kidney", "kidney"),
                14: ("tumor", "{organ}_tumor"),
            },
            notes="14, in FLARE23 only, is a tumour of any organ: name the organ to translate it.",
        ),
        "word": Table(
            title="WORD",
            source="Luo et al., Medical Image Analysis 2022;82:102642, arXiv:2111.02403; label "
            "systems of the A-Eval benchmark.",
            classes={
                1: ("liver", "liver"),
                2: ("spleen", "spleen"),
                3: ("left_kidney", "kidney"),
                4: ("right_kidney", "kidney"),
                5: ("stomach", "stomach"),
                6: ("gallbladder", "gallbladder"),
                7: ("esophagus", "esophagus"),
                8: ("pancreas", "pancreas"),
                9: ("duodenum", "duodenum"),
                10: ("colon", "colon"),
                11: ("intestine", "small_bowel"),
                12: ("adrenal", "adrenal_gland"),
                13: ("rectum", "rectum"),
                14: ("bladder", "urinary_bladder"),
                15: ("Head_of_femur_L", "femur"),
                16: ("Head_of_femur_R", "femur"),
            },
        ),
        "abdomenatlas": Table(
            title="AbdomenAtlas 1.0 Mini and 1.1, combined labels",
            source="Qu et al., NeurIPS 2023, arXiv:2305.09666 (1.0); Li et al., Medical Image "
            "Analysis 2024;97:103285 (1.1); class maps in nnU-Net's converters "
            "Dataset224_AbdomenAtlas1.0 and Dataset023_AbdomenAtlas1_1Mini.",
            classes={
                1: ("aorta", "aorta"),
                2: ("gall_bladder", "gallbladder"),
                3: ("kidney_left", "kidney"),
                4: ("kidney_right", "kidney"),
                5: ("liver", "liver"),
                6: ("pancreas", "pancreas"),
                7: ("postcava", "inferior_vena_cava"),
                8: ("spleen", "spleen"),
                9: ("stomach", "stomach"),
                10: ("adrenal_gland_left", "adrenal_gland"),
                11: ("adrenal_gland_right", "adrenal_gland"),
                12: ("bladder", "urinary_bladder"),
                13: ("celiac_trunk", "artery"),
                14: ("colon", "colon"),
                15: ("duodenum", "duodenum"),
                16: ("esophagus", "esophagus"),
                17: ("femur_left", "femur"),
                18: ("femur_right", "femur"),
                19: ("hepatic_vessel", "liver"),
                20: ("intestine", "small_bowel"),
                21: ("lung_left", "lung"),
                22: ("lung_right", "lung"),
                23: ("portal_vein_and_splenic_vein", "portal_and_splenic_vein"),
                24: ("prostate", "prostate"),
                25: ("rectum", "rectum"),
            },
            notes="1.0 Mini stops at 9. Hepatic vessels lie in the liver and become liver.",
        ),
        "organ-tumor": Table(
            title="one organ and its tumour",
            source="The usual two-class layout of tumour datasets (MSD, LiTS, KiTS).",
            classes={1: ("organ", "{organ}"), 2: ("tumor", "{organ}_tumor")},
            notes="The organ must be named.",
        ),
    }
)
"""Every convention but for its background, which is 0 in all of them."""

ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "organ-tumour": "organ-tumor",
        "lits": "msd-liver",
        "kits19": "kits",
        "kits21": "kits",
        "kits23": "kits",
        "amos22": "amos",
        "flare22": "flare",
        "flare23": "flare",
        "abdomenatlas-1.0": "abdomenatlas",
        "abdomenatlas-1.1": "abdomenatlas",
        "abdomenatlas-mini": "abdomenatlas",
    }
)
"""Other names under which people know these conventions."""
