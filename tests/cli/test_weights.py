"""``oncoforge weights``: list, show, fetch and import, as people run them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch

from oncoforge import checkpoints, networks
from oncoforge.checkpoints import CATALOGUE
from oncoforge.cli import main

Run = Callable[..., tuple[int, str, str]]
USE = ("--spacing", "1,1,1", "--window", "-175,250")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any) -> Run:
    """Run a command; return its exit code, what it printed and what it said on standard error."""
    monkeypatch.setenv("ONCOFORGE_WEIGHTS", str(tmp_path / "weights"))

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["weights", *map(str, arguments)])
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Write a U-Net as the predecessors do."""
    module = networks.build("unet", 1, 3, seed=0, channels=(2, 4), strides=(2,))
    path = tmp_path / "model.pt"
    state = module.state_dict()
    torch.save({"epoch": 1, "best_acc": np.float64(0.5), "state_dict": state}, path)
    return path


def test_list_names_all_of_them(run: Run) -> None:
    code, out, _ = run("list")
    assert code == 0
    assert all(name in out for name in CATALOGUE)


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (("--organ", "Pancreas"), lambda w: "pancreas" in w["organs"]),
        (("--method", "difftumor"), lambda w: w["method"] == "DiffTumor"),
        (("--method", "Swin UNETR"), lambda w: w["method"] == "Swin UNETR"),
        (("--network", "swin_unetrv2"), lambda w: w["network"] == "swin_unetr"),
        (("--organ", "kidney", "--network", "dynunet"), lambda w: "kidney-nnunet" in w["name"]),
    ],
)  # fmt: skip
def test_list_can_be_narrowed(run: Run, options: tuple[str, ...], chosen: Any) -> None:
    everything = json.loads(run("list", "--json")[1])
    found = json.loads(run("list", "--json", *options)[1])
    assert found
    assert found == [weights for weights in everything if chosen(weights)]


@pytest.mark.parametrize("option", ["--organ", "--method", "--network"])
def test_list_refuses_what_there_is_not(run: Run, option: str) -> None:
    code, _, err = run("list", option, "xyz")
    assert code == 2
    assert "xyz" in err


def test_show_tells_of_the_catalogue(run: Run) -> None:
    code, out, _ = run("show", "freetumor-segmentor")
    assert code == 0
    for words in ("swin_unetr", "Apache-2.0", "1.5 x 1.5 x 1.5 mm", "liver_tumor", "legacy",
                  "oncoforge weights fetch freetumor-segmentor"):  # fmt: skip
        assert words in out
    assert json.loads(run("show", "freetumor-segmentor", "--json")[1])["published"]["merging"]


def test_show_tells_of_a_file(run: Run, model: Path) -> None:
    code, out, _ = run("show", model, "--keys")
    assert code == 0
    for words in ("model.pt: unet", "1 in, 3 out", "channels=(2, 4)", "pipeline:     not known",
                  "model.0.conv.unit0.conv.weight  2x1x3x3x3"):  # fmt: skip
        assert words in out
    told = json.loads(run("show", model, "--json")[1])["file"]
    assert told["network"] == "unet"
    assert told["values"] == sum(t.numel() for t in checkpoints.load(model).state_dict().values())


def test_show_tells_what_is_wrong_with_a_file(run: Run, model: Path, tmp_path: Path) -> None:
    state = torch.load(model, weights_only=False)["state_dict"]
    del state["model.0.residual.bias"]
    torch.save(state, tmp_path / "b.pt")
    code, out, _ = run("show", tmp_path / "b.pt")
    assert code == 0
    assert "1 key missing: model.0.residual.bias" in out


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """Write an encoder as Swin UNETR's own self-supervised one is."""
    module = networks.build("swin_unetr", 1, 3, seed=0, size="tiny", merging="legacy")
    state = {
        name.replace("swinViT.", "module.").replace("mlp.linear", "mlp.fc"): tensor
        for name, tensor in module.state_dict().items()
        if name.startswith("swinViT.")
    }
    path = tmp_path / "model_swinvit.pt"
    torch.save({"epoch": 1, "state_dict": {**state, "module.head.bias": torch.ones(2)}}, path)
    return path


def test_show_tells_of_an_encoder(run: Run, encoder: Path) -> None:
    code, out, _ = run("show", encoder, "--keys")
    assert code == 0
    for words in ("an encoder of swin_unetr", "12 (size tiny, version 1)", "126 tensors",
                  "swin-unetr-ssl", "No licence is stated", "Left out: head (1 tensor).",
                  f'of.checkpoints.load_encoder(network, "{encoder}")', "decoder:      none",
                  "swinViT.patch_embed.proj.weight  12x1x2x2x2"):  # fmt: skip
        assert words in out
    told = json.loads(run("show", encoder, "--json")[1])["encoder"]
    assert told["tensors"] == 126
    assert told["options"] == {"size": "tiny", "version": 1, "merging": "legacy"}
    assert "keys" not in told
    line = next(line for line in out.splitlines() if "build:" in line)
    code = line.split("= of.", 1)[1].replace("CLASSES", "3")
    moved = checkpoints.load_encoder(eval(code, {"networks": networks}), encoder)
    assert len(moved.taken) == 126


def test_import_of_an_encoder_names_what_takes_it(run: Run, encoder: Path, tmp_path: Path) -> None:
    code, _, err = run("import", encoder, "--out", tmp_path / "out")
    assert code == 2
    assert "encoder only" in err
    assert "load_encoder" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_import_writes_what_load_reads(run: Run, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, printed, _ = run(
        "import", model, "--out", out, "--classes", "background, kidney,kidney_tumor",
        "--window", "-100,200", "--spacing", "1,1,2.5", "--patch", "64,64,32",
    )  # fmt: skip
    assert code == 0
    assert str(out) in printed
    config: Any = checkpoints.load(out).config
    assert config.pipeline.classes == ("background", "kidney", "kidney_tumor")
    assert config.pipeline.window_hu == (-100.0, 200.0)
    assert config.pipeline.spacing_mm == (1.0, 1.0, 2.5)
    assert config.pipeline.patch == (64, 64, 32)
    assert run("show", out)[0] == 0


def test_import_says_what_is_not_known(run: Run, model: Path, tmp_path: Path) -> None:
    code, out, _ = run("import", model, "--out", tmp_path / "out")
    assert code == 0
    assert "--classes" in out


def test_import_changes_part_of_what_the_catalogue_knows(
    run: Run, model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "synt.no_pretrain.unet" / "model.pt"
    path.parent.mkdir()
    model.rename(path)
    assert run("import", path, "--out", tmp_path / "out", "--patch", "64,64,64")[0] == 0
    pipeline: Any = checkpoints.load(tmp_path / "out").config
    assert pipeline.pipeline.patch == (64, 64, 64)
    assert pipeline.pipeline.window_hu == (-21.0, 189.0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--classes", "background,liver", *USE), "2 classes are named"),
        (("--classes", "background,liver,tumour", *USE), "'tumour'"),
        (("--patch", "1,2"), "3 numbers"),
        (("--patch", "64,64,64"), "--classes"),
        (
            ("--classes", "background,liver,liver_tumor"),
            "give --classes, --spacing and --window together",
        ),
        (("--network", "nnunet"), "no nnunet"),
        (("--part", "netG"), "netG"),
        (("--merging", "new"), "new"),
    ],
)
def test_import_refuses_and_writes_nothing(
    run: Run, model: Path, tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    code, _, err = run("import", model, "--out", tmp_path / "out", *options)
    assert code == 2
    assert says in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_import_replaces_only_if_asked_to(run: Run, model: Path, tmp_path: Path) -> None:
    assert run("import", model, "--out", tmp_path / "out")[0] == 0
    code, _, err = run("import", model, "--out", tmp_path / "out")
    assert code == 2
    assert "--overwrite" in err
    assert run("import", model, "--out", tmp_path / "out", "--overwrite")[0] == 0


def test_import_leaves_the_folders_of_others_alone(run: Run, model: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "ct.nii.gz").write_bytes(b"ct")
    for more in ((), ("--overwrite",)):
        code, _, err = run("import", model, "--out", data, *more)
        assert code == 2
        assert "holds other files, such as ct.nii.gz" in err
        assert [path.name for path in data.iterdir()] == ["ct.nii.gz"]
    code, _, err = run("import", model, "--out", data / "ct.nii.gz")
    assert code == 2
    assert "ct.nii.gz is a file; give the name of a folder" in err
    assert run("import", model, "--out", tmp_path / "out")[0] == 0
    (tmp_path / "out" / "README.md").write_text("mine")
    assert run("import", model, "--out", tmp_path / "out", "--overwrite")[0] == 0


def test_a_hostile_file_is_one_sentence(run: Run, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return eval, (f"open({str(tmp_path / 'written')!r}, 'w')",)

    torch.save({"state_dict": {"a": Evil()}}, tmp_path / "a.pt")
    for command in (("show", tmp_path / "a.pt"), ("import", tmp_path / "a.pt", "--out", "out")):
        code, _, err = run(*command)
        assert code == 2
        assert "refused" in err
        assert err.count("\n") == 1
    assert not (tmp_path / "written").exists()


def test_fetch_says_the_licence_and_waits_for_a_yes(run: Run, monkeypatch: Any) -> None:
    def download(repo: str, file: str, *, local_dir: Path) -> str:
        path = Path(local_dir) / file
        path.parent.mkdir(parents=True)
        path.write_bytes(b"weights")
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    code, out, err = run("fetch", "difftumor-liver-unet")
    assert code == 2
    assert out == ""
    assert err.index("Licence: CC-BY-NC-ND-4.0") < err.index("--accept-licence")
    assert err.index("--accept-licence") < err.index("accept_licence=True")
    code, out, err = run("fetch", "difftumor-liver-unet", "--accept-licence")
    assert code == 0
    assert "Licence: CC-BY-NC-ND-4.0" in err
    assert Path(out.strip()).read_bytes() == b"weights"
    code, out, _ = run("list", "--method", "DiffTumor")
    assert next(line for line in out.splitlines() if "difftumor-liver-unet" in line).endswith(
        tuple(f"yes{' ' * n}" for n in range(9))
    )


def test_fetch_refuses_what_it_does_not_know(run: Run) -> None:
    code, _, err = run("fetch", "difftumor-liver-unit")
    assert code == 2
    assert "did you mean" in err


@pytest.mark.parametrize("command", ["list", "show", "fetch", "import"])
def test_help_has_examples(run: Run, command: str) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"oncoforge weights {command}" in out.split("Examples:")[1]
