"""From label maps to rows: what is scored, what fails, and that nothing depends on the workers."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import oncoforge as of
from oncoforge.errors import InputError, OutputError, UnknownNameError
from oncoforge.evaluation.results import FILES, TABLES
from oncoforge.evaluation.rows import ScoreRow
from oncoforge.evaluation.run import evaluate

SHAPE, SPACING = (36, 30, 20), (1.0, 1.5, 2.0)
VOXEL = 3.0


def _save(path: Path, labels: np.ndarray, spacing=SPACING, origin=(0, 0, 0)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    nib.save(nib.Nifti1Image(labels.astype(np.uint8), affine), path)


def _liver(*tumours: tuple[int, int, int, int], organ: bool = True) -> np.ndarray:
    """Return a liver with cubes of tumour: corner and side, voxels."""
    labels = np.zeros(SHAPE, np.uint8)
    if organ:
        labels[4:32, 4:26, 3:17] = 1
    for x, y, z, side in tumours:
        labels[x : x + side, y : y + side, z : z + side] = 2
    return labels


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    """Four livers: found, missed, a false alarm, rightly none."""
    truth, own = tmp_path / "truth", tmp_path / "net"
    pairs = {
        "a": (_liver((8, 8, 6, 6)), _liver((9, 8, 6, 6))),
        "b": (_liver((8, 8, 6, 4)), _liver()),
        "c": (_liver(), _liver((20, 10, 8, 3))),
        "d": (_liver(), _liver()),
    }
    for name, (true, said) in pairs.items():
        _save(truth / f"{name}.nii.gz", true)
        _save(own / f"{name}.nii.gz", said)
    return truth, own


def _row(found, case: str, structure: str = "liver_tumor", model: str | None = None) -> ScoreRow:
    (row,) = [
        r
        for r in found.scores
        if (r.case, r.structure) == (case, structure) and model in (None, r.model)
    ]
    return row


def test_every_case_has_its_outcome(folders):
    truth, own = folders
    found = of.evaluation.evaluate(own, truth, workers=1, draws=50)
    assert found.models == ("net",)
    assert found.structures == ("liver", "liver_tumor")
    assert [_row(found, case).outcome for case in "abcd"] == [
        "found",
        "missed",
        "false_alarm",
        "both_empty",
    ]
    a = _row(found, "a")
    assert a.dice == pytest.approx(5 / 6)
    assert a.iou == pytest.approx(5 / 7)
    assert (a.truth_mm3, a.predicted_mm3) == pytest.approx((216 * VOXEL, 216 * VOXEL))
    assert a.volume_error_percent == 0
    b, c, d = (_row(found, case) for case in "bcd")
    assert (b.dice, b.nsd, b.hd95_mm, b.volume_error_percent) == (0, 0, np.inf, -100)
    assert (c.dice, c.assd_mm, c.volume_error_percent) == (0, np.inf, None)
    assert (d.dice, d.hd95_mm, d.volume_error_mm3) == (None, None, 0)
    assert found.number("dice", "liver_tumor").n == 3
    assert found.number("hd95_mm", "liver_tumor").n == 1
    assert found.outcomes()["net"]["liver"]["found"] == 4
    assert [(row.case, row.status) for row in found.lesions] == [
        ("a", "found"),
        ("b", "missed"),
        ("c", "false_positive"),
    ]
    assert {m: found.number(f"patient_{m}", "liver_tumor").mean for m in ("auc", "accuracy")} == {
        "auc": pytest.approx((2 + 0.5) / 4),
        "accuracy": 0.5,
    }


def test_scores_are_those_of_score(folders):
    truth, own = folders
    found = evaluate(own, truth, workers=1, draws=50, tolerance_mm=1.0, nsd="voxel-edge")
    masks = [np.asarray(nib.load(f / "a.nii.gz").dataobj) for f in (own, truth)]
    for structure, labels in (("liver", (1, 2)), ("liver_tumor", (2,))):
        direct = of.evaluation.score(
            *(np.isin(m, labels) for m in masks), SPACING, 1.0, nsd="voxel-edge"
        )
        row = _row(found, "a", structure)
        for name in ("dice", "iou", "nsd", "hd95_mm", "assd_mm", "volume_error_mm3"):
            assert getattr(row, name) == pytest.approx(getattr(direct, name)), name


def test_an_organ_is_scored_with_its_tumours_unless_asked_otherwise(folders):
    truth, own = folders
    whole = evaluate(own, truth, workers=1, draws=50)
    assert _row(whole, "b", "liver").dice == 1
    bare = evaluate(own, truth, workers=1, draws=50, organ_mask="parenchyma")
    organ = 28 * 22 * 14
    assert _row(bare, "b", "liver").dice == pytest.approx(2 * (organ - 64) / (2 * organ - 64))


def test_lesions_are_where_they_are_in_the_patient(tmp_path):
    labels = _liver((8, 8, 6, 6))
    turned = np.ascontiguousarray(labels[::-1, ::-1].transpose(2, 0, 1))
    affine = np.zeros((4, 4))
    affine[0, 1], affine[1, 2], affine[2, 0], affine[3, 3] = -1, -1.5, 2, 1
    affine[:3, 3] = 100, -20, 7
    for folder in ("truth", "net"):
        (tmp_path / folder).mkdir()
        nib.save(nib.Nifti1Image(turned, affine), tmp_path / folder / "a.nii")
    (row,) = evaluate(tmp_path / "net", tmp_path / "truth", workers=1, draws=50).lesions
    # The far corner of the turned array, less what the flips take.
    expected = (100 - (35 - 10.5), -20 - 1.5 * (29 - 10.5), 7 + 2 * 8.5)
    assert (row.x_mm, row.y_mm, row.z_mm) == pytest.approx(expected)
    assert row.truth_mm3 == pytest.approx(216 * VOXEL)
    assert row.diameter_mm == pytest.approx((6 * 648 / np.pi) ** (1 / 3))


def test_conventions_of_truth_and_prediction_may_differ(tmp_path):
    kits = _liver((8, 8, 6, 6))
    _save(tmp_path / "truth" / "a.nii.gz", kits)  # read as kidney and its tumour
    _save(tmp_path / "net" / "a.nii.gz", np.where(kits, kits + 4, 0))  # oncoforge's 5 and 6
    found = evaluate(
        tmp_path / "net",
        tmp_path / "truth",
        convention="kits",
        pred_convention="oncoforge",
        workers=1,
        draws=50,
    )
    assert found.structures == ("kidney", "kidney_tumor")
    assert [row.dice for row in found.scores] == [1, 1]


def test_organs_of_the_truths_are_scored_and_others_named(tmp_path):
    both = _liver((8, 8, 6, 6))
    both[33:35, 10:20, 5:15] = 9  # the spleen
    _save(tmp_path / "truth" / "a.nii.gz", both)
    _save(tmp_path / "truth" / "b.nii.gz", _liver())
    own = both.copy()
    own[0:3, 0:5, 0:5] = 3  # the pancreas, which no truth has
    for case in "ab":
        _save(tmp_path / "net" / f"{case}.nii.gz", own)
    found = evaluate(tmp_path / "net", tmp_path / "truth", workers=1, draws=50)
    assert found.structures == ("liver", "liver_tumor", "spleen")
    assert _row(found, "b", "spleen").outcome == "false_alarm"
    assert any("pancreas" in remark for remark in found.remarks)
    alone = evaluate(tmp_path / "net", tmp_path / "truth", organ="spleen", workers=1, draws=50)
    assert alone.structures == ("spleen", "spleen_tumor")


def test_a_model_of_tumours_alone_is_not_blamed_for_the_organ(folders, tmp_path):
    truth, own = folders
    for path in own.iterdir():
        labels = np.asarray(nib.load(path).dataobj)
        _save(tmp_path / "bare" / path.name, np.where(labels == 2, 2, 0))
    found = evaluate(own, truth, versus={"bare": tmp_path / "bare"}, workers=1, draws=50)
    rows = [r for r in found.scores if r.model == "bare"]
    assert {row.structure for row in rows} == {"liver_tumor"}
    assert any("bare predicts tumours" in remark for remark in found.remarks)
    # But one that predicts nothing at all is.
    for path in own.iterdir():
        _save(tmp_path / "blind" / path.name, np.zeros(SHAPE))
    blind = evaluate(tmp_path / "blind", truth, workers=1, draws=50)
    assert _row(blind, "a", "liver").outcome == "missed"


def test_another_grid_fails_the_case_unless_it_may_be_resampled(folders):
    truth, own = folders
    moved = np.zeros(SHAPE, np.uint8)
    moved[:, :, :-1] = _liver((9, 8, 6, 6))[:, :, 1:]
    _save(own / "a.nii.gz", moved, origin=(0, 0, 2))
    found = evaluate(own, truth, workers=1, draws=50)
    (sentence,) = found.failures
    assert str(own / "a.nii.gz") in sentence
    assert "origin" in sentence
    assert "--resample" in sentence
    assert {row.case for row in found.scores} == {"b", "c", "d"}
    brought = evaluate(own, truth, workers=1, draws=50, resample=True)
    assert brought.failures == ()
    assert _row(brought, "a").dice == pytest.approx(5 / 6)
    _save(own / "a.nii.gz", _liver((9, 8, 6, 6)), origin=(900, 0, 0))
    (sentence,) = evaluate(own, truth, workers=1, draws=50, resample=True).failures
    assert "No label of" in sentence


def test_one_broken_prediction_fails_alone(folders, tmp_path):
    truth, own = folders
    for path in own.iterdir():
        _save(tmp_path / "other" / path.name, _liver((8, 8, 6, 6)))
    (own / "a.nii.gz").write_bytes(b"no image")
    _save(own / "b.nii.gz", _liver() * 200)
    (own / "d.nii.gz").unlink()
    found = evaluate(own, truth, versus={"other": tmp_path / "other"}, workers=1, draws=50)
    assert len(found.failures) == 3
    for case in "abd":
        assert any(f"{case}.nii.gz" in sentence for sentence in found.failures)
    assert {row.case for row in found.scores if row.model == "net"} == {"c"}
    assert {row.case for row in found.scores if row.model == "other"} == set("abcd")
    assert any("different cases" in remark for remark in found.remarks)


def test_a_broken_truth_fails_its_case(folders):
    truth, own = folders
    (truth / "c.nii.gz").write_bytes(b"")
    found = evaluate(own, truth, workers=1, draws=50)
    (sentence,) = found.failures
    assert "c.nii.gz is empty" in sentence
    assert {row.case for row in found.scores} == {"a", "b", "d"}


def test_nothing_to_score_is_an_error(folders, tmp_path):
    truth, own = folders
    for path in own.iterdir():
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.nii\.gz is empty"):
        evaluate(own, truth, workers=1)
    _save(tmp_path / "bare" / "a.nii.gz", np.zeros(SHAPE))
    _save(tmp_path / "said" / "a.nii.gz", _liver())
    with pytest.raises(InputError, match="No organ has a voxel in any truth"):
        evaluate(tmp_path / "said", tmp_path / "bare", workers=1)
    healthy = evaluate(tmp_path / "said", tmp_path / "bare", organ="liver", workers=1)
    assert healthy.number("patient_specificity", "liver_tumor").mean == 1


def test_partial_sets_are_no_failure_if_asked_for(folders):
    truth, own = folders
    (own / "d.nii.gz").unlink()
    assert len(evaluate(own, truth, workers=1, draws=50).failures) == 1
    found = evaluate(own, truth, workers=1, draws=50, partial=True)
    assert found.failures == ()
    assert any("no prediction of this case (d)" in remark for remark in found.remarks)


@pytest.mark.parametrize(
    ("setting", "kind", "sentence"),
    [
        ({"nsd": "surfels"}, UnknownNameError, "did you mean 'surfel'"),
        ({"organ_mask": "hole"}, UnknownNameError, "did you mean 'whole'"),
        ({"empty": "zero"}, UnknownNameError, "defined, predecessors"),
        ({"matching": "greedy"}, UnknownNameError, "one-to-one"),
        ({"spread": "sem"}, UnknownNameError, "sd"),
        ({"convention": "kitss"}, UnknownNameError, "did you mean 'kits'"),
        ({"draws": 0}, InputError, "draws is 0"),
        ({"tolerance_mm": -1}, InputError, "tolerance_mm is -1"),
        ({"tolerance_mm": float("nan")}, InputError, "tolerance_mm is nan"),
        ({"min_voxels": 0}, InputError, "min_voxels is 0"),
        ({"overlap": 1}, InputError, "overlap is 1"),
        ({"versus": {"net": "elsewhere"}}, InputError, "Two models are called 'net'"),
        ({"versus": {"two": "elsewhere"}}, InputError, "elsewhere does not exist"),
        ({"organ": "aorta"}, InputError, "holds no tumours"),
    ],
)
def test_wrong_settings_are_sentences(folders, setting, kind, sentence):
    truth, own = folders
    with pytest.raises(kind, match=sentence):
        evaluate(own, truth, workers=1, **setting)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.slow
def test_the_same_bytes_for_any_number_of_workers(folders, tmp_path):
    truth, own = folders
    for path in own.iterdir():
        _save(tmp_path / "other" / path.name, _liver((8, 9, 6, 5)))
    for workers in (1, 2):
        evaluate(
            own,
            truth,
            versus={"other": tmp_path / "other"},
            out=tmp_path / f"out{workers}",
            workers=workers,
            draws=100,
        )
    one, two = (_files(tmp_path / f"out{workers}") for workers in (1, 2))
    assert sorted(one) == sorted(FILES)
    assert one == two


def test_tables_hold_every_row_and_column(folders, tmp_path):
    truth, own = folders
    found = evaluate(own, truth, out=tmp_path / "out", workers=1, draws=50)
    written = _files(tmp_path / "out")
    assert sorted(written) == sorted(set(FILES) - {"comparisons.csv"})
    record = json.loads(written["evaluation.json"])
    for name, kind in TABLES.items():
        rows = getattr(found, name)
        assert len(record[name]) == len(rows)
        if not rows:
            continue
        table = list(csv.DictReader(written[f"{name}.csv"].decode().splitlines()))
        assert list(table[0]) == [field.name for field in dataclasses.fields(kind)]
        assert len(table) == len(rows)
    scores = list(csv.DictReader(written["scores.csv"].decode().splitlines()))
    missed = next(row for row in scores if row["outcome"] == "missed")
    assert (missed["dice"], missed["hd95_mm"], missed["fold"]) == ("0", "inf", "")
    assert record["outcomes"]["net"]["liver_tumor"] == dict.fromkeys(
        ("found", "missed", "false_alarm", "both_empty"), 1
    )
    assert "/" not in json.dumps(record["settings"])  # no paths of this machine
    found.write(tmp_path / "again")
    assert _files(tmp_path / "again") == written


def test_results_are_not_replaced_unless_asked(folders, tmp_path):
    truth, own = folders
    found = evaluate(own, truth, workers=1, draws=50)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "table.md").write_text("mine")
    with pytest.raises(OutputError, match=r"already holds table\.md"):
        found.write(tmp_path / "out")
    with pytest.raises(OutputError, match=r"already holds table\.md"):
        evaluate(own, truth, out=tmp_path / "out", workers=1)
    assert (tmp_path / "out" / "table.md").read_text() == "mine"
    found.write(tmp_path / "out", overwrite=True)
    assert "net" in (tmp_path / "out" / "table.md").read_text()


def test_rows_hold_plain_numbers(folders, tmp_path):
    truth, own = folders
    found = evaluate(own, truth, versus={"b": [own / "a.nii.gz"]}, partial=True, workers=1)
    for name in TABLES:
        for row in getattr(found, name):
            for field in dataclasses.fields(row):
                value = getattr(row, field.name)
                assert type(value) in (str, int, float, bool, type(None)), (name, field.name)


def test_probabilities_rank_the_patients(folders, tmp_path):
    truth, own = folders
    for case, p in zip("abcd", (0.9, 0.6, 0.7, 0.1), strict=True):
        array = np.zeros(SHAPE, np.float32)
        array[10, 10, 10] = p
        path = tmp_path / "p" / "liver_tumor" / f"{case}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(array, np.diag([*SPACING, 1.0])), path)
    found = evaluate(own, truth, probabilities=tmp_path / "p", workers=1, draws=50)
    assert [row.score for row in found.patients] == pytest.approx([0.9, 0.6, 0.7, 0.1])
    assert found.number("patient_auc", "liver_tumor").mean == pytest.approx(3 / 4)
    nib.save(nib.Nifti1Image(array * 300, np.eye(4)), path)
    (sentence,) = evaluate(own, truth, probabilities=tmp_path / "p", workers=1).failures
    assert "probabilities are from 0 to 1" in sentence
    path.unlink()
    with pytest.raises(InputError, match="has no map of d"):
        evaluate(own, truth, probabilities={"net": tmp_path / "p"}, workers=1)
    with pytest.raises(InputError, match="holds no maps of tumour probabilities"):
        evaluate(own, truth, probabilities=own, workers=1)
    with pytest.raises(UnknownNameError, match="nett"):
        evaluate(own, truth, probabilities={"nett": own}, workers=1)


def test_a_model_that_fails_in_one_organ_has_no_rows_of_another(tmp_path, monkeypatch):
    from oncoforge.evaluation import cases

    both = _liver((8, 8, 6, 6))
    both[0:3, 0:5, 0:5] = 9  # the spleen
    for folder in ("truth", "bad", "good"):
        _save(tmp_path / folder / "a.nii.gz", both)
    real, seen = cases._lesion_rows, []

    def lesion_rows(region, pair, model, rules):
        seen.append((model, region.organ.name))
        if (model, region.organ.name) == ("bad", "spleen"):
            raise InputError("This organ is broken.")
        return real(region, pair, model, rules)

    monkeypatch.setattr(cases, "_lesion_rows", lesion_rows)
    found = evaluate(
        tmp_path / "bad",
        tmp_path / "truth",
        versus={"good": tmp_path / "good"},
        workers=1,
        draws=50,
    )
    assert seen[:2] == [("bad", "liver"), ("bad", "spleen")]
    assert {row.model for row in (*found.scores, *found.lesions)} == {"good"}
    assert len(found.failures) == 1
    assert "None of 1 case of bad could be scored." in found.remarks


def test_where_nothing_could_be_scored_that_is_said_first(folders, tmp_path):
    truth, own = folders
    for path in own.iterdir():
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"^None of 4 cases could be scored; the first: .*a\.nii"):
        evaluate(own, truth, workers=1)
    with pytest.raises(InputError, match=r"^(?!None of)"):
        evaluate(own / "a.nii.gz", truth / "a.nii.gz", workers=1)
    for path in truth.iterdir():
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"^None of 4 cases could be scored; the first: .*truth"):
        evaluate(own, truth, workers=1)


def test_a_file_gives_its_model_a_name_without_its_ending(folders):
    truth, own = folders
    found = evaluate(own / "a.nii.gz", truth / "a.nii.gz", workers=1, draws=50)
    assert found.models == ("a",)


@pytest.mark.parametrize("number", [float("inf"), float("nan"), -1.0])
def test_a_tolerance_that_is_no_length_is_refused_first(number):
    with pytest.raises(InputError, match=r"^tolerance_mm is .*; give a finite number from 0"):
        evaluate("nowhere", "nowhere", tolerance_mm=number)


def test_the_convention_of_the_predictions_must_hold_the_organ_too():
    with pytest.raises(InputError, match="of the predictions has no kidney; it holds liver"):
        evaluate("no", "no", convention="kits", pred_convention="lits", organ="kidney")
