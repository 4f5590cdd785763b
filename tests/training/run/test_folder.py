"""A folder of a run is never given to another one by mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("yaml")

from oncoforge.errors import InputError, OutputError
from oncoforge.training.run.folder import RunFolder, best_weights

CONFIG = "seed: 0\nmodel:\n  network: {name: unet, options: {}}\ntrainer: {max_epochs: 5}\n"


@pytest.fixture
def run(tmp_path) -> RunFolder:
    folder = RunFolder(tmp_path / "deep" / "run")
    assert folder.claim(CONFIG) is False
    return folder


def test_a_new_folder_gets_the_settings(run):
    assert (run.path / "config.yaml").read_text("utf-8") == CONFIG


def test_another_run_is_refused_and_nothing_is_changed(run):
    with pytest.raises(OutputError, match=r"already holds config\.yaml of a run; --resume"):
        run.claim(CONFIG.replace("5", "6"))
    assert (run.path / "config.yaml").read_text("utf-8") == CONFIG


def test_resuming_tells_whether_there_is_a_state(run):
    assert run.claim(CONFIG, resume=True) is False
    run.state.write_bytes(b"x")
    assert run.claim(CONFIG, resume=True) is True


def test_resuming_where_nothing_is_starts_anew(tmp_path):
    assert RunFolder(tmp_path / "new").claim(CONFIG, resume=True) is False
    assert (tmp_path / "new" / "config.yaml").is_file()


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("seed: 0", "seed: 1", "seed 0, and now it is 1"),
        ("name: unet", "name: nnunet", "model.network.name unet, and now it is nnunet"),
        ("options: {}", "options: {size: tiny}", "model.network.options"),
        ("model:", "data: {batch_size: 3}\nmodel:", "data.batch_size none, and now it is 3"),
    ],
)
def test_resuming_with_other_settings_names_the_first(run, old, new, name):
    with pytest.raises(OutputError, match=f"a run with {name}"):
        run.claim(CONFIG.replace(old, new), resume=True)


def test_a_run_may_go_on_longer_and_on_other_machines(run):
    other = "max_epochs: 50, devices: 2, strategy: {class_path: DDPStrategy}"
    run.claim(CONFIG.replace("max_epochs: 5", other), resume=True)
    assert "max_epochs: 50" in (run.path / "config.yaml").read_text("utf-8")


def test_overwriting_removes_the_run_and_nothing_else(run):
    (run.path / "notes.txt").write_text("mine")
    (run.path / "pictures").mkdir()
    (run.path / "pictures" / "epoch-0001.png").write_bytes(b"x")
    run.state.write_bytes(b"x")
    assert run.claim(CONFIG, overwrite=True) is False
    assert sorted(path.name for path in run.path.iterdir()) == ["config.yaml", "notes.txt"]
    with pytest.raises(InputError, match="give one"):
        run.claim(CONFIG, overwrite=True, resume=True)


def test_what_a_killed_run_was_about_to_write_is_removed(run):
    (run.path / ".resume.ckpt.0123abcd.part").write_bytes(b"half")
    (run.path / ".mine.part").write_bytes(b"whole")
    run.claim(CONFIG, resume=True)
    assert sorted(path.name for path in run.path.iterdir()) == [".mine.part", "config.yaml"]


def test_a_run_that_failed_at_once_gives_the_folder_back(run):
    (run.path / "tensorboard").mkdir()
    run.release()
    assert not run.path.exists()


@pytest.mark.parametrize("name", ["last.safetensors", "resume.ckpt"])
def test_a_run_that_failed_later_keeps_what_it_has(run, name):
    (run.path / name).write_bytes(b"x")
    run.release()
    assert sorted(path.name for path in run.path.iterdir()) == sorted(["config.yaml", name])


def test_files_of_others_stay_when_the_folder_is_given_back(run):
    (run.path / "notes.txt").write_text("mine")
    run.release()
    assert [path.name for path in run.path.iterdir()] == ["notes.txt"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file; give the name of a folder"):
        RunFolder(tmp_path / "file").check(CONFIG)


def test_damaged_settings_are_told_so(run):
    (run.path / "config.yaml").write_text("a: [")
    with pytest.raises(InputError, match="--overwrite starts anew"):
        run.claim(CONFIG, resume=True)


def test_a_folder_that_cannot_be_made_is_told_so(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        RunFolder(tmp_path / "file" / "run").claim(CONFIG)


def test_the_best_weights_of_a_run_are_found_or_asked_for(run, tmp_path):
    with pytest.raises(InputError, match=r"has no best\.safetensors yet"):
        best_weights(run.path)
    (run.path / "last.safetensors").write_bytes(b"x")
    with pytest.raises(InputError, match=r"--model .*last\.safetensors"):
        best_weights(run.path)
    (run.path / "best.safetensors").write_bytes(b"x")
    assert best_weights(run.path) == run.path / "best.safetensors"
    with pytest.raises(InputError, match="holds no run"):
        best_weights(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        best_weights(Path("nowhere"))


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from oncoforge.training.run.folder import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).held():\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    folder = tmp_path / "run"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(OutputError, match="Another process is training in"),
            RunFolder(folder).held(),
        ):
            pass
        other.kill()
    # The one that was killed has let go.
    with RunFolder(folder).held():
        assert (folder / ".lock").exists()
    assert list(folder.iterdir()) == []
