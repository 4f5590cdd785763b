"""What is written is read again bit by bit, and nothing half-written is left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from oncoforge import checkpoints, networks
from oncoforge.checkpoints.files import CONFIG, WEIGHTS
from oncoforge.errors import InputError, OutputError
from oncoforge.networks import Config, Origin, Pipeline

_OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("unet", {"channels": (2, 4), "strides": (2,)}),
    ("nnunet", {"spacing_mm": (1.0, 1.0, 4.0), "patch": (32, 32, 16), "deep_supervision": True}),
    ("swin_unetr", {"size": "tiny", "merging": "corrected"}),
    ("unetpp", {"features": (2, 2, 2, 2, 2, 2)}),
    ("segresnet", {"init_filters": 8, "blocks_down": (1, 1), "blocks_up": (1,)}),
]


def _module(name: str = "unet", **options: Any) -> Any:
    options = options or _OPTIONS[0][1]
    module: Any = networks.build(name, 1, 3, seed=3, **options)
    pipeline = Pipeline(("background", "kidney", "kidney_tumor"), spacing_mm=(1.5, 1.5, 3))
    origin = Origin("x", "y.pt", "0" * 64, "Apache-2.0", ("A note.", "Ein Grüß."))
    module.config = module.config.having(pipeline=pipeline, origin=origin)
    return module


@pytest.mark.parametrize(("name", "options"), _OPTIONS)
def test_what_is_written_is_read_again_bit_by_bit(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    module = _module(name, **options)
    folder = checkpoints.save(module, tmp_path / "new" / "model")
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG, WEIGHTS]
    for source in (folder, folder / WEIGHTS):
        again: Any = checkpoints.load(source)
        assert again.config == module.config
        assert all(
            torch.equal(tensor, again.state_dict()[key])
            for key, tensor in module.state_dict().items()
        )


def test_one_file_holds_weights_and_config(tmp_path: Path) -> None:
    module = _module()
    path = tmp_path / "net.safetensors"
    for _ in range(2):  # a file that is there is replaced
        assert checkpoints.save_file(module, path) == path
    again: Any = checkpoints.load(path)
    assert again.config.having(origin=None) == module.config.having(origin=None)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    with pytest.raises(InputError, match="no config"):
        checkpoints.save_file(torch.nn.Linear(1, 1), path)
    with pytest.raises(OutputError):
        checkpoints.save_file(module, tmp_path / "nowhere" / "net.safetensors")


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        checkpoints.save(_module(), tmp_path / folder)
    for name in (WEIGHTS, CONFIG):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_safetensors_alone_are_enough(tmp_path: Path) -> None:
    module = _module()
    (checkpoints.save(module, tmp_path / "a") / WEIGHTS).rename(tmp_path / "mine.safetensors")
    again: Any = checkpoints.load(tmp_path / "mine.safetensors")
    assert again.config == module.config


def test_a_config_that_was_edited_counts(tmp_path: Path) -> None:
    folder = checkpoints.save(_module(), tmp_path / "a")
    values = json.loads((folder / CONFIG).read_text("utf-8"))
    values["pipeline"]["overlap"] = 0.25
    (folder / CONFIG).write_text(json.dumps(values), "utf-8")
    again: Any = checkpoints.load(folder)
    assert again.config.pipeline.overlap == 0.25


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no JSON"),
        ('{"network": "unet", "in_channels": 1}', "lacks"),
        ('{"network": "unet", "in_channels": 1, "out_channels": 3, "x": 1}', "config field 'x'"),
        ('{"network": "vnet", "in_channels": 1, "out_channels": 3}', "'vnet'"),
        ('{"network": "unet", "in_channels": 1, "out_channels": 2}', "does not fit unet"),
    ],
)
def test_a_broken_config_gets_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    folder = checkpoints.save(_module(), tmp_path / "a")
    (folder / CONFIG).write_text(text, "utf-8")
    with pytest.raises(InputError, match=says):
        checkpoints.load(folder)


def test_a_network_without_origin_gets_that_of_its_file(tmp_path: Path) -> None:
    module: Any = networks.build("unet", 1, 2, **_OPTIONS[0][1])
    again: Any = checkpoints.load(checkpoints.save(module, tmp_path / "a"))
    assert again.config.origin.file == WEIGHTS
    assert len(again.config.origin.sha256) == 64


def test_nothing_is_replaced_without_asking(tmp_path: Path) -> None:
    folder = checkpoints.save(_module(), tmp_path / "a")
    before = (folder / WEIGHTS).read_bytes()
    with pytest.raises(OutputError, match="already holds"):
        checkpoints.save(_module(channels=(3, 5), strides=(2,)), folder)
    assert (folder / WEIGHTS).read_bytes() == before
    checkpoints.save(_module(channels=(3, 5), strides=(2,)), folder, overwrite=True)
    again: Any = checkpoints.load(folder)
    assert again.config.options["channels"] == (3, 5)


def test_both_files_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> bytes:
        raise MemoryError

    folder = checkpoints.save(_module(), tmp_path / "old")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("safetensors.torch.save", fails)
    for target, overwrite in ((tmp_path / "new" / "deep", False), (folder, True)):
        with pytest.raises(MemoryError):
            checkpoints.save(_module(), target, overwrite=overwrite)
    assert not (tmp_path / "new").exists()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_that_cannot_be_made_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be made"):
        checkpoints.save(_module(), tmp_path / "file" / "a")


def test_a_network_of_others_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no config"):
        checkpoints.save(torch.nn.Linear(2, 2), tmp_path)
    with pytest.raises(InputError, match=f"without {WEIGHTS}"):
        checkpoints.load(tmp_path)


def test_convert_is_load_and_save(tmp_path: Path) -> None:
    module = _module()
    torch.save({"state_dict": module.state_dict()}, tmp_path / "a.pt")
    made: Any = checkpoints.convert(tmp_path / "a.pt", tmp_path / "out", pipeline=None)
    again: Any = checkpoints.load(tmp_path / "out")
    assert isinstance(made.config, Config)
    assert again.config == made.config
    assert again.config.origin.file == "a.pt"
    assert all(torch.equal(t, again.state_dict()[k]) for k, t in module.state_dict().items())
