"""Losses: equal to their formulas, at every depth, for what a patch may lack."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.nn import functional

from oncoforge.errors import InputError
from oncoforge.training.segmentation.losses import SegmentationLoss, depth_weights
from oncoforge.training.settings import LossSettings


@pytest.fixture
def batch():
    """Logits of three classes and labels, in two patches."""
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 6, 5, 4, generator=rng)
    return logits, torch.randint(0, 3, (2, 1, 6, 5, 4), generator=rng, dtype=torch.uint8)


def _dice(logits, label, squared=True, background=True, nr=0.0, dr=1e-6):
    """The published loss by hand: a mean over patches and classes of 1 - 2 pt / (p² + t²)."""
    p = logits.softmax(1)
    t = functional.one_hot(label[:, 0].long(), p.shape[1]).movedim(-1, 1).float()
    if not background:
        p, t = p[:, 1:], t[:, 1:]
    axes = (2, 3, 4)
    sums = (p**2 + t**2 if squared else p + t).sum(axes)
    return (1 - (2 * (p * t).sum(axes) + nr) / (sums + dr)).mean()


def test_the_default_is_the_published_loss(batch):
    logits, label = batch
    expected = _dice(logits, label) + functional.cross_entropy(logits, label[:, 0].long())
    torch.testing.assert_close(SegmentationLoss(LossSettings())(logits, label), expected)


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("squared", [True, False])
def test_every_setting_of_dice_counts(batch, background, squared):
    settings = LossSettings(
        include_background=background, squared=squared, smooth_numerator=0.5,
        smooth_denominator=0.25, dice_weight=2.0, other_weight=0.0,
    )  # fmt: skip
    expected = 2 * _dice(*batch, squared, background, 0.5, 0.25)
    torch.testing.assert_close(SegmentationLoss(settings)(*batch), expected)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_focal_loss_is_of_every_class_on_its_own_as_monai_has_it(batch, gamma):
    logits, label = batch
    true = functional.one_hot(label[:, 0].long(), 3).movedim(-1, 1).bool()
    likely = torch.where(true, logits.sigmoid(), 1 - logits.sigmoid())
    focal = -((1 - likely) ** gamma * likely.log()).mean()  # over voxels and classes
    made = SegmentationLoss(LossSettings("dice_focal", other_weight=3.0, gamma=gamma))
    torch.testing.assert_close(made(logits, label), _dice(logits, label) + 3 * focal)


def test_depths_count_half_as_much_as_the_finer_ones():
    assert depth_weights(1) == (1.0,)
    four = depth_weights(4)
    assert sum(four) == pytest.approx(1)
    assert [a / b for a, b in pairwise(four)] == [2, 2, 2]


def test_the_loss_of_depths_is_the_weighted_mean_of_theirs(batch):
    logits, label = batch
    loss = SegmentationLoss(LossSettings())
    depths = torch.stack([logits, -logits, logits * 3], dim=1)
    each = [loss(depth, label) for depth in depths.unbind(1)]
    expected = (4 * each[0] + 2 * each[1] + each[2]) / 7
    torch.testing.assert_close(loss(depths, label), expected)
    torch.testing.assert_close(loss(depths[:, :1], label), each[0])


def test_a_class_that_no_patch_has_makes_a_finite_loss_and_gradient(batch):
    logits, label = batch
    logits.requires_grad_()
    loss = SegmentationLoss(LossSettings())(logits, label.clamp(max=1) * 0)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_the_loss_is_computed_in_float32(batch, kind):
    logits, label = batch
    loss = SegmentationLoss(LossSettings())
    made = loss(logits.to(kind), label)
    assert made.dtype == torch.float32
    torch.testing.assert_close(made, loss(logits.to(kind).float(), label), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"smooth_denominator": 0.0}, "smooth_denominator"),
        ({"smooth_numerator": -1.0}, "smooth_numerator"),
        ({"dice_weight": 0.0, "other_weight": 0.0}, "dice_weight"),
        ({"other_weight": -1.0}, "other_weight"),
        ({"gamma": -0.5}, "gamma"),
    ],
)
def test_numbers_that_make_no_loss_are_refused(change, word):
    with pytest.raises(InputError, match=word):
        SegmentationLoss(LossSettings(**change))
