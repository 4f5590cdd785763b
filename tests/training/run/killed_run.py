"""A program that trains and is killed, again and again: each time in a process that is forked.

Forking saves the seconds that importing takes. It reads one request, JSON, from each line of its
input, and answers with the exit status of the process that trained.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MONAI's and Lightning's own, on import
    import torch

    from oncoforge.formats import atomic
    from oncoforge.training.run import checkpoint_io
    from oncoforge.training.run.fit import fit
    from oncoforge.training.run.recipe import read

torch.set_num_threads(1)


def train(config: str, out: str, **how: Any) -> None:
    recipe = read([config])
    module, data = recipe.build()
    fit(module, data, out, trainer=recipe.trainer, settings=recipe.run, config=recipe.text, **how)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_rename(number: int, after: bool) -> None:
    """Die where a file takes its name: right before or right after."""
    rename, count = os.replace, [0]

    def replace(*paths: Any) -> None:
        count[0] += 1
        if count[0] == number and not after:
            die()
        rename(*paths)
        if count[0] == number:
            die()

    atomic.os.replace = replace


def die_in_state(number: int) -> None:
    """Die when half of the state of a run is written."""
    count = [0]

    def save(state: Any, file: Any) -> None:
        count[0] += 1
        torch.save(state, file)
        if count[0] == number:
            file.truncate(file.tell() // 2)
            file.flush()
            die()

    class _Torch:
        load = staticmethod(torch.load)

    _Torch.save = staticmethod(save)
    checkpoint_io.torch = _Torch


def run(request: dict[str, Any]) -> int:
    child = os.fork()
    if child == 0:
        try:
            if "rename" in request:
                die_at_rename(request.pop("rename"), request.pop("after"))
            if "state" in request:
                die_in_state(request.pop("state"))
            train(**request)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


for line in sys.stdin:
    print(run(json.loads(line)), flush=True)
