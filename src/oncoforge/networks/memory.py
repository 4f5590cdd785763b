"""The most bytes that live tensors take while something runs, on whatever device."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LivePeak(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follow the storages of the tensors that operations return, and note the most at once.

    It works on ``torch.device("meta")``, where tensors have sizes and nothing in them. What a
    kernel takes for itself while it runs (workspaces, reordered copies) is not seen.

    Parameters
    ----------
    tensors
        What lives already: weights, inputs.

    Attributes
    ----------
    peak_bytes
        The most so far.
    """

    def __init__(self, tensors: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak_bytes = self._live_bytes = 0
        self._known: dict[int, int] = {}
        for tensor in tensors:
            self._follow(tensor)

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._follow(tensor)
        return result

    def _follow(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known:
            return
        self._known[key] = storage.nbytes()
        self._live_bytes += storage.nbytes()
        self.peak_bytes = max(self.peak_bytes, self._live_bytes)
        weakref.finalize(storage, self._forget, key).atexit = False

    def _forget(self, key: int) -> None:
        self._live_bytes -= self._known.pop(key)
