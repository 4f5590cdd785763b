"""The same patches for any number of workers and processes, and a sentence for what cannot be."""

from __future__ import annotations

import shutil
import sys
import warnings

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from oncoforge.errors import InputError
from oncoforge.training.data.draws import Draw, EpochSampler
from oncoforge.training.data.module import SegmentationData
from oncoforge.training.data.patches import collate
from oncoforge.training.settings import (
    PhantomSettings,
    SamplingSettings,
    SourceSettings,
    SynthesisSettings,
)

TINY = [SynthesisSettings(size="tiny", probability=0.9)]

# A process that has threads is forked; the workers use none of them.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_case, write_list):
    """Two healthy cases and one real one to train on, two to validate on, and a store of them."""
    place = tmp_path_factory.mktemp("data")
    well = [write_case(place, f"well{n}", seed=n) for n in range(2)]
    ill = [write_case(place, f"ill{n}", tumor=True, seed=10 + n) for n in range(3)]
    write_list(place / "healthy.json", training=well)
    write_list(place / "real.json", training=ill[:1], validation=ill[1:])
    return place


@pytest.fixture
def make(folder, liver):
    def build(pipeline=None, ready=True, **settings):
        plan = {
            "healthy": SourceSettings([str(folder / "healthy.json")]),
            "real": SourceSettings([str(folder / "real.json")]),
            "synthesis": TINY,
            "sampling": SamplingSettings(foreground=2.0),
            "patches_per_epoch": 7,
            "workers": 0,
            "cache": str(folder / "cache"),
            **settings,
        }
        data = SegmentationData(pipeline or liver(spacing_mm=None), **plan)
        if ready:
            data.prepare_data()
            data.setup("fit")
        return data

    return build


def _items(batches):
    """Return every item of batches by its number."""
    found = {}
    for batch in batches:
        for row, number in enumerate(batch["item"]):
            found[number] = (
                batch["image"][row].numpy().tobytes(),
                batch["label"][row].numpy().tobytes(),
                batch["case"][row],
                batch["kind"][row],
            )
    return found


def _epoch(data, epoch, rank=0, ranks=1, **how):
    sampler = EpochSampler(data.patches.mix.items, rank, ranks)
    sampler.set_epoch(epoch)
    loader = DataLoader(data.patches, batch_size=2, sampler=sampler, collate_fn=collate, **how)
    return _items(loader)


def test_the_same_items_have_the_same_bytes_for_any_number_of_workers(make):
    data = make()
    alone = _epoch(data, 3)
    assert sorted(alone) == list(range(7))
    assert {kind for *_, kind in alone.values()} >= {"real", "synthetic"}
    for workers in (1, 2):
        assert _epoch(data, 3, num_workers=workers, multiprocessing_context="fork") == alone
    assert _epoch(data, 4) != alone
    assert _epoch(make(seed=1), 3) != alone


@pytest.mark.slow
def test_workers_that_start_from_nothing_make_the_same_bytes(make):
    data = make()
    spawned = _epoch(data, 1, num_workers=2, multiprocessing_context="spawn")
    assert spawned == _epoch(data, 1)


def test_two_processes_together_make_what_one_makes(make):
    data = make()
    parts = [_epoch(data, 2, rank, 2) for rank in range(2)]
    assert parts[0] | parts[1] == _epoch(data, 2)
    assert len(parts[0]) == len(parts[1]) == 4  # of 7 items, one is in both
    assert len(set(parts[0]) & set(parts[1])) == 1


def test_loaders_of_the_module_know_rank_and_epoch(make, monkeypatch):
    data = make()
    loader = data.train_dataloader()
    loader.sampler.set_epoch(5)
    assert _items(loader) == _epoch(data, 5)
    monkeypatch.setattr(SegmentationData, "_rank", lambda _: (1, 2))
    loader = data.train_dataloader()
    loader.sampler.set_epoch(5)
    assert _items(loader) == _epoch(data, 5, 1, 2)


def test_every_validation_case_is_given_once_whole_and_alone(make, monkeypatch):
    data = make()
    batches = list(data.val_dataloader())
    assert [batch["case"] for batch in batches] == ["ill1", "ill2"]
    for batch, case in zip(batches, data.validation_cases, strict=True):
        assert batch["image"].shape == (1, *case.shape)
        assert batch["label"].shape == case.shape
        assert batch["label"].dtype == torch.uint8
        assert batch["spacing_mm"] == case.spacing_mm == (1.0, 1.0, 1.0)
    monkeypatch.setattr(SegmentationData, "_rank", lambda _: (1, 4))
    assert [b["case"] for b in data.val_dataloader()] == ["ill2"]
    monkeypatch.setattr(SegmentationData, "_rank", lambda _: (2, 4))
    assert list(data.val_dataloader()) == [None]


class _Listener(LightningModule):
    """Notes what it is given."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen, self.judged = [], []

    def training_step(self, batch, _):
        self.seen.append(
            (self.current_epoch, tuple(batch["item"]), batch["image"].numpy().tobytes())
        )
        return self.weight.sum()

    def validation_step(self, batch, _):
        self.judged.append(batch["case"])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")
def test_lightning_tells_the_epoch_even_to_workers_that_stay(make, tmp_path):
    seen = []
    for workers in (0, 1):
        listener = _Listener()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Lightning's advice on workers
            trainer = Trainer(
                max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False,
                enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
                default_root_dir=tmp_path,
            )  # fmt: skip
            trainer.fit(listener, datamodule=make(workers=workers))
        seen.append(listener.seen)
        assert listener.judged == ["ill1", "ill2"] * 2
    assert seen[0] == seen[1]
    first, second = ([s for s in seen[0] if s[0] == epoch] for epoch in range(2))
    assert [items for _, items, _ in first] == [(0, 1), (2, 3), (4, 5), (6,)]
    assert [raw for *_, raw in first] != [raw for *_, raw in second]


def test_a_mix_shares_patches_between_real_and_healthy_cases(make):
    data = make(mix=(1.0, 3.0), patches_per_epoch=8)
    for epoch in range(3):
        cases = [data.train_cases[data.patches.mix.case(Draw(epoch, n))].case for n in range(8)]
        assert cases.count("ill0") == 2
        assert cases.count("well0") == cases.count("well1") == 3


def test_without_a_mix_every_case_is_used_once_in_an_epoch(make):
    data = make(patches_per_epoch=None)
    assert len(data.patches) == 3
    cases = [data.patches[Draw(0, n)]["case"] for n in range(3)]
    assert sorted(cases) == ["ill0", "well0", "well1"]


def test_counts_are_told_for_the_record(make):
    assert make().describe() == {
        "training": {"real": 1, "healthy": 2, "with": {"liver": 3, "liver_tumor": 1}},
        "validation": {"cases": 2, "with": {"liver": 2, "liver_tumor": 2}},
        "patches_per_epoch": 7,
    }


def test_cases_are_resampled_to_the_spacing_of_the_pipeline(make, liver):
    data = make(liver(spacing_mm=(2.0, 2.0, 2.0)))
    assert all(case.spacing_mm == (2.0, 2.0, 2.0) for case in data.train_cases)
    item = data.patches[Draw(0, 0)]
    assert item["image"].shape == (1, 24, 24, 24)  # larger than the case, and filled up
    assert np.isfinite(item["image"].numpy()).all()


@pytest.mark.slow
def test_phantoms_are_all_that_is_needed(tmp_path, liver):
    data = SegmentationData(
        liver(spacing_mm=(8.0, 8.0, 8.0)),
        synthesis=TINY,
        phantoms=PhantomSettings(1, 1, (8.0, 8.0, 8.0)),
        workers=0,
        cache=str(tmp_path),
    )
    data.prepare_data()
    data.setup()
    assert data.describe()["training"] == {
        "real": 0, "healthy": 1, "with": {"liver": 1, "liver_tumor": 0},
    }  # fmt: skip
    assert data.describe()["validation"]["with"]["liver_tumor"] == 1


def test_a_copy_of_a_training_case_does_not_validate(make, folder, tmp_path, write_list):
    files = {}
    for key, name in (("image", "ill0.nii.gz"), ("label", "labels/ill0.nii.gz")):
        files[key] = str(shutil.copy(folder / name, tmp_path / f"{key}.nii.gz"))
    other = SourceSettings([write_list(tmp_path / "v.json", validation=[files])], "validation")
    with pytest.raises(InputError, match="byte for byte, as the training case ill0"):
        make(validation=other)


def test_training_without_validation_is_for_those_who_say_so(make, folder):
    healthy = {"real": SourceSettings(), "healthy": SourceSettings([str(folder / "healthy.json")])}
    with pytest.raises(InputError, match="no cases to validate on"):
        make(**healthy)
    assert make(**healthy, allow_missing=True).val_dataloader() == []


def test_a_tumour_that_nobody_has_is_told(make, folder, liver):
    pipeline = liver(classes=("background", "liver", "kidney_tumor"), spacing_mm=None)
    with pytest.raises(InputError, match="made in the kidney, and none of the 3 training cases"):
        make(pipeline)
    with pytest.raises(InputError, match="has the class kidney_tumor"):
        make(pipeline, synthesis=[])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"workers": -1}, "workers is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"patches_per_epoch": 0}, "patches_per_epoch is 0"),
        ({"mix": (0.0, 0.0)}, "one is above 0"),
        ({"healthy": SourceSettings(), "mix": (1.0, 1.0)}, "gives healthy cases a share of 1"),
    ],
)
def test_settings_that_make_no_sense_are_named(make, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        make(**settings)


def test_workers_are_one_less_than_the_cores_but_one_at_least(make, monkeypatch):
    from oncoforge.training.data import module

    for cores, workers in ((1, 1), (2, 1), (4, 3), (64, 8)):
        monkeypatch.setattr(module, "cores", lambda n=cores: n)
        assert make(ready=False, workers=None)._workers() == workers


def test_loading_draws_nothing_from_the_random_numbers_of_the_training(make):
    data = make()
    torch.manual_seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    for loader in (data.train_dataloader(), data.val_dataloader()):
        list(loader)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tobytes() == before[1]  # noqa: NPY002


@pytest.mark.skipif(sys.platform != "linux", reason="workers fork on Linux")
def test_textures_are_made_once_for_all_workers(make):
    from oncoforge.synthesis.appearance.bank import TEXTURES, tile

    tile.cache_clear()
    loader = make(workers=2).train_dataloader()
    assert tile.cache_info().currsize == len(TEXTURES)
    assert loader.multiprocessing_context.get_start_method() == "fork"
