"""Downloads: the licence first, resumed, verified, and a sentence without a network."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from oncoforge.checkpoints import CATALOGUE, cache, fetch
from oncoforge.errors import InputError, OutputError

HUB = "difftumor-liver-unet"
DATA = bytes(range(256)) * 4096


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Stand in for the Hugging Face Hub; what it was asked for is in the list."""
    asked: list[tuple[str, str]] = []

    def download(repo: str, file: str, *, local_dir: Path) -> str:
        asked.append((repo, file))
        path = Path(local_dir) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(DATA)
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return asked


def _known(monkeypatch: pytest.MonkeyPatch, name: str, **changes: Any) -> None:
    """Let the catalogue know something else of some weights."""
    changed = dataclasses.replace(CATALOGUE[name], **changes)
    everything = {**CATALOGUE, name: changed}
    for module in ("catalogue", "cache"):
        monkeypatch.setattr(f"oncoforge.checkpoints.{module}.CATALOGUE", everything)


def test_nothing_is_fetched_before_the_licence_is_accepted(
    weights_folder: Path, hub: list[tuple[str, str]]
) -> None:
    with pytest.raises(InputError, match=r"CC-BY-NC-ND-4\.0"):
        fetch(HUB)
    assert hub == []
    assert not weights_folder.exists()


def test_weights_come_from_the_hub_once(weights_folder: Path, hub: list[tuple[str, str]]) -> None:
    path = fetch(HUB, accept_licence=True)
    assert path == weights_folder / HUB / "SegmentationModel" / "unet_synt_liver_tumors.pt"
    assert path.read_bytes() == DATA
    assert fetch(HUB, accept_licence=True) == path
    assert hub == [("MrGiovanni/DiffTumor", "SegmentationModel/unet_synt_liver_tumors.pt")]
    record = json.loads((weights_folder / HUB / "source.json").read_text("utf-8"))
    assert record["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert record["licence"] == "CC-BY-NC-ND-4.0"
    assert record["verified"] is False


def test_what_was_written_down_is_compared_the_next_time(
    weights_folder: Path, hub: list[tuple[str, str]]
) -> None:
    path = fetch(HUB, accept_licence=True)
    path.write_bytes(b"something else")
    with pytest.raises(InputError, match="was removed"):
        fetch(HUB, accept_licence=True)
    assert not path.exists()
    assert fetch(HUB, accept_licence=True).read_bytes() == DATA


def test_a_known_hash_is_verified(
    weights_folder: Path, hub: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="SHA-256"):
        fetch("difftumor-liver-nnunet", accept_licence=True)
    assert not cache.place(CATALOGUE["difftumor-liver-nnunet"]).exists()
    _known(monkeypatch, HUB, sha256=hashlib.sha256(DATA).hexdigest())
    fetch(HUB, accept_licence=True)
    record = json.loads((weights_folder / HUB / "source.json").read_text("utf-8"))
    assert record["verified"] is True


def test_without_a_network_there_is_one_sentence(
    weights_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: Any, **__: Any) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("No connection.\nMore words.")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
    loudness = huggingface_hub.logging.get_verbosity()
    with pytest.raises(InputError) as caught:
        fetch(HUB, accept_licence=True)
    assert "No connection" in str(caught.value)
    assert "More words" not in str(caught.value)
    assert "by hand" in str(caught.value)
    assert huggingface_hub.logging.get_verbosity() == loudness
    assert not weights_folder.exists()


def test_what_has_no_page_gets_a_sentence(weights_folder: Path) -> None:
    with pytest.raises(InputError, match="No public page"):
        fetch("synthetictumors-liver-synt-unet", accept_licence=True)


class _Server(http.server.BaseHTTPRequestHandler):
    """Serves `DATA`; the first answers break off, if `breaks` says so."""

    breaks = 0
    ranges = True
    code = 0
    asked: list[str | None] = []  # noqa: RUF012  set anew for every test

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        type(self).asked.append(wanted)
        if self.code:
            self.send_error(self.code)
            return
        start = int(wanted.split("=")[1].rstrip("-")) if wanted and self.ranges else 0
        if start >= len(DATA):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(DATA) - start))
        self.end_headers()
        part = DATA[start:]
        if type(self).breaks:
            type(self).breaks -= 1
            part = part[: len(part) // 3]
        self.wfile.write(part)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, weights_folder: Path) -> Iterator[type[_Server]]:
    """Serve the weights of an address from this machine."""
    handler = type("Handler", (_Server,), {"asked": []})
    monkeypatch.setattr("oncoforge.checkpoints.download._WAIT_S", 0.0)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        address = f"http://127.0.0.1:{running.server_address[1]}/model_swinvit.pt"
        _known(monkeypatch, "swin-unetr-ssl", source=address)
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield handler
        running.shutdown()
        thread.join()


def _place(weights_folder: Path) -> Path:
    return weights_folder / "swin-unetr-ssl" / "model_swinvit.pt"


def test_a_file_of_an_address_arrives_whole(server: type[_Server], weights_folder: Path) -> None:
    seen = []
    path = fetch("swin-unetr-ssl", accept_licence=True, progress=lambda *n: seen.append(n))
    assert path == _place(weights_folder)
    assert path.read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA))
    assert sorted(p.name for p in path.parent.iterdir()) == ["model_swinvit.pt", "source.json"]


def test_a_download_goes_on_where_it_broke_off(server: type[_Server], weights_folder: Path) -> None:
    server.breaks = 2
    assert fetch("swin-unetr-ssl", accept_licence=True).read_bytes() == DATA
    third = len(DATA) // 3
    assert server.asked[:2] == [None, f"bytes={third}-"]
    assert len(server.asked) == 3


def test_a_download_of_an_earlier_run_goes_on(server: type[_Server], weights_folder: Path) -> None:
    server.breaks = 4
    with pytest.raises(InputError, match="goes on where it stopped"):
        fetch("swin-unetr-ssl", accept_licence=True)
    assert not _place(weights_folder).exists()
    assert fetch("swin-unetr-ssl", accept_licence=True).read_bytes() == DATA
    assert server.asked[-1] is not None


def test_a_server_that_cannot_go_on_sends_all_again(
    server: type[_Server], weights_folder: Path
) -> None:
    server.breaks, server.ranges = 1, False
    assert fetch("swin-unetr-ssl", accept_licence=True).read_bytes() == DATA


def test_what_is_left_of_another_file_is_thrown_away(
    server: type[_Server], weights_folder: Path
) -> None:
    part = _place(weights_folder).with_name(".model_swinvit.pt.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(len(DATA) + 5))
    assert fetch("swin-unetr-ssl", accept_licence=True).read_bytes() == DATA


def test_a_file_that_is_gone_is_asked_for_once(server: type[_Server], weights_folder: Path) -> None:
    server.code = 404
    with pytest.raises(InputError, match="answers 404"):
        fetch("swin-unetr-ssl", accept_licence=True)
    assert len(server.asked) == 1


def test_a_server_in_trouble_is_asked_again(server: type[_Server], weights_folder: Path) -> None:
    server.code = 503
    with pytest.raises(InputError, match="could not be fetched"):
        fetch("swin-unetr-ssl", accept_licence=True)
    assert len(server.asked) == 4


def test_a_folder_that_cannot_be_made_gets_a_sentence(
    server: type[_Server], weights_folder: Path
) -> None:
    weights_folder.write_text("a file")
    with pytest.raises(OutputError, match="ONCOFORGE_WEIGHTS"):
        fetch("swin-unetr-ssl", accept_licence=True)


def test_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONCOFORGE_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache.folder() == Path("/somewhere/oncoforge/weights")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.folder() == Path.home() / ".cache" / "oncoforge" / "weights"
