"""The Lightning module of segmentation: one step, one validation, what changes the weights."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from math import inf
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, distributed, nn
from torch.optim.lr_scheduler import LambdaLR

from oncoforge.errors import InputError
from oncoforge.networks import Config, Pipeline
from oncoforge.prediction.models import at_work
from oncoforge.training.seeds import number
from oncoforge.training.segmentation import validation as validating
from oncoforge.training.segmentation.losses import SegmentationLoss
from oncoforge.training.segmentation.schedules import Schedule, plan
from oncoforge.training.segmentation.start import start
from oncoforge.training.settings import (
    LossSettings,
    NetworkSettings,
    OptimizerSettings,
    ScheduleSettings,
    ValidationSettings,
)

_CONFIG = "oncoforge_config"
"""Key of the network's config in Lightning's checkpoints."""

_NETWORK, _LOSS, _OPTIMIZER = NetworkSettings(), LossSettings(), OptimizerSettings()
_SCHEDULE, _VALIDATION = ScheduleSettings(), ValidationSettings()


class SegmentationModule(LightningModule):
    """A network in training.

    Parameters
    ----------
    pipeline
        How the network is used; its classes are the channels of the labels.
    network
        Which network, and what it starts from.
    loss, optimizer, schedule
        What is minimised, how weights are changed, and how the learning rate goes.
    validation
        How validation is done.
    ema_decay
        How much of the averaged weights is kept at a step; none for no averaging. The averaging
        itself is a callback of the run.
    compile
        Whether to compile the network; names of weights stay as they are.
    channels_last
        Whether volumes are laid out with their channels last, which some GPUs are faster with.
    seed
        Of new weights, and of what is random inside the network, such as dropout.

    Attributes
    ----------
    network
        The network; its ``config`` says all that is needed to build and use it.
    remarks
        What to know of start and schedule: one sentence each.
    validation_rows
        A `validation.Row` of the last validation for each case and class, of all processes.
    shown
        `validation.Shown` of the first cases of the last validation, on the first process.

    Raises
    ------
    InputError, UnknownNameError
        If a setting makes no sense or weights do not fit.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        network: NetworkSettings = _NETWORK,
        loss: LossSettings = _LOSS,
        optimizer: OptimizerSettings = _OPTIMIZER,
        schedule: ScheduleSettings = _SCHEDULE,
        validation: ValidationSettings = _VALIDATION,
        ema_decay: float | None = None,
        compile: bool = False,
        channels_last: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.pipeline = pipeline
        self.optimizer_settings, self.schedule_settings = optimizer, schedule
        self.validation_settings = validation
        self.ema_decay, self.seed = ema_decay, seed
        _check(optimizer, ema_decay, seed)
        validating.check(validation)
        self.loss = SegmentationLoss(loss)
        began = start(network, pipeline, seed)
        self.network: Any = began.network
        self.remarks = began.remarks
        self.schedule: Schedule | None = None
        self.validation_rows: tuple[validating.Row, ...] = ()
        self.shown: list[validating.Shown] = []
        self._rows: list[validating.Row] = []
        self._seen: list[str] = []
        self._layout = torch.channels_last_3d if channels_last else torch.contiguous_format
        if channels_last:
            cast(Any, self.network).to(memory_format=self._layout)
        if compile:
            self.network.compile()

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of (batch, 1, X, Y, Z), as the network gives them."""
        logits: Tensor = self.network(image.contiguous(memory_format=self._layout))
        return logits

    # What Lightning calls in training.

    def on_train_epoch_start(self) -> None:
        """Forget the cases of the last epoch and the pictures of the last validation."""
        self.shown, self._seen = [], []

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Draw dropout from (seed, epoch, step, process) alone, so that a resumed run does too.

        At every step, because loaders draw numbers in between, sooner or later in a resumed epoch.
        """
        place = self.current_epoch, batch_idx, self.global_rank
        torch.manual_seed(number(self.seed, "torch", *place))

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> Tensor:
        """Return the loss of a batch.

        Raises
        ------
        InputError
            On every process, if the loss of one of them is not finite.
        """
        self._seen += map(" ".join, zip(batch["case"], batch["kind"], strict=True))
        loss = cast(Tensor, self.loss(self(batch["image"]), batch["label"]))
        if not self._everywhere(bool(loss.isfinite())):
            raise self._not_finite("loss")
        if self._trainer is not None:
            self.log(
                "train/loss", loss.detach(), on_step=False, on_epoch=True, prog_bar=True,
                sync_dist=True, batch_size=len(batch["image"]),
            )  # fmt: skip
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Refuse gradients that would make every weight NaN, while their cases are known.

        With fp16 some are too large now and then; its scaler leaves such a step out.
        """
        if self.trainer.precision != "16-mixed":
            grads = [p.grad for p in self.network.parameters() if p.grad is not None]
            if not self._everywhere(bool(nn.utils.get_total_norm(grads).isfinite())):
                raise self._not_finite("gradient")
        self._seen = []

    def configure_optimizers(self) -> Any:
        """Return the optimizer, and the scheduler that is stepped with it."""
        optimizer = _optimizer(self.optimizer_settings, self.network)
        trainer = self.trainer
        trainer.fit_loop.setup_data()  # the number of its batches is asked for
        each = -(-trainer.num_training_batches // trainer.accumulate_grad_batches)
        steps = trainer.estimated_stepping_batches
        self.schedule = rate = plan(self.schedule_settings, steps, each)
        self.remarks = tuple(dict.fromkeys((*self.remarks, *rate.remarks)))
        # A plain function is not saved with the state: after a resume, the settings count.
        scheduler = LambdaLR(optimizer, lambda step: rate(step))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Go on to the next rate."""
        with warnings.catch_warnings():
            # Where fp16's scaler left out the first step; nothing is lost by it.
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
            scheduler.step()

    # What Lightning calls in validation.

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self._rows, self.shown = [], []

    def validation_step(self, batch: Mapping[str, Any] | None, batch_idx: int) -> None:
        """Predict and judge one case; nothing is done for None."""
        if batch is None:
            return
        settings, pipeline = self.validation_settings, self.pipeline
        overlap = pipeline.overlap if settings.overlap is None else settings.overlap
        device = str(self.device)
        with at_work([self.network], device):
            found = validating.segment(batch["image"], self.network, pipeline, overlap, device)
        truth = batch["label"].cpu().numpy()
        x, y, z = map(float, batch["spacing_mm"])
        case, classes = str(batch["case"]), pipeline.classes
        self._rows += validating.judge(
            case, found, truth, classes, (x, y, z), settings.tolerance_mm
        )
        if len(self.shown) < settings.pictures and self.global_rank == 0:
            image = batch["image"][0].float().cpu().numpy()
            self.shown.append((case, image, truth, found))

    def on_validation_epoch_end(self) -> None:
        """Gather the rows of all processes and log their means, the same on each."""
        self.validation_rows = validating.gather(self._rows)
        means = validating.means(self.validation_rows, self.pipeline.classes)
        if self._trainer is None:
            return
        for name, value in means.items():
            # Every process has the same number; the largest of them is that number, exactly.
            self.log(
                f"val/{name}", value, sync_dist=True, reduce_fx="max", prog_bar=name == "tumor_dice"
            )

    # What is in Lightning's checkpoints beside weights and states.

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what the network is, as JSON."""
        checkpoint[_CONFIG] = json.dumps(self.network.config.to_dict())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse the checkpoint of another network, and take over what it had started from.

        Raises
        ------
        InputError
            If it is of another network or other classes.
        """
        if _CONFIG not in checkpoint:
            return
        then = Config.from_dict(json.loads(checkpoint[_CONFIG]))
        now = self.network.config
        if then.having(origin=None) != now.having(origin=None):
            raise InputError(
                f"The run that is resumed trains {_named(then)}, and the settings ask for "
                f"{_named(now)}; resume with the run's own settings, or choose another folder."
            )
        self.network.config = now.having(origin=then.origin)

    def _everywhere(self, finite: bool) -> bool:
        """Tell whether it is so in all processes."""
        if self._trainer is None:
            return finite
        return bool(self.trainer.strategy.reduce_boolean_decision(finite))

    def _not_finite(self, what: str) -> InputError:
        """Name the cases since the last step of the optimizer, of all processes."""
        parts: list[Any] = [self._seen]
        if distributed.is_available() and distributed.is_initialized():
            parts = [None] * distributed.get_world_size()
            distributed.all_gather_object(parts, self._seen)
        cases = ", ".join(dict.fromkeys(case for part in parts for case in part))
        half = self._trainer is not None and self.trainer.precision.startswith("16")
        wider = ", and give --trainer.precision bf16-mixed or 32-true" if half else ""
        return InputError(
            f"The {what} is not a finite number in epoch {self.current_epoch + 1}, at step "
            f"{self.global_step + 1}, with these cases: {cases}. Look at them, lower "
            f"--model.optimizer.lr, and clip with --trainer.gradient_clip_val 1{wider}."
        )


def _check(settings: OptimizerSettings, ema_decay: float | None, seed: int) -> None:
    """Refuse numbers with which nothing is learned."""
    if seed < 0:
        raise InputError(f"seed is {seed}; give a number from 0.")
    if not 0 < settings.lr < inf:
        raise InputError(f"optimizer.lr is {settings.lr}; give a number above 0.")
    if not settings.weight_decay >= 0:
        raise InputError(f"optimizer.weight_decay is {settings.weight_decay}; give one from 0.")
    if not 0 <= settings.momentum < 1:
        raise InputError(f"optimizer.momentum is {settings.momentum}; give one from 0, below 1.")
    if ema_decay is not None and not 0 < ema_decay < 1:
        raise InputError(f"ema_decay is {ema_decay}; give one between 0 and 1, such as 0.999.")


def _optimizer(settings: OptimizerSettings, network: nn.Module) -> torch.optim.Optimizer:
    weights, lr, decay = network.parameters(), settings.lr, settings.weight_decay
    if settings.name == "sgd":
        momentum = settings.momentum
        return torch.optim.SGD(weights, lr, momentum, weight_decay=decay, nesterov=momentum > 0)
    kind = torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam
    return kind(weights, lr, weight_decay=decay, amsgrad=settings.amsgrad)


def _named(config: Config) -> str:
    classes = ", ".join(config.pipeline.classes) if config.pipeline else "unknown classes"
    options = ", ".join(f"{key}={value!r}" for key, value in config.options.items())
    return f"{config.network} ({options}) for {classes}"
