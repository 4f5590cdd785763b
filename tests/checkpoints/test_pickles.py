"""A file is data: whatever its pickle asks for, nothing of it runs."""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import threading
import types
import zipfile
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from oncoforge.checkpoints.files import read
from oncoforge.checkpoints.globals import _OF_PYTORCH
from oncoforge.checkpoints.pickles import Inert
from oncoforge.errors import InputError


class _Runs:
    """An object whose pickle calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def _hostile(target: Path) -> dict[str, tuple[Any, str]]:
    write = f"open({str(target)!r}, 'w').close()"
    return {
        "system": (_Runs(os.system, f"touch {target}"), "posix.system"),
        "eval": (_Runs(eval, write), "eval"),
        "exec": (_Runs(exec, write), "exec"),
        "getattr": (_Runs(getattr, str(target), "upper"), "getattr"),
        "open": (_Runs(open, str(target), "w"), "io.open"),
        "import": (_Runs(__import__, "os"), "__import__"),
        "numpy": (_Runs(np.fromfile, str(target)), "fromfile"),
        "torch": (_Runs(torch.save, {}, str(target)), "torch.serialization.save"),
    }


@pytest.mark.parametrize("place", ["top", "state_dict", "hyper_parameters", "deep"])
@pytest.mark.parametrize("evil_kind", ["system", "eval", "exec", "getattr", "open", "import",
                                       "numpy", "torch"])  # fmt: skip
@pytest.mark.parametrize("form", ["zip", "zip 4", "zip 5", "legacy", "legacy 4", "plain 0",
                                  "plain 2", "plain 4", "plain 5"])  # fmt: skip
def test_a_hostile_pickle_is_refused_and_runs_nothing(
    tmp_path: Path, evil_kind: str, place: str, form: str
) -> None:
    target = tmp_path / "written"
    evil, name = _hostile(target)[evil_kind]
    held = {
        "top": evil,
        "state_dict": {"state_dict": OrderedDict(a=torch.zeros(2), b=evil)},
        "hyper_parameters": {"hyper_parameters": {"cfg": [evil]}, "state_dict": {}},
        "deep": {"a": [({"b": (1, [evil])},)]},
    }[place]
    path = tmp_path / "model.pt"
    kind, _, said = form.partition(" ")
    protocol = int(said or 2)
    if kind == "plain":
        if place == "state_dict":
            held["state_dict"].pop("a")  # a plain pickle of a tensor asks for what is allowed
        path.write_bytes(pickle.dumps(held, protocol=protocol))
    else:
        zipped = kind == "zip"
        torch.save(held, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError) as caught:
        read(path)
    sentence = str(caught.value)
    assert name in sentence
    assert str(path) in sentence
    assert "nothing in it was run" in sentence
    assert sentence.count(". ") == 0
    assert not target.exists()


def test_what_the_allowed_names_stand_for_cannot_be_made_to_run_anything(tmp_path: Path) -> None:
    target = tmp_path / "written"

    class Sneaky:
        def __reduce__(self) -> Any:
            return argparse.Namespace, (f"touch {target}",), {"x": f"touch {target}"}

    torch.save({"args": Sneaky(), "w": torch.ones(2)}, tmp_path / "a.pt")
    found = read(tmp_path / "a.pt").top
    assert type(found["args"]) is Inert
    assert not vars(found["args"])
    assert not target.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_numpy_scalars_become_numbers(tmp_path: Path, zipped: bool) -> None:
    scores = {"f8": np.float64(0.625), "f4": np.float32(0.5), "i8": np.int64(-3), "b": np.True_}
    path = tmp_path / "model.pt"
    torch.save({**scores, "w": torch.ones(1)}, path, _use_new_zipfile_serialization=zipped)
    found = read(path).top
    assert {name: found[name] for name in scores} == {"f8": 0.625, "f4": 0.5, "i8": -3, "b": True}
    assert all(type(found[name]) in (float, int, bool) for name in scores)


def test_old_names_of_numpy_are_known(tmp_path: Path) -> None:
    """NumPy 1 wrote ``numpy.core``, of which NumPy 2 warns and which may be gone one day."""
    path, old = tmp_path / "new.pt", tmp_path / "old.pt"
    torch.save({"best_acc": np.float64(0.25)}, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    assert b"numpy.core" in data
    old.write_bytes(data)
    assert read(old).top["best_acc"] == 0.25


def test_a_config_of_omegaconf_is_passed_over_without_importing_it(tmp_path: Path) -> None:
    """As in DiffTumor's autoencoder: these names are what its page on the hub lists."""
    before = set(sys.modules)
    names = {
        "omegaconf.dictconfig": "DictConfig",
        "omegaconf.listconfig": "ListConfig",
        "omegaconf.base": "ContainerMetadata",
        "omegaconf.nodes": "AnyNode",
    }
    made = {}
    sys.modules["omegaconf"] = types.ModuleType("omegaconf")
    for module, name in names.items():
        made[name] = type(name, (), {"__module__": module})
        sys.modules[module] = types.ModuleType(module)
        setattr(sys.modules[module], name, made[name])
    try:
        config, inner = made["DictConfig"].__new__(made["DictConfig"]), made["AnyNode"]()
        vars(config)["_metadata"] = {"type": Any, "flags": defaultdict(dict), "kind": dict}
        vars(config)["_content"] = {"lr": inner, "sizes": made["ListConfig"]()}
        held = {
            "state_dict": {"w": torch.ones(2)},
            "hyper_parameters": {"cfg": config},
            "lr_schedulers": [{"milestones": Counter({40000: 1})}],
        }
        torch.save(held, tmp_path / "a.ckpt")
    finally:
        for module in set(sys.modules) - before:
            del sys.modules[module]
    found = read(tmp_path / "a.ckpt").top
    assert type(found["hyper_parameters"]["cfg"]) is Inert
    assert torch.equal(found["state_dict"]["w"], torch.ones(2))
    assert not any(name.startswith("omegaconf") for name in set(sys.modules) - before)


def test_what_is_allowed_does_not_stay_allowed(tmp_path: Path) -> None:
    before = torch.serialization.get_safe_globals()
    torch.save({"best": np.float64(1)}, tmp_path / "a.pt")
    read(tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(_Runs(eval, "1")))
    with pytest.raises(InputError):
        read(tmp_path / "b.pt")
    assert torch.serialization.get_safe_globals() == before


def test_many_threads_read_at_once(tmp_path: Path) -> None:
    torch.save({"best": np.float64(0.5), "w": torch.arange(9.0)}, tmp_path / "a.pt")
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(read(tmp_path / "a.pt").top["best"]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [0.5] * 8


_SYSTEM = b"X\x05\x00\x00\x00posixX\x06\x00\x00\x00system"


@pytest.mark.parametrize(
    ("pickled", "name"),
    [
        (b"(S'x'\nios\nsystem\n.", "os.system"),
        (b"(cos\nsystem\nS'x'\no.", "os.system"),
        (b"\x80\x04" + _SYSTEM + b"\x93)R.", "posix.system"),
        (b"\x80\x04X\x05\x00\x00\x00posix\x940X\x06\x00\x00\x00system\x940h\x00h\x01\x93)R.",
         "posix.system"),
        (b"\x80\x04X\x05\x00\x00\x00posixq\x070X\x06\x00\x00\x00systemr\x09\x00\x00\x000"
         b"h\x07j\x09\x00\x00\x00\x93)R.", "posix.system"),
        (b"\x80\x04" + _SYSTEM + b"X\x04\x00\x00\x00dict0\x93)R.", "does not spell out"),
        (b"\x80\x02\x82\x01.", "extension 1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("zipped", [True, False])
def test_every_way_to_ask_for_a_name_is_read(
    tmp_path: Path, pickled: bytes, name: str, zipped: bool
) -> None:
    path = tmp_path / "a.pt"
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.pkl", pickled)
            archive.writestr("a/version", "3\n")
    else:
        path.write_bytes(pickled)
    with pytest.raises(InputError, match="nothing in it was run") as caught:
        read(path)
    assert name in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_newer_protocol_of_tensors_alone_is_said_to_be_the_reason(
    tmp_path: Path, zipped: bool
) -> None:
    held = {"best": np.float64(1), "state_dict": OrderedDict(a=torch.zeros(2))}
    path = tmp_path / "a.pt"
    torch.save(held, path, pickle_protocol=4, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match="protocol"):
        read(path)


def test_a_name_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"\x80\x02cos\nsys\x1b[31mtem" + b"m" * 500 + b"\n)R.")
    with pytest.raises(InputError) as caught:
        read(tmp_path / "a.pt")
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


def test_all_that_pytorch_allows_is_known() -> None:
    """Or weights of a newer protocol would be said to ask for what they may have."""
    listed = pytest.importorskip("torch._weights_only_unpickler")._get_allowed_globals()
    assert [name for name in listed if not _OF_PYTORCH.fullmatch(name)] == []
    wrong = ("torch.load", "torch.serialization.load", "torch.hub.load", "torch._utils.x",
             "torch.jit.load", "builtins.eval", "collections.abc.x", "torch.nn.Linear")  # fmt: skip
    assert not any(_OF_PYTORCH.fullmatch(name) for name in wrong)
