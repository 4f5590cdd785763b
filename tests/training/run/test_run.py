"""A run leaves a folder that tells all, and the process as it was."""

from __future__ import annotations

import json
import logging
import random
import warnings
from pathlib import Path
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MONAI's and Lightning's own, on import
    pytest.importorskip("lightning.pytorch")

import numpy as np
import torch
from lightning.pytorch import Callback

from oncoforge import checkpoints
from oncoforge.errors import InputError, OutputError
from oncoforge.networks import Pipeline
from oncoforge.prediction.ensemble import Ensemble
from oncoforge.prediction.sliding import choose
from oncoforge.training.data.module import SegmentationData
from oncoforge.training.run import fit as running
from oncoforge.training.run.fit import fit
from oncoforge.training.run.folder import FILES
from oncoforge.training.segmentation.module import SegmentationModule
from oncoforge.training.settings import (
    LoggerSettings,
    NetworkSettings,
    RunSettings,
    ScheduleSettings,
    SourceSettings,
    ValidationSettings,
)

PIPELINE = Pipeline(
    ("background", "liver", "liver_tumor"), spacing_mm=None, patch=(24, 24, 24), overlap=0.0
)
TRAINER: dict[str, Any] = {"max_epochs": 2, "accelerator": "cpu", "enable_model_summary": False}
QUIET = RunSettings(loggers=[])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_case, write_list) -> Path:
    place = tmp_path_factory.mktemp("run")
    ill = [write_case(place, f"i{n}", shape=(28, 26, 24), tumor=True, seed=n) for n in range(3)]
    write_list(place / "list.json", training=ill[:2], validation=ill[2:])
    return place


@pytest.fixture
def parts(folder):
    """Build a module and its data."""
    torch.set_num_threads(1)

    def build(**changes: Any) -> tuple[SegmentationModule, SegmentationData]:
        options = {"channels": (4, 8), "strides": (2,), "num_res_units": 0}
        module = SegmentationModule(
            PIPELINE,
            NetworkSettings("unet", options),
            validation=ValidationSettings(pictures=0),
            **changes,
        )
        listed = SourceSettings([str(folder / "list.json")])
        cache = str(folder / "cache")
        return module, SegmentationData(PIPELINE, real=listed, workers=0, cache=cache)

    return build


@pytest.fixture(scope="module")
def done(folder, tmp_path_factory):
    """A run, what it said, and the random numbers before and after it."""
    out = tmp_path_factory.mktemp("done") / "run"
    options = {"channels": (4, 8), "strides": (2,), "num_res_units": 0}
    module = SegmentationModule(PIPELINE, NetworkSettings("unet", options), ema_decay=0.5)
    listed = SourceSettings([str(folder / "list.json")])
    data = SegmentationData(PIPELINE, real=listed, workers=0, cache=str(folder / "cache"))
    said: list[str] = []
    before = torch.get_rng_state(), random.getstate(), list(warnings.filters)
    found = fit(module, data, out, trainer=TRAINER, say=said.append)
    after = torch.get_rng_state(), random.getstate(), list(warnings.filters)
    return found, said, before, after


def test_a_run_leaves_all_its_files(done):
    found, *_ = done
    assert [name for name in FILES if not (found.out / name).is_file()] == []
    assert list((found.out / "tensorboard").glob("events.*"))
    assert not list(found.out.glob(".*"))
    record = json.loads(found.record.read_text("utf-8"))
    assert (record["epochs"], record["best_epoch"]) == (found.epochs, found.best_epoch)
    assert record["best_tumor_dice"] == found.best_tumor_dice
    assert (found.epochs, found.trained) == (2, 2)


def test_the_best_weights_predict_at_once(done):
    found, *_ = done
    network: Any = checkpoints.load(found.best)
    assert network.config.pipeline == PIPELINE
    image = np.full((26, 24, 30), 100, np.float32)
    segmented = Ensemble([network.eval()], choose("cpu", "auto", ()))(image, (1.0, 1.0, 1.0))
    assert segmented.labels.shape == image.shape


def test_a_line_is_said_for_every_epoch(done):
    _, said, *_ = done
    assert [line.split(":")[0] for line in said] == ["Epoch 1 of 2", "Epoch 2 of 2"]
    assert all("tumour Dice" in line and "loss" in line for line in said)


def test_the_caller_keeps_random_numbers_filters_and_log_levels(done):
    _, _, before, after = done
    assert torch.equal(before[0], after[0])
    assert before[1] == after[1]
    assert before[2] == after[2]
    assert logging.getLogger("lightning.pytorch").level != logging.ERROR


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before(parts, tmp_path):
    files = []
    for name in "ab":
        torch.rand(3)
        module, data = parts(seed=4)
        fit(module, data, tmp_path / name, trainer={**TRAINER, "max_epochs": 1}, settings=QUIET)
        files.append((tmp_path / name / "last.safetensors").read_bytes())
    assert files[0] == files[1]


def test_a_finished_run_is_left_alone_and_goes_on_if_it_is_to_be_longer(parts, tmp_path):
    out = tmp_path / "run"
    short = {**TRAINER, "max_epochs": 1}
    # Resuming where nothing is starts anew.
    assert fit(*parts(), out, trainer=short, settings=QUIET, resume=True).trained == 1
    before = (out / "last.safetensors").read_bytes()
    assert fit(*parts(), out, trainer=short, settings=QUIET, resume=True).trained == 0
    assert (out / "last.safetensors").read_bytes() == before
    found = fit(*parts(), out, trainer=TRAINER, settings=QUIET, resume=True)
    assert (found.epochs, found.trained) == (2, 1)
    assert (out / "last.safetensors").read_bytes() != before
    with pytest.raises(OutputError, match="--resume to go on"):
        fit(*parts(), out, trainer=TRAINER, settings=QUIET)


def test_it_stops_early_and_does_not_go_on_when_resumed(parts, tmp_path, monkeypatch):
    out = tmp_path / "run"
    worse = iter((0.5, 0.4, 0.3, 0.2))

    def means(*_: Any) -> dict[str, float]:
        score = next(worse)
        return {"tumor_dice": score, "mean_dice": score}

    monkeypatch.setattr("oncoforge.training.segmentation.validation.means", means)
    settings = RunSettings(early_stop=2, loggers=[])
    longer = {**TRAINER, "max_epochs": 9}
    found = fit(*parts(), out, trainer=longer, settings=settings)
    assert (found.epochs, found.best_epoch, found.best_tumor_dice) == (3, 1, 0.5)
    assert fit(*parts(), out, trainer=longer, settings=settings, resume=True).trained == 0
    patient = RunSettings(early_stop=3, loggers=[])
    found = fit(*parts(), out, trainer=longer, settings=patient, resume=True)
    assert (found.epochs, found.trained, found.best_epoch) == (4, 1, 1)


class _Interrupt(Callback):
    def on_train_batch_start(self, *_: Any) -> None:
        raise KeyboardInterrupt


def test_an_interrupt_is_an_interrupt(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "writers", lambda *_: [_Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        fit(*parts(), tmp_path / "run", trainer=TRAINER, settings=QUIET)


def test_other_loggers_write_where_the_run_is(parts, tmp_path):
    settings = RunSettings(loggers=[LoggerSettings("csv", {"flush_logs_every_n_steps": 1})])
    fit(*parts(), tmp_path / "run", trainer={**TRAINER, "max_epochs": 1}, settings=settings)
    assert "train/loss" in (tmp_path / "run" / "csv" / "metrics.csv").read_text("utf-8")


@pytest.mark.parametrize(
    ("logger", "sentence"),
    [
        (LoggerSettings("csv", {"nme": "x"}), "The logger csv cannot be used so"),
        (LoggerSettings("tensorboard", {"colour": 1}), "there is no option 'colour'"),
        (LoggerSettings("wandb"), "pip install wandb"),
        (LoggerSettings("mlflow"), "pip install mlflow"),
    ],
)
def test_a_logger_that_cannot_be_used_is_told_so(parts, tmp_path, logger, sentence):
    if logger.name in ("wandb", "mlflow"):
        try:
            __import__(logger.name)
        except ImportError:
            pass
        else:
            pytest.skip(f"{logger.name} is installed")
    with pytest.raises(InputError, match=sentence):
        fit(*parts(), tmp_path / "run", trainer=TRAINER, settings=RunSettings(loggers=[logger]))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("trainer", "settings", "sentence"),
    [
        ({"max_epochs": 0}, RunSettings(), "max_epochs is 0"),
        ({"max_epochs": -1}, RunSettings(), "max_epochs is -1"),
        ({"max_epochs": 2, "check_val_every_n_epoch": 3}, RunSettings(), "nothing would be valid"),
        ({}, RunSettings(checkpoint_every_epochs=0), "checkpoint_every_epochs is 0"),
        ({}, RunSettings(early_stop=0), "early_stop is 0"),
        ({"accumulate_grad_batches": 0}, QUIET, "accumulate_grad_batches is 0"),
        ({"limit_train_batches": 0}, QUIET, "nothing would be learned"),
        ({"strategy": "ddq"}, QUIET, "Lightning cannot train so: .*ddq"),
        ({"accelerator": "cpu", "devices": 0}, QUIET, "Lightning cannot train so"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(parts, tmp_path, trainer, settings, sentence):
    with pytest.raises(InputError, match=sentence) as error:
        fit(*parts(), tmp_path / "run", trainer=trainer, settings=settings)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_training_that_cannot_begin_leaves_nothing_behind(folder, parts, tmp_path):
    module, data = parts()
    data.mix = (0.0, 0.0)
    with pytest.raises(InputError, match="Shares of a mix"):
        fit(module, data, tmp_path / "run", trainer=TRAINER)
    assert not (tmp_path / "run").exists()
    module, data = parts(schedule=ScheduleSettings(warmup_epochs=-1))  # seen when steps are known
    with pytest.raises(InputError, match="warmup_epochs is -1"):
        fit(module, data, tmp_path / "run", trainer=TRAINER)
    assert not (tmp_path / "run").exists()


def test_a_bar_counts_epochs_from_one(parts, tmp_path, capfd):
    fit(*parts(), tmp_path / "run", trainer={**TRAINER, "max_epochs": 1}, settings=QUIET, bar=True)
    said = capfd.readouterr()
    assert ("Epoch 1 of 1" in said.err, said.out) == (True, "")


def test_a_run_on_slurm_is_requeued_by_slurm_alone(monkeypatch, tmp_path):
    for name, value in (("NTASKS", "1"), ("JOB_NAME", "train"), ("PROCID", "0")):
        monkeypatch.setenv(f"SLURM_{name}", value)
    for name, value in (("LOCALID", "0"), ("NODEID", "0"), ("NTASKS_PER_NODE", "1")):
        monkeypatch.setenv(f"SLURM_{name}", value)
    trainer = running._trainer({"accelerator": "cpu", "devices": 1}, [], [], tmp_path)
    environment: Any = trainer._accelerator_connector.cluster_environment
    assert type(environment).__name__ == "SLURMEnvironment"
    assert environment.auto_requeue is False
