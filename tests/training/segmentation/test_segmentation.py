"""A network in training: it learns, it is judged rightly, and it says what went wrong.

Run as a program, this file is one of several processes of a training; it prints what they measured.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch.utils.data import DataLoader

from oncoforge import checkpoints
from oncoforge.errors import InputError
from oncoforge.formats import Volume
from oncoforge.grid import Grid
from oncoforge.networks import Pipeline
from oncoforge.prediction import predict
from oncoforge.source import Source
from oncoforge.training import SegmentationModule
from oncoforge.training.settings import (
    NetworkSettings,
    OptimizerSettings,
    ScheduleSettings,
    ValidationSettings,
)

pytestmark = [
    # Lightning 2.6 with PyTorch 2.13; the run silences it for users.
    pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)`:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
]

CLASSES = ("background", "liver", "liver_tumor")
MM = (2.0, 2.0, 2.5)
TINY = NetworkSettings("unet", {"channels": (4, 8), "strides": (2,)})
DROPOUT = NetworkSettings(
    "segresnet",
    {"init_filters": 8, "blocks_down": (1, 1), "blocks_up": (1,), "dropout": 0.3},
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def _pipeline(**changes):
    plan = {"classes": CLASSES, "spacing_mm": MM, "patch": (16, 16, 16), "overlap": 0.25}
    return Pipeline(**{**plan, **changes})


def _module(network=TINY, pipeline=None, lr=1e-2, **changes):
    return SegmentationModule(
        pipeline or _pipeline(), network, optimizer=OptimizerSettings(lr=lr), **changes
    )


def _trainer(epochs=2, **changes):
    quiet = {
        "logger": False, "enable_checkpointing": False, "enable_progress_bar": False,
        "enable_model_summary": False, "num_sanity_val_steps": 0,
    }  # fmt: skip
    plan = {"accelerator": "cpu", "devices": 1, "check_val_every_n_epoch": epochs}
    return Trainer(max_epochs=epochs, **{**quiet, **plan, **changes})


def _case(seed, shape=(24, 22, 20), tumor=True):
    """A bright box with a darker one in it, some noise."""
    rng = np.random.default_rng(seed)
    label = np.zeros(shape, np.uint8)
    label[3:-3, 3:-3, 3:-3] = 1
    if tumor:
        x, y, z = (int(rng.integers(4, n - 9)) for n in shape)
        label[x : x + 6, y : y + 6, z : z + 6] = 2
    image = np.array([0.1, 0.9, 0.5])[label] + rng.normal(0, 0.03, shape)
    return torch.from_numpy(image.astype(np.float32)[None]), torch.from_numpy(label)


def _batch(number, size=16):
    """Two patches with a tumour."""
    pairs = [_case(2 * number + n, (size,) * 3) for n in range(2)]
    return {
        "image": torch.stack([image for image, _ in pairs]),
        "label": torch.stack([label[None] for _, label in pairs]),
        "case": [f"case{2 * number}", f"case{2 * number + 1}"],
        "kind": ["real", "synthetic"],
    }


class Boxes(LightningDataModule):
    """The interface of the real data module, in memory."""

    def __init__(self, batches=8, cases=3, damage=None):
        super().__init__()
        self.batches, self.cases, self.damage = batches, cases, damage or {}

    def _ranks(self):
        return self.trainer.global_rank, self.trainer.world_size

    def train_dataloader(self):
        rank, of = self._ranks()
        made = [_batch(n) for n in range(rank, self.batches, of)]
        for number, value in self.damage.items():
            made[number]["image"][1, 0, 5, 5, 5] = value
        return DataLoader(made, batch_size=None)

    def val_dataloader(self):
        rank, of = self._ranks()
        mine = []
        for n in range(rank, self.cases, of):
            image, label = _case(100 + n, tumor=n != 1)
            mine.append({"image": image, "label": label, "case": f"v{n}", "index": n,
                         "spacing_mm": MM})  # fmt: skip
        padding = [None] * (-(-self.cases // of) - len(mine))
        return DataLoader(mine + padding, batch_size=None)


class Watch(Callback):
    """Keeps what happened at each step."""

    def __init__(self):
        self.losses, self.rates = [], []

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.losses.append(float(outputs["loss"]))

    def on_before_optimizer_step(self, trainer, module, optimizer):
        self.rates.append(optimizer.param_groups[0]["lr"])


def _predicted(module, n):
    """What `oncoforge predict` sees in a case of the validation."""
    image, label = _case(100 + n, tumor=n != 1)
    volume = Volume(image[0].numpy(), Source(Grid(image.shape[1:], np.diag([*MM, 1.0]))))
    return predict(volume, module.network, gate="none").labels, label.numpy()


def test_it_learns_and_its_validation_is_that_of_predict_and_evaluate(tmp_path):
    # The values of these cases are their own HU, so that a scan can be made of them.
    pipeline = _pipeline(window_hu=(-1.0, 2.0), values=(-1.0, 2.0))
    module, watch = _module(pipeline=pipeline), Watch()
    trainer = _trainer(12, callbacks=[watch])
    trainer.fit(module, datamodule=Boxes())
    assert np.mean(watch.losses[-8:]) < 0.3 * np.mean(watch.losses[:8])
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    assert logged["val/dice_liver"] > 0.5
    assert logged["val/tumor_dice"] == logged["val/dice_liver_tumor"]
    assert logged["train/loss"] == pytest.approx(np.mean(watch.losses[-8:]), rel=1e-5)

    from oncoforge.evaluation import score

    assert [row.case for row in module.validation_rows] == ["v0", "v0", "v1", "v1", "v2", "v2"]
    dice = {name: [] for name in CLASSES[1:]}
    for place, row in enumerate(module.validation_rows):
        found, truth = _predicted(module, place // 2)
        channel = CLASSES.index(row.class_name)
        expected = score(found == channel, truth == channel, MM)
        assert (row.outcome, row.dice, row.nsd) == (expected.outcome, expected.dice, expected.nsd)
        dice[row.class_name].append(row.dice)
    for name, values in dice.items():
        assert logged[f"val/dice_{name}"] == pytest.approx(np.nanmean(values))
    loaded = checkpoints.load(checkpoints.save(module.network, tmp_path / "model"))
    assert loaded.config.having(origin=None) == module.network.config


def test_some_cases_are_kept_for_pictures():
    module = _module(validation=ValidationSettings(pictures=1))
    _trainer(1).fit(module, datamodule=Boxes(1))
    ((case, image, truth, prediction),) = module.shown
    expected, label = _case(100)
    assert case == "v0"
    np.testing.assert_array_equal(image, expected[0].numpy())
    np.testing.assert_array_equal(truth, label.numpy())
    assert prediction.shape == truth.shape
    module.on_train_epoch_start()  # nothing is held while training goes on
    assert module.shown == []


def test_the_rate_changes_at_every_step_and_is_never_zero():
    watch = Watch()
    module = _module(lr=0.01, schedule=ScheduleSettings("cosine", 1.0))
    _trainer(4, callbacks=[watch], limit_val_batches=0).fit(module, datamodule=Boxes(3))
    assert watch.rates[:3] == pytest.approx([0.01 / 3, 0.02 / 3, 0.01])
    expected = [0.005 * (1 + np.cos(np.pi * n / 9)) for n in range(9)]
    assert watch.rates[3:] == pytest.approx(expected)
    assert module.remarks == ()


def test_a_warm_up_that_does_not_fit_is_told_and_steps_are_counted_after_accumulation():
    watch = Watch()
    module = _module(lr=0.01, schedule=ScheduleSettings("constant", 100.0))
    trainer = _trainer(2, callbacks=[watch], accumulate_grad_batches=3, limit_val_batches=0)
    trainer.fit(module, datamodule=Boxes(5))
    assert watch.rates == pytest.approx([0.005, 0.01, 0.01, 0.01])
    assert module.remarks == (
        "The warm-up of 100 epochs is shortened to 1: half of this training of 2.",
    )


def test_a_training_without_end_is_refused():
    with pytest.raises(InputError, match=r"no end; set trainer\.max_epochs"):
        _trainer(-1, check_val_every_n_epoch=1).fit(_module(), datamodule=Boxes(1))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_depths_are_supervised_where_the_network_has_them(precision):
    options = {"spacing_mm": (1.0, 1.0, 1.0), "patch": (16, 16, 16), "deep_supervision": True}
    module = _module(NetworkSettings("nnunet", options))
    batch = _batch(0)
    logits = module.train()(batch["image"])
    assert logits.shape == (2, 2, 3, 16, 16, 16)
    expected = 2 / 3 * module.loss(logits[:, 0], batch["label"])
    expected += 1 / 3 * module.loss(logits[:, 1], batch["label"])
    torch.testing.assert_close(module.training_step(batch, 0), expected)
    watch = Watch()
    trainer = _trainer(1, callbacks=[watch], precision=precision, limit_val_batches=1)
    trainer.fit(module, datamodule=Boxes(2))
    assert len(module.validation_rows) == 2
    assert all(np.isfinite(watch.losses))
    heads = [p.grad for n, p in module.named_parameters() if "deep_supervision_heads" in n]
    assert heads
    assert all(grad is None or grad.abs().max() > 0 for grad in heads)


@pytest.mark.parametrize(
    ("precision", "kind"), [("bf16-mixed", torch.float32), ("bf16-true", torch.bfloat16)]
)
def test_sixteen_bits_learn_too(precision, kind):
    module, watch = _module(), Watch()
    trainer = _trainer(6, callbacks=[watch], precision=precision)
    trainer.fit(module, datamodule=Boxes(4))
    assert np.mean(watch.losses[-4:]) < 0.7 * np.mean(watch.losses[:4])
    assert {p.dtype for p in module.parameters()} == {kind}
    assert len(module.validation_rows) == 6


class Half:
    """What a module asks a trainer with fp16, which needs a GPU."""

    precision, current_epoch, global_step, strategy = "16-mixed", 2, 7, None

    def __init__(self):
        self.strategy = self

    def reduce_boolean_decision(self, decision):
        return decision


def test_with_fp16_a_gradient_may_be_too_large_and_a_loss_may_not():
    module = _module()
    module.training_step(_batch(0), 0).backward()
    next(module.parameters()).grad[0] = torch.inf
    module._trainer = Half()
    module.on_before_optimizer_step(None)  # the scaler leaves this step out
    with pytest.raises(InputError, match=r"epoch 3, at step 8, .*case0 real.*bf16-mixed"):
        module.training_step({**_batch(0), "image": torch.full((2, 1, 16, 16, 16), torch.inf)}, 0)
    # Where the first step was left out, the rate goes on without a warning.
    optimizer = torch.optim.SGD(module.parameters(), 1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 1))
    module.lr_scheduler_step(scheduler, None)
    assert optimizer.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_names_its_cases(value):
    module = _module()
    before = copy.deepcopy(module.network.state_dict())
    with pytest.raises(InputError) as caught:
        _trainer().fit(module, datamodule=Boxes(damage={0: value}))
    text = str(caught.value)
    assert "The loss is not a finite number in epoch 1, at step 1, with these cases: " in text
    assert "case0 real, case1 synthetic." in text
    assert "case2" not in text
    assert "--model.optimizer.lr" in text
    after = module.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_all_cases_of_a_step_are_named():
    with pytest.raises(InputError, match="at step 2, with these cases: case6 real, case7 synth"):
        _trainer(accumulate_grad_batches=3).fit(_module(), datamodule=Boxes(damage={3: np.nan}))
    with pytest.raises(InputError, match=r"at step 1, with these cases: case0 .*, case3 synth"):
        _trainer(accumulate_grad_batches=3).fit(_module(), datamodule=Boxes(damage={1: np.nan}))


def test_a_gradient_that_is_no_number_names_its_cases_before_weights_are_lost():
    class Spoil(Callback):
        def on_after_backward(self, trainer, module):
            if trainer.global_step == 2:
                next(module.parameters()).grad[0] = torch.nan

    module = _module()
    words = "The gradient is not a finite number in epoch 1, at step 3, with these cases: case4 "
    with pytest.raises(InputError, match=words):
        _trainer(callbacks=[Spoil()], gradient_clip_val=1.0).fit(module, datamodule=Boxes())
    assert all(p.isfinite().all() for p in module.parameters())


class Draw(Callback):
    """Keeps what dropout would draw next at each step."""

    def __init__(self):
        self.drawn = []

    def on_before_zero_grad(self, trainer, module, optimizer):
        with torch.random.fork_rng():
            self.drawn.append(float(torch.rand(1)))


def test_what_is_random_in_a_step_depends_on_seed_epoch_and_step_alone():
    runs = []
    for seed, noise, batches in ((4, 0, 2), (4, 1, 2), (4, 0, 3), (5, 0, 2)):
        torch.manual_seed(noise)
        draw = Draw()
        module = _module(DROPOUT, seed=seed)
        _trainer(2, callbacks=[draw], limit_val_batches=0).fit(module, datamodule=Boxes(batches))
        runs.append((draw.drawn, module.state_dict()))
    (drawn, state), (again, same), (longer, _), (other, _) = runs
    assert drawn == again
    assert all(torch.equal(state[name], same[name]) for name in state)
    assert longer[:2] + longer[3:5] == drawn
    assert len({*drawn, *other}) == 2 * len(drawn)


def test_a_resumed_training_ends_with_the_same_weights(tmp_path):
    whole, first, second = (_module(DROPOUT) for _ in range(3))
    _trainer(4).fit(whole, datamodule=Boxes(2))
    trainer = _trainer(4, callbacks=[_StopAfter(2)])
    trainer.fit(first, datamodule=Boxes(2))
    trainer.save_checkpoint(tmp_path / "resume.ckpt")
    torch.manual_seed(99)
    resume = {"ckpt_path": tmp_path / "resume.ckpt", "weights_only": True}
    _trainer(4).fit(second, datamodule=Boxes(2), **resume)
    expected, found = whole.state_dict(), second.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert not all(torch.equal(expected[n], first.state_dict()[n]) for n in expected)


class _StopAfter(Callback):
    def __init__(self, epochs):
        self.epochs = epochs

    def on_train_epoch_end(self, trainer, module):
        trainer.should_stop = trainer.current_epoch + 1 >= self.epochs


def test_a_checkpoint_of_another_network_is_refused():
    saved: dict = {}
    module = _module()
    note = module.network.config.having(origin=checkpoints.loading.Origin(notes=("Told.",)))
    module.network.config = note
    module.on_save_checkpoint(saved)
    same = _module()
    same.on_load_checkpoint(saved)
    assert same.network.config == note
    other = _module(pipeline=_pipeline(classes=("background", "kidney", "kidney_tumor")))
    with pytest.raises(InputError, match=r"trains unet .* liver_tumor, and .* kidney_tumor"):
        other.on_load_checkpoint(saved)


def test_averaged_weights_are_validated_and_training_goes_on_with_its_own():
    seen = {}

    class See(Callback):
        def on_validation_batch_start(self, trainer, module, batch, batch_idx):
            seen["validated"] = copy.deepcopy(module.network.state_dict())

        def on_before_optimizer_step(self, trainer, module, optimizer):
            seen.setdefault("steps", []).append(copy.deepcopy(module.network.state_dict()))

    module = _module(ema_decay=0.5)
    average = EMAWeightAveraging(decay=module.ema_decay, use_buffers=False)
    _trainer(1, callbacks=[average, See()]).fit(module, datamodule=Boxes(3))
    _, one, two = seen["steps"]
    name = "model.0.conv.unit0.conv.weight"
    # After three steps: a quarter of the first, a quarter of the second, half of the third.
    third = (seen["validated"][name] - 0.25 * one[name] - 0.25 * two[name]) / 0.5
    assert not torch.equal(third, two[name])
    torch.testing.assert_close(third, two[name], atol=0.05, rtol=0)


def test_the_layout_changes_neither_names_nor_numbers():
    plain, other = _module(), _module(channels_last=True)
    assert list(plain.state_dict()) == list(other.state_dict())
    one, two = (module.training_step(_batch(0), 0) for module in (plain, other))
    torch.testing.assert_close(one, two)


@pytest.mark.slow  # PyTorch's compiler takes long to import
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")
def test_compilation_changes_no_names_and_a_copy_can_be_made():
    plain, other = _module(), _module(compile=True)
    assert list(plain.state_dict()) == list(other.state_dict())
    with torch.compiler.set_stance("force_eager"):
        one, two = (module.training_step(_batch(0), 0) for module in (plain, other))
    torch.testing.assert_close(one, two)
    assert copy.deepcopy(other).state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize(
    ("settings", "kind", "told"),
    [
        (OptimizerSettings(), torch.optim.AdamW, {"lr": 4e-4, "weight_decay": 1e-5}),
        (OptimizerSettings("adam", amsgrad=True), torch.optim.Adam, {"amsgrad": True}),
        (OptimizerSettings("sgd", 0.01), torch.optim.SGD, {"momentum": 0.99, "nesterov": True}),
        (OptimizerSettings("sgd", momentum=0.0), torch.optim.SGD, {"nesterov": False}),
    ],
)
def test_the_optimizer_is_the_one_of_the_settings(settings, kind, told):
    module = SegmentationModule(_pipeline(), TINY, optimizer=settings)
    trainer = _trainer(1, limit_val_batches=0)
    trainer.fit(module, datamodule=Boxes(1))
    (optimizer,) = trainer.optimizers
    assert type(optimizer) is kind
    group = {**optimizer.param_groups[0], "lr": optimizer.param_groups[0]["initial_lr"]}
    assert {name: group[name] for name in told} == told
    assert sum(p.numel() for p in group["params"]) == sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"optimizer": OptimizerSettings(lr=0.0)}, "optimizer.lr"),
        ({"optimizer": OptimizerSettings(lr=float("nan"))}, "optimizer.lr"),
        ({"optimizer": OptimizerSettings(weight_decay=-1.0)}, "weight_decay"),
        ({"optimizer": OptimizerSettings("sgd", momentum=1.0)}, "momentum"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"ema_decay": 0.0}, "ema_decay"),
        ({"validation": ValidationSettings(overlap=1.0)}, "validation.overlap"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, word):
    with pytest.raises(InputError, match=word):
        SegmentationModule(_pipeline(), TINY, **changes)


def test_a_part_works_without_a_trainer():
    module = _module()
    assert module.training_step(_batch(0), 0).isfinite()
    image, label = _case(1)
    module.validation_step({"image": image, "label": label, "case": "a", "spacing_mm": MM}, 0)
    module.validation_step(None, 1)
    module.on_validation_epoch_end()
    assert [row.case for row in module.validation_rows] == ["a", "a"]
    assert module.network.training
    with pytest.raises(InputError, match="case0 real"):
        module.training_step({**_batch(0), "image": torch.full((2, 1, 16, 16, 16), torch.nan)}, 0)


@pytest.mark.slow
def test_two_processes_validate_as_one_does_and_both_stop_at_what_one_of_them_met():
    command = [sys.executable, "-W", "ignore::FutureWarning", __file__]
    ended = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert "Warning" not in ended.stderr
    lines = ended.stdout.splitlines()
    told = [line for line in lines if line.startswith("{")]
    assert told == [_validated(1)[0]] * 2
    measured = json.loads(told[0])
    assert len(measured["rows"]) == 2 * 5
    assert len(measured["logged"]) == 6
    # The first to end may end the other.
    (sentence,) = {line for line in lines if line.startswith("The loss")}
    assert "with these cases: case0 real, case1 synthetic, case2 real, case3 synth" in sentence
    assert ended.returncode != 0


def _validated(processes):
    """Validate in so many processes; return what this one measured, and what it did it with."""
    module, data = _module(), Boxes(2, cases=5, damage={0: np.nan})
    ways = {"devices": processes, "strategy": "ddp" if processes > 1 else "auto"}
    trainer = _trainer(1, **ways, use_distributed_sampler=False)
    trainer.validate(module, datamodule=data, verbose=False)
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    rows = [asdict(row) for row in module.validation_rows]
    return json.dumps({"rows": rows, "logged": logged}), trainer, module, data


def _one_of_two() -> None:
    torch.set_num_threads(1)
    told, trainer, module, data = _validated(2)
    # In one write, as both write to one pipe.
    print(f"{told}\n", end="", flush=True)
    # One of the two has a case that makes the loss NaN; none of them waits for the other.
    data.damage = {} if trainer.global_rank == 0 else data.damage
    try:
        trainer.fit(module, datamodule=data)
    except InputError as error:
        print(f"{error}\n", end="", flush=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    _one_of_two()
