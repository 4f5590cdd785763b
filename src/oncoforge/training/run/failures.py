"""What ends a training, where it is something that people can mend: one sentence."""

from __future__ import annotations

import re

import torch

_SMALLER = "give a smaller --data.batch_size or --model.pipeline.patch"

_OURS = re.compile(r"^oncoforge\.errors\.\w+: (.*)$", re.MULTILINE)


def sentence_of(error: BaseException) -> str | None:
    """Return what to say of an error; None if nobody but a programmer can mend it.

    Parameters
    ----------
    error
        What PyTorch or a process that makes patches raised. Of an error in such a process, the text
        is its traceback, and the sentence is at the end.
    """
    words = str(error)
    if "DataLoader worker" in words and (ours := _OURS.findall(words)):
        return str(ours[-1])
    if isinstance(error, torch.cuda.OutOfMemoryError):
        first = words.splitlines()[0]
        return (
            f"The GPU has too little memory ({first}); {_SMALLER}, or --trainer.precision 16-mixed."
        )
    if "DataLoader worker" in words and "shared memory" in words:
        return (
            "Shared memory is too small for the processes that make patches; give --data.workers "
            "0, or more of it (docker run --shm-size)."
        )
    if re.search(r"DataLoader worker .*(killed by signal|exited unexpectedly)", words):
        return (
            "The system ended a process that makes patches, most likely because memory ran out; "
            f"{_SMALLER}, or fewer --data.workers."
        )
    if isinstance(error, MemoryError) or "MemoryError" in words or "t allocate memory" in words:
        return f"There is too little memory; {_SMALLER}."
    return None
