"""The catalogue says no more than is known, and what it says is consistent."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from oncoforge.checkpoints import CATALOGUE
from oncoforge.checkpoints.catalogue import find, identify
from oncoforge.checkpoints.describe import HEAD, as_dict, rows
from oncoforge.checkpoints.record import ENCODER, KINDS, SEGMENTATION, Weights
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.networks import NETWORKS

ALL = pytest.mark.parametrize("weights", CATALOGUE.values(), ids=lambda w: w.name)


@ALL
def test_a_record_is_complete(weights: Weights) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", weights.name)
    assert weights.kind in KINDS
    assert weights.network in NETWORKS
    assert weights.file
    assert re.fullmatch(r"[0-9a-f]{64}|", weights.sha256)
    assert (weights.pipeline is not None) == (weights.kind == SEGMENTATION)
    assert (weights.organs == ()) == (weights.kind == ENCODER)
    assert all(note.endswith(".") for note in weights.notes)
    json.dumps(as_dict(weights))


@ALL
def test_every_swin_unetr_of_the_predecessors_is_legacy(weights: Weights) -> None:
    swin = weights.network == "swin_unetr" or weights.name == "freetumor-generator"
    assert weights.merging == ("legacy" if swin else "")


@ALL
def test_licences_are_those_of_the_works(weights: Weights) -> None:
    strict = weights.method in ("SyntheticTumors", "DiffTumor")
    assert (weights.licence == "CC-BY-NC-ND-4.0") == strict
    assert strict or weights.licence in ("Apache-2.0", "")


@ALL
def test_what_has_no_licence_or_no_page_says_so(weights: Weights) -> None:
    words = " ".join(weights.notes).lower()
    assert weights.licence or "no licence" in words
    assert weights.source or "no public page" in words


@ALL
def test_pipelines_are_those_of_the_works(weights: Weights) -> None:
    if weights.pipeline is None:
        return
    windows = {"SyntheticTumors": (-21.0, 189.0)}
    if weights.organs != ("lung",):
        assert weights.pipeline.window_hu == windows.get(weights.method, (-175.0, 250.0))
        assert set(weights.pipeline.spacing_mm or ()) == {
            1.5 if weights.method == "FreeTumor" else 1.0
        }
    assert weights.pipeline.overlap == 0.75
    assert weights.pipeline.postprocess == weights.method.lower()
    tumors = [name for name in weights.pipeline.classes if name.endswith("_tumor")]
    assert tumors == [f"{organ}_tumor" for organ in weights.organs]


def test_the_issues_list_is_all_there() -> None:
    for organ in ("liver", "pancreas", "kidney"):
        for kind in ("real", "synt"):
            assert {f"pixel2cancer-{organ}-{kind}-{n}" for n in ("unet", "swin-base")} <= set(
                CATALOGUE
            )
        short = ("early", "late", "unet", "nnunet", "swin-base")
        assert {f"difftumor-{organ}-{name}" for name in short} <= set(CATALOGUE)
    assert {
        "synthetictumors-liver-synt-unet",
        "synthetictumors-liver-synt-swin-base-pretrained",
        "difftumor-autoencoder",
        "freetumor-generator",
        "freetumor-segmentor",
        "suprem-swin-base",
        "voco-swin-base",
        "swin-unetr-ssl",
    } <= set(CATALOGUE)


def test_files_are_told_apart() -> None:
    for weights in CATALOGUE.values():
        assert identify(Path("/downloads") / weights.file, "") is weights
        if weights.sha256:
            assert identify(Path("/x/renamed.bin"), weights.sha256) is weights
    assert identify(Path("/runs/mine/model.pt"), "") is None
    hashes = [weights.sha256 for weights in CATALOGUE.values() if weights.sha256]
    assert len(set(hashes)) == len(hashes)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="difftumor-autoencoder"):
        find("difftumor-autoencode")


def test_a_row_of_the_table_for_each() -> None:
    table = list(rows())
    assert [row[0] for row in table] == [f"`{name}`" for name in CATALOGUE]
    assert {len(row) for row in table} == {len(HEAD)}


def test_a_supposed_name_of_a_file_is_said_to_be() -> None:
    """Of Pixel2Cancer, the name was seen where the page states the SHA-256."""
    ours = [one for one in CATALOGUE.values() if one.method == "Pixel2Cancer"]
    assert {bool(one.sha256) for one in ours} == {True, False}
    for one in ours:
        assert any("model.pt is supposed" in note for note in one.notes) is not bool(one.sha256)


def test_an_unknown_name_is_told_the_nearest_one_or_where_the_names_are():
    with pytest.raises(InputError, match="did you mean 'difftumor-liver-unet'"):
        find("difftumor-liver-unett")
    with pytest.raises(InputError, match="neither a file or folder") as refused:
        find("/somewhere/q.bin")
    assert len(str(refused.value)) < 200
