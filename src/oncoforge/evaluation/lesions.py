"""Which predicted lesion is which true one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.errors import InputError, UnknownNameError

RULES: Final = ("one-to-one", "predecessors")
"""How lesions are matched: see `match`."""

OVERLAP: Final = 0.1
"""Of more than this part, by IoU or of the true lesion, a lesion is found."""

BIN_EDGES_MM: Final = (5.0, 10.0, 20.0, 50.0)
BINS: Final = ("<5 mm", "5-10 mm", "10-20 mm", "20-50 mm", ">=50 mm")
"""Sizes of lesions by equivalent diameter; a lower edge belongs to its bin."""

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def size_bin(diameter_mm: float) -> str:
    """Return the name of a diameter's bin."""
    return BINS[int(np.searchsorted(BIN_EDGES_MM, diameter_mm, side="right"))]


@dataclass(frozen=True)
class Lesions:
    """The lesions of one mask, the largest first.

    Parameters
    ----------
    voxels
        (n,) their sizes.
    centres_vox
        (n, 3) their centroids, voxels.
    """

    voxels: Ints
    centres_vox: Floats

    def __len__(self) -> int:
        return len(self.voxels)


@dataclass(frozen=True)
class Matching:
    """Which lesions of a prediction are which of the truth.

    Parameters
    ----------
    truth, predicted
        The lesions of each.
    partner
        (truth,) index of the predicted lesion that a true one is matched to, -1 for none.
    found
        (truth,) whether it counts as found.
    false
        (predicted,) whether it counts as a false positive.
    shared
        (truth, predicted) voxels that they share.
    covered
        (truth,) part of each that the whole prediction covers.
    inside
        (predicted,) part of each that lies in the whole truth.
    merged
        (truth,) missed, and more than half of it in a lesion that was matched to another one.
    fragment
        (predicted,) false, and more than half of it inside true lesions.
    split
        (truth,) found, with fragments in it.
    """

    truth: Lesions
    predicted: Lesions
    partner: Ints
    found: Mask
    false: Mask
    shared: Ints
    covered: Floats
    inside: Floats
    merged: Mask
    fragment: Mask
    split: Mask

    def iou(self, lesion: int) -> float:
        """Return the intersection over union of a true lesion and its partner."""
        both, together = self._sizes(lesion)
        return both / (together - both)

    def dice(self, lesion: int) -> float:
        """Return the Dice coefficient of a true lesion and its partner."""
        both, together = self._sizes(lesion)
        return 2.0 * both / together

    def _sizes(self, lesion: int) -> tuple[int, int]:
        other = self.partner[lesion]
        both = int(self.shared[lesion, other])
        return both, int(self.truth.voxels[lesion] + self.predicted.voxels[other])


def match(
    truth: Mask,
    prediction: Mask,
    *,
    rule: str = "one-to-one",
    overlap: float = OVERLAP,
    min_voxels: int = 1,
) -> Matching:
    """Match the lesions of two masks: components of 26 neighbours.

    Parameters
    ----------
    truth, prediction
        bool (X, Y, Z).
    rule
        ``"one-to-one"``: pairs are chosen so that the sum of their IoU is largest, among those of
        more than `overlap` IoU (as panoptica does: Kofler et al., arXiv 2312.02608). Every lesion
        is in one pair at most: of two true lesions under one predicted blob one is missed, and
        of two predicted parts of one lesion one is a false positive. ``"predecessors"``: as
        MedCraft counts; a true lesion is found if more than `overlap` of it is predicted, a
        predicted one is false unless more than `overlap` of it lies in the truth.
    overlap
        0 to below 1.
    min_voxels
        Smaller components are specks: not looked for, and no false positives. A prediction that
        matches a true speck (by IoU) is none either.

    Raises
    ------
    InputError
        If the shapes differ, or a setting is out of range.
    UnknownNameError
        If there is no such rule.
    """
    if rule not in RULES:
        raise UnknownNameError("rule of matching", rule, RULES)
    if truth.shape != prediction.shape:
        raise InputError(
            f"The truth has shape {truth.shape} and the prediction {prediction.shape}; lesions "
            "are matched on one grid."
        )
    if not 0 <= overlap < 1:
        raise InputError(f"overlap is {overlap}; give a part from 0 to below 1.")
    if min_voxels < 1:
        raise InputError(f"min_voxels is {min_voxels}; give a number from 1.")
    true_parts, all_true = _components(truth)
    own_parts, all_own = _components(prediction)
    n_true = int(np.count_nonzero(all_true.voxels >= min_voxels))
    n_own = int(np.count_nonzero(all_own.voxels >= min_voxels))
    # The largest come first, so that specks are at the end.
    own_parts[own_parts > n_own] = 0
    own = _first(all_own, n_own)
    covered = _counts(true_parts[prediction], len(all_true))[:n_true] / all_true.voxels[:n_true]
    inside = _counts(own_parts[truth], n_own) / own.voxels
    shared = _shared(true_parts, own_parts, len(all_true), n_own)
    iou = np.asarray(shared / (all_true.voxels[:, None] + own.voxels - shared), np.float64)
    kept = shared[:n_true, :n_own]
    if rule == "one-to-one":
        partner = _assign(iou[:n_true], overlap)
        false = np.ones(n_own, bool)
        false[partner[partner >= 0]] = False
        false &= ~(iou[n_true:] > overlap).any(axis=0)
        found = partner >= 0
    else:
        found = covered > overlap
        partner = np.where(found & kept.any(axis=1), _largest(kept), -1)
        false = ~(inside > overlap)
    fragment = false & (inside > 0.5)
    home = _largest(kept.T)  # the true lesion that most of each predicted one lies in
    split = found & np.isin(np.arange(n_true), home[fragment & kept.any(axis=0)])
    taken = np.isin(np.arange(n_own), partner[partner >= 0])
    by_others = kept[:, taken].sum(axis=1) / all_true.voxels[:n_true]
    return Matching(
        _first(all_true, n_true),
        own,
        partner,
        found,
        false,
        kept,
        covered,
        inside,
        merged=~found & (by_others > 0.5),
        fragment=fragment,
        split=split,
    )


def _components(mask: Mask) -> tuple[NDArray[np.integer], Lesions]:
    """Give the components of a mask numbers from 1, the largest first."""
    import cc3d  # slow to import

    parts = cc3d.connected_components(np.ascontiguousarray(mask), connectivity=26)
    stats = cc3d.statistics(parts)
    voxels = np.asarray(stats["voxel_counts"][1:], np.int64)
    order = np.argsort(-voxels, kind="stable")
    numbers = np.zeros(len(voxels) + 1, parts.dtype)
    numbers[order + 1] = np.arange(1, len(voxels) + 1)
    centres = np.asarray(stats["centroids"][1:], np.float64).reshape(-1, mask.ndim)
    return np.asarray(numbers[parts]), Lesions(voxels[order], centres[order])


def _counts(numbers: NDArray[np.integer], most: int) -> Ints:
    """Count how often each of the numbers from 1 to `most` is there."""
    return np.bincount(numbers, minlength=most + 1)[1:].astype(np.int64)


def _shared(true: NDArray[np.integer], own: NDArray[np.integer], rows: int, columns: int) -> Ints:
    """Count the voxels that each pair of components shares: (true, predicted)."""
    both = (true > 0) & (own > 0)
    codes = (true[both].astype(np.int64) - 1) * columns + (own[both].astype(np.int64) - 1)
    return np.bincount(codes, minlength=rows * columns).reshape(rows, columns).astype(np.int64)


def _assign(iou: Floats, overlap: float) -> Ints:
    """Choose the pairs of more than `overlap` whose sum is largest."""
    gain = np.where(iou > overlap, iou, 0.0)
    rows, columns = scipy.optimize.linear_sum_assignment(gain, maximize=True)
    partner = np.full(len(iou), -1, np.int64)
    real = gain[rows, columns] > 0
    partner[rows[real]] = columns[real]
    return partner


def _largest(shared: Ints) -> Ints:
    """Return where each row is largest; 0 where there are no columns."""
    if not shared.shape[1]:
        return np.zeros(len(shared), np.int64)
    return np.asarray(shared.argmax(axis=1), np.int64)


def _first(lesions: Lesions, number: int) -> Lesions:
    return Lesions(lesions.voxels[:number], lesions.centres_vox[:number])
