"""What a network starts from: new weights of a seed, all weights of a file, or an encoder."""

from __future__ import annotations

import pytest
import torch

from oncoforge import checkpoints
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.networks import NETWORKS, Pipeline, build
from oncoforge.training.segmentation.start import start
from oncoforge.training.settings import NetworkSettings

LIVER = ("background", "liver", "liver_tumor")
TINY = {"channels": (4, 8), "strides": (2,)}


def _pipeline(**changes):
    return Pipeline(**{"classes": LIVER, "patch": (16, 16, 16), **changes})


def _tiny(**changes):
    return NetworkSettings("unet", **{"options": TINY, **changes})


def _same(one, two):
    first, second = one.state_dict(), two.state_dict()
    return [torch.equal(first[name], second[name]) for name in first]


@pytest.fixture
def saved(tmp_path):
    """A folder with a network that was used otherwise."""
    network = build("unet", 1, 3, seed=5, **TINY)
    pipeline = _pipeline(classes=("background", "pancreas", "pancreas_tumor"), window_hu=(-21, 189))
    network.config = network.config.having(pipeline=pipeline)
    return checkpoints.save(network, tmp_path / "saved")


def test_new_weights_depend_on_the_seed_alone():
    state = torch.get_rng_state()
    one, again, other = (start(_tiny(), _pipeline(), seed).network for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(_same(one, again))
    assert not all(_same(one, other))
    assert one.training


def test_the_network_knows_how_it_is_used(tmp_path):
    pipeline = _pipeline(classes=(*LIVER, "kidney"), spacing_mm=(1.5, 1.5, 3.0))
    made = start(_tiny(options={**TINY, "channels": [4, 8]}), pipeline, 0)
    assert made.remarks == ()
    assert made.network(torch.zeros(1, 1, 16, 16, 16)).shape == (1, 4, 16, 16, 16)
    loaded = checkpoints.load(checkpoints.save(made.network, tmp_path / "model"))
    assert loaded.config.pipeline == pipeline
    assert all(_same(loaded, made.network))


def test_it_starts_from_all_weights_of_a_file(saved):
    made = start(_tiny(weights=str(saved)), _pipeline(), 0)
    assert all(_same(made.network, checkpoints.load(saved)))
    assert made.network.config.pipeline == _pipeline()
    first, classes, window = made.remarks
    assert first == f"It starts from {saved}."
    assert "classes background, pancreas, pancreas_tumor" in classes
    assert "window_hu -21" in window
    (note,) = made.network.config.origin.notes
    assert note.startswith("Trained from the weights of model.safetensors (SHA-256 ")


@pytest.mark.parametrize(
    ("name", "options", "classes", "words"),
    [
        ("segresnet", {}, LIVER, "holds unet, and network.name is segresnet"),
        ("unet", {**TINY, "channels": (4, 16)}, LIVER, r"options to those of the file: channels"),
        ("unet", TINY, (*LIVER, "kidney"), "with 3 classes, and the pipeline has 4"),
    ],
)
def test_weights_of_another_network_are_refused(saved, name, options, classes, words):
    settings = NetworkSettings(name, options, weights=str(saved))
    with pytest.raises(InputError, match=words):
        start(settings, _pipeline(classes=classes), 0)


def test_legacy_merging_is_not_taken_for_the_corrected_one(tmp_path):
    folder = tmp_path / "swin"
    old = build("swin_unetr", 1, 3, seed=0, size="tiny", merging="legacy")
    checkpoints.save(old, folder)
    pipeline = _pipeline(patch=(64, 32, 32))
    settings = {"size": "tiny"}
    with pytest.raises(InputError, match="merging='legacy'"):
        start(NetworkSettings("swin_unetr", settings, weights=str(folder)), pipeline, 0)
    same = {**settings, "merging": "legacy", "checkpointing": True}
    made = start(NetworkSettings("swin_unetr", same, weights=str(folder)), pipeline, 0)
    assert all(_same(made.network, old))


def test_it_starts_from_an_encoder_whatever_the_classes(saved):
    file = str(saved / "model.safetensors")
    pipeline = _pipeline(classes=(*LIVER, "kidney"))
    made = start(_tiny(encoder=file), pipeline, 0)
    new, source = start(_tiny(), pipeline, 0).network.state_dict(), checkpoints.load(saved)
    theirs = source.state_dict()
    state = made.network.state_dict()
    taken = [name for name in state if not torch.equal(state[name], new[name])]
    assert all(torch.equal(state[name], theirs[name]) for name in taken)
    # The way down is theirs, the way up is as it was.
    assert {name.split(".")[1] for name in taken} == {"0", "1"}
    transfer = checkpoints.load_encoder(build("unet", 1, 4, seed=0, **TINY), file)
    assert f"{len(transfer.taken)} tensors were taken; " in made.remarks[0]
    (note,) = made.network.config.origin.notes
    assert note == "Trained from the encoder of model.safetensors."


@pytest.mark.parametrize(
    ("settings", "pipeline", "words"),
    [
        (_tiny(weights="a", encoder="b"), {}, "give one of them"),
        (NetworkSettings("freetumor_unet"), {}, "generator"),
        (_tiny(), {"classes": ("liver", "background")}, "give background first"),
        (_tiny(), {"classes": ("background",)}, "at least one other"),
        (
            _tiny(),
            {"patch": (16, 15, 16)},
            "multiples of 2 x 2 x 2, and the volume is 16 x 15 x 16",
        ),
        (NetworkSettings("segmamba"), {"patch": (24, 24, 24)}, "multiples of 16"),
        (_tiny(weights="/no/such.pt"), {}, "/no/such.pt"),
        (_tiny(encoder="/no/such.pt"), {}, "/no/such.pt"),
    ],
)
def test_what_cannot_be_trained_is_refused_at_once(settings, pipeline, words):
    with pytest.raises(InputError, match=words):
        start(settings, _pipeline(**pipeline), 0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (NetworkSettings("unett"), "did you mean 'unet'"),
        (NetworkSettings("unet", {"chanels": (4, 8)}), "did you mean 'channels'"),
        (NetworkSettings("swin_unetr", {"size": "smal"}), "did you mean 'small'"),
    ],
)
def test_the_nearest_name_is_told(settings, words):
    with pytest.raises(UnknownNameError, match=words):
        start(settings, _pipeline(), 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n, each in NETWORKS.items() if not each.generative])
def test_every_network_can_be_started_with_the_published_patch(name):
    network = start(NetworkSettings(name), Pipeline(LIVER), 0).network
    assert network.config.pipeline == Pipeline(LIVER)
