"""The best and the last weights: which ones, of which kind, and after a resume."""

from __future__ import annotations

from math import nan

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import EMAWeightAveraging

from oncoforge.checkpoints import load
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.training.callbacks import Weights
from oncoforge.training.files import BEST, LAST


class _Trained(Callback):
    """Remembers the weights that are trained, at the end of every epoch."""

    def __init__(self):
        self.states = []

    def on_train_epoch_end(self, trainer, module):
        self.states.append({k: v.clone() for k, v in module.network.state_dict().items()})


def _same(state, other) -> bool:
    assert state.keys() == other.keys()
    return all(torch.equal(state[name], other[name]) for name in state)


def _read(path):
    return load(path).state_dict()


@pytest.mark.parametrize(
    ("scores", "best"),
    [((0.2, 0.5, 0.4), 2), ((0.5, 0.5, 0.2), 1), ((nan, 0.1, nan), 2), ((0.0, 0.0, 0.0), 1)],
    ids=["the highest", "of equal ones the first", "never one that is no number", "zero counts"],
)
def test_the_best_weights_are_those_of_the_highest_score(tiny, train, folder, scores, best):
    module, trained, weights = tiny(scores), _Trained(), Weights(folder)
    train(module, [trained, weights], 3)
    assert _same(_read(folder / BEST), trained.states[best - 1])
    assert _same(_read(folder / LAST), trained.states[-1])
    assert (weights.best.epoch, weights.best.step) == (best, 3 * best)
    assert weights.best.score == weights.best.metrics["tumor_dice"] == scores[best - 1]


def test_without_any_score_there_are_no_best_weights(tiny, train, folder):
    weights = Weights(folder)
    train(tiny([nan]), [weights])
    assert weights.best is None
    assert [path.name for path in folder.iterdir()] == [LAST]


def test_another_score_can_choose(tiny, train, folder):
    weights = Weights(folder, "nsd_liver_tumor")
    train(tiny([0.8, 0.6]), [weights], 2)
    assert (weights.best.epoch, weights.best.score) == (1, 0.4)


def test_a_score_that_nothing_has_is_refused_before_training(tiny, train, folder):
    module = tiny([0.5])
    with pytest.raises(UnknownNameError, match="did you mean 'dice_liver_tumor'"):
        train(module, [Weights(folder, "dice_liver_tumour")])
    assert module.losses == []


def test_the_trial_before_training_is_no_validation(tiny, train, folder):
    weights = Weights(folder)
    train(tiny([0.7]), [weights], num_sanity_val_steps=1, limit_train_batches=1)
    assert weights.best.step == 1


@pytest.mark.parametrize("first", [True, False], ids=["averages first", "weights first"])
def test_averaged_weights_are_validated_and_written(tiny, train, folder, first):
    module, trained = tiny([0.1, 0.2]), _Trained()
    both = [EMAWeightAveraging(decay=0.9), Weights(folder)]
    train(module, [*(both if first else both[::-1]), trained], 2)
    assert _same(_read(folder / BEST), module.validated[-1])
    # No step came after the last validation.
    assert _same(_read(folder / LAST), module.validated[-1])
    assert not _same(_read(folder / LAST), trained.states[-1])


def test_writing_leaves_the_trained_weights_as_they_were(tiny, train, tmp_path):
    states = []
    for number, more in enumerate(([], [Weights(tmp_path)])):
        trained = _Trained()
        train(tiny([0.1, 0.2]), [EMAWeightAveraging(decay=0.9), *more, trained], 2)
        states.append(trained.states)
        assert len(states[number]) == 2
    assert all(_same(a, b) for a, b in zip(*states, strict=True))


def test_a_resumed_run_knows_the_best_of_the_first_one(tiny, train, resume, folder):
    train(tiny([0.6, 0.5, 0.55]), [Weights(folder), resume(folder)], 2, enable_checkpointing=True)
    best = (folder / BEST).read_bytes()
    again = Weights(folder)
    train(tiny([0.6, 0.5, 0.55]), [again], 3, ckpt=folder / "resume.ckpt")
    assert (again.best.epoch, again.best.score) == (1, 0.6)
    assert [row["dice"] for row in again.best.cases] == [0.9, 0.6, None]
    assert (folder / BEST).read_bytes() == best


def test_a_run_is_not_resumed_with_another_score(tiny, train, resume, folder):
    train(tiny([0.6]), [Weights(folder), resume(folder)], enable_checkpointing=True)
    with pytest.raises(InputError, match="by tumor_dice, and would go on by mean_dice"):
        train(tiny([0.6]), [Weights(folder, "mean_dice")], 2, ckpt=folder / "resume.ckpt")
