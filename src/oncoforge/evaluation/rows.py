"""The tables of an evaluation: what one row of each of them says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ScoreRow:
    """How well one model's mask of one structure agrees with the truth in one case.

    Parameters
    ----------
    model, case, patient
        Whose mask it is, of which case, of whom.
    organ, structure
        The organ; and the structure, which is the organ itself or its tumours (``liver_tumor``).
    outcome
        One of `score.OUTCOMES`: found, missed, false_alarm or both_empty.
    dice, iou, nsd
        0 to 1; 0 if missed or a false alarm; None where both masks are empty.
    hd95_mm, assd_mm
        Distances of surfaces; infinite where one mask is empty, None where both are.
    volume_error_mm3, volume_error_percent
        Prediction less truth; None percent where the truth is empty.
    truth_mm3, predicted_mm3
        Volumes.
    fold
        Fold in which the case is validated, where the list of truths says so.
    """

    model: str
    case: str
    patient: str
    organ: str
    structure: str
    outcome: str
    dice: float | None
    iou: float | None
    nsd: float | None
    hd95_mm: float | None
    assd_mm: float | None
    volume_error_mm3: float
    volume_error_percent: float | None
    truth_mm3: float
    predicted_mm3: float
    fold: int | None = None


@dataclass(frozen=True)
class LesionScore:
    """One true lesion, found or not; or one predicted lesion that is none.

    Parameters
    ----------
    model, case, patient, organ
        Whose prediction it is, of which case, of whom, in which organ.
    status
        ``"found"``, ``"missed"`` or ``"false_positive"``.
    note
        ``"merged"``: missed, and more than half of it lies in a lesion that was matched to another
        one. ``"split"``: found, and further predicted lesions lie more than half in it.
        ``"fragment"``: a false positive that lies more than half in true lesions. Else empty.
    lesion
        Number of the true lesion in its case and organ, from 1, the largest first.
    predicted
        Number of the predicted lesion, likewise; None if missed.
    diameter_mm, size_bin
        Of the sphere of the same volume: of the true lesion, or of the false positive itself.
    truth_mm3, predicted_mm3
        Volumes of the true lesion and of the predicted one.
    covered
        Part of the true lesion that any prediction covers; of a false positive, the part of it
        that lies in any true lesion.
    iou, dice
        Of the pair; None unless found.
    x_mm, y_mm, z_mm
        Centroid in the patient, RAS+.
    fold
        As for `ScoreRow`.
    """

    model: str
    case: str
    patient: str
    organ: str
    status: str
    note: str
    lesion: int | None
    predicted: int | None
    diameter_mm: float
    size_bin: str
    truth_mm3: float | None
    predicted_mm3: float | None
    covered: float
    iou: float | None
    dice: float | None
    x_mm: float
    y_mm: float
    z_mm: float
    fold: int | None = None


@dataclass(frozen=True)
class PatientRow:
    """Whether a patient has tumours of an organ, and whether a model says so.

    Parameters
    ----------
    model, patient, organ
        Which.
    cases
        Number of the patient's scans.
    truth, predicted
        Whether any scan has a tumour, in truth and as predicted.
    score
        What patients are ranked by for the area under the curve: the largest predicted tumour
        volume of a scan (mm³), or the largest tumour probability.
    truth_mm3, predicted_mm3
        Largest tumour volume of a scan.
    """

    model: str
    patient: str
    organ: str
    cases: int
    truth: bool
    predicted: bool
    score: float
    truth_mm3: float
    predicted_mm3: float


@dataclass(frozen=True)
class SummaryRow:
    """One number about one model, with how sure it is.

    Parameters
    ----------
    model, structure, metric
        What was measured of what.
    group
        ``"all"``; a fold (``"fold 0"``); a size of lesions (``"<20 mm"``); or ``"healthy"``, scans
        without tumour in truth.
    unit
        What was counted: ``"cases"``, ``"lesions"``, ``"scans"`` or ``"patients"``.
    mean
        Mean, or part of the whole.
    sd, median
        Spread over the units (n - 1 in the denominator) and the middle one; None of parts.
    ci_low, ci_high
        Bootstrap confidence interval of the mean, patients resampled; None if it cannot be told.
    n
        How many units it is the mean of.
    """

    model: str
    structure: str
    metric: str
    group: str
    unit: str
    mean: float | None
    sd: float | None
    median: float | None
    ci_low: float | None
    ci_high: float | None
    n: int


@dataclass(frozen=True)
class ComparisonRow:
    """Two models on the same patients.

    Parameters
    ----------
    model, versus
        Which two.
    structure, metric, unit
        What was compared; one value per unit.
    n
        Units that both models have a value of.
    mean_model, mean_versus, difference
        Over these; `difference` is `model` less `versus`.
    ci_low, ci_high
        Bootstrap confidence interval of the difference.
    better, worse
        Units in which `model` is the better and the worse one.
    test, p
        ``"wilcoxon"`` (signed ranks) or ``"mcnemar"`` (exact); two-sided.
    p_holm
        The same after Holm's correction over all comparisons of the evaluation.
    p_permutation, p_permutation_holm
        Of the mean difference, by swapping the models within patients; None beside McNemar's.
    """

    model: str
    versus: str
    structure: str
    metric: str
    unit: str
    n: int
    mean_model: float | None
    mean_versus: float | None
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    better: int
    worse: int
    test: str
    p: float | None
    p_holm: float | None = None
    p_permutation: float | None = None
    p_permutation_holm: float | None = None
