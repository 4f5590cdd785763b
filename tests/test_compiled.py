"""Compiled functions: cached where they can be, compiled all the same where they cannot."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from oncoforge import compiled as module
from oncoforge.compiled import compiled, inlined


def total(values):
    result = 0.0
    for value in values:
        result += value
    return result


def test_a_compiled_function_computes_what_the_plain_one_does():
    values = np.random.default_rng(0).random(100)
    assert compiled(total)(values) == total(values)
    assert inlined(total)(values) == total(values)


def test_a_signature_compiles_at_once():
    assert compiled(total, "float64(float64[:])").signatures


def test_without_a_place_for_the_cache_functions_still_compile(monkeypatch):
    real = module.njit

    def refusing(*args, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(*args, **options)

    monkeypatch.setattr(module, "njit", refusing)
    assert compiled(total)(np.arange(4.0)) == 6.0


@pytest.mark.slow
def test_synthesis_runs_where_nothing_can_be_cached(tmp_path):
    script = (
        "from numba.core import caching\n"
        "caching.CacheImpl._locator_classes = []\n"
        "import numpy as np, oncoforge as of\n"
        "image = np.full((30, 30, 30), 100, np.float32)\n"
        "organ = np.ones(image.shape, bool)\n"
        "out = of.Handcrafted('tiny', count=1)(image, organ, (1, 1, 1), np.random.default_rng(0))\n"
        "print(out.tumor.any())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stdout.strip() == "True", done.stderr
