"""Write the recipes of the published experiments, one file each.

    python recipes/make.py            # rewrite them
    python recipes/make.py --check    # say which are stale, and exit with 1

Three tables make them: organs, networks, and what they are trained on. ``smoke.yaml`` is written by
hand and left alone.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
BY_HAND = {"smoke.yaml"}

# The window of SyntheticTumors, which is of the liver alone, and that of Pixel2Cancer.
NARROW, WIDE = [-21.0, 189.0], [-175.0, 250.0]

ORGANS = ("liver", "pancreas", "kidney")

# Name to network, and to the highest learning rate: 4e-4 is published for the convolutional ones.
NETWORKS: Mapping[str, tuple[dict[str, Any], float]] = {
    "unet": ({"name": "unet"}, 4e-4),
    "nnunet": ({"name": "nnunet"}, 4e-4),
    "swin-tiny": ({"name": "swin_unetr", "options": {"size": "tiny"}}, 2e-4),
    "swin-small": ({"name": "swin_unetr", "options": {"size": "small"}}, 2e-4),
    "swin-base": ({"name": "swin_unetr", "options": {"size": "base"}}, 2e-4),
    # The weights were learnt with the legacy merging, and there are none of the other sizes.
    "swin-base-pretrained": (
        {
            "name": "swin_unetr",
            "options": {"size": "base", "merging": "legacy"},
            "encoder": "swin-unetr-ssl",
        },
        2e-4,
    ),
    "segmamba-v0": ({"name": "segmamba", "options": {"version": 0}}, 2e-4),
    "segmamba-v1": ({"name": "segmamba", "options": {"version": 1}}, 2e-4),
}

HANDCRAFTED: dict[str, Any] = {"method": "handcrafted", "probability": 0.9, "size": "random"}
CELLULAR: dict[str, Any] = {"method": "cellular", "probability": 0.9}

# What a network is trained on: real cases or not, healthy cases or not, and their tumours.
DATA: Mapping[str, tuple[bool, bool, list[dict[str, Any]]]] = {
    "real": (True, False, []),
    "handcrafted": (False, True, [HANDCRAFTED]),
    "cellular": (False, True, [CELLULAR]),
    "mixed": (True, True, [HANDCRAFTED]),
}

# Columns of the results in MedCraft's notes, and of the questions of SyntheticTumors: all are the
# U-Net and the liver. Name to words, and to what differs from liver-unet-handcrafted.
VARIANTS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "gmm": (
        "Number, size, form and place of the tumours from a prior that was fitted to real ones: "
        "oncoforge analyze --fit-prior data/liver-prior.json",
        {"synthesis": [{"method": "handcrafted", "probability": 0.9,
                        "prior": "data/liver-prior.json"}]},
    ),
    **{
        f"spheres-{part}": (
            f"{part} % of the tumours are spheres. The notes name the percentage alone; that they "
            "are lesions drawn as spheres is our reading.",
            {"synthesis": [HANDCRAFTED | {"settings": {"spheres": part / 100}}]},
        )
        for part in (5, 10, 12, 15, 17, 25)
    },
    "zhang": (
        "After Zhang et al., \"Self-supervised tumor segmentation through layer decomposition\": "
        "blobs that are brighter or darker than the organ, with plain edges. The notes name the "
        "authors alone; the settings are our reading.",
        {"synthesis": [HANDCRAFTED | {"settings": {
            "rotate": True, "elastic": "volume", "place": "inside", "hyperdense": 0.5,
            "contrast_hu": [-120.0, -20.0], "edge_mm": [0.5, 1.0]}}]},
    ),
    "realistic": (
        "With the effects that the paper of SyntheticTumors describes and its program lacks.",
        {"synthesis": [HANDCRAFTED | {"preset": "realistic"}]},
    ),
    **{
        f"mixed-{real}-{10 - real}": (
            f"Of ten patches {real} are of real cases and {10 - real} of healthy ones.",
            {"real": True, "mix": [real, 10 - real]},
        )
        for real in (1, 3, 5, 7, 9)
    },
}  # fmt: skip


def recipe(organ: str, network: str, data: str) -> dict[str, Any]:
    """Return the recipe of one experiment."""
    real, healthy, synthesis = DATA[data]
    settings, rate = NETWORKS[network]
    narrow = organ == "liver" and data != "cellular"
    labelled = {"lists": [f"data/{organ}/folds/folds.csv"]}
    made: dict[str, Any] = {
        "seed": 0,
        "model": {
            "pipeline": {
                "classes": ["background", organ, f"{organ}_tumor"],
                "spacing_mm": [1.0, 1.0, 1.0],
                "window_hu": NARROW if narrow else WIDE,
                "patch": [96, 96, 96],
                "overlap": 0.75,
            },
            "network": settings,
            "optimizer": {"name": "adamw", "lr": rate, "weight_decay": 1e-5},
            "schedule": {"name": "cosine", "warmup_epochs": 100},
        },
        "data": {
            "fold": 0,
            **({"real": labelled} if real else {}),
            **({"healthy": {"lists": [f"data/{organ}/healthy.json"]}} if healthy else {}),
            "validation": labelled | {"part": "validation"},
            "synthesis": synthesis,
            "batch_size": 2,
        },
        "trainer": {"max_epochs": 4000, "check_val_every_n_epoch": 100, "precision": "32-true"},
    }
    if data == "cellular":
        # Pixel2Cancer draws patches again that hold little of the organ.
        made["data"]["sampling"] = {"least_foreground_mm": 25.0}
    return made


def variant(name: str) -> dict[str, Any]:
    """Return the recipe of a variant."""
    made = recipe("liver", "unet", "handcrafted")
    changes = dict(VARIANTS[name][1])
    if changes.pop("real", False):
        labelled = recipe("liver", "unet", "mixed")["data"]["real"]
        made["data"] = {"fold": 0, "real": labelled} | made["data"]
    made["data"] |= changes
    return made


def files() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every recipe."""
    for organ in ORGANS:
        for network in NETWORKS:
            for data in DATA:
                words = f"The {organ}: {network} on {data} tumours."
                yield f"{organ}-{network}-{data}.yaml", _text(words, recipe(organ, network, data))
    for name, (words, _) in VARIANTS.items():
        yield f"liver-unet-{name}.yaml", _text(words, variant(name))


def _text(words: str, made: dict[str, Any]) -> str:
    head = (
        _wrapped(words)
        + "# Written by recipes/make.py; every key can be changed on the command line.\n"
    )
    return head + yaml.dump(made, Dumper=_Plain, sort_keys=False, default_flow_style=None, width=96)


def _wrapped(words: str) -> str:
    return "".join(f"# {line}\n" for line in textwrap.wrap(words, 94))


class _Plain(yaml.SafeDumper):
    """Without references from one part of a file to another."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _float(dumper: _Plain, value: float) -> yaml.Node:
    # YAML reads 4e-4 as a word: its numbers need a point.
    return dumper.represent_scalar(
        "tag:yaml.org,2002:float", f"{value:.1e}" if 0 < value < 1e-2 else repr(value)
    )


_Plain.add_representer(float, _float)


def stale() -> list[Path]:
    """Return the files that are not what the tables say, those that nothing makes included."""
    wanted = {HERE / name: text for name, text in files()}
    there = {path for path in HERE.glob("*.yaml") if path.name not in BY_HAND}
    changed = [p for p, text in wanted.items() if not p.exists() or p.read_text("utf-8") != text]
    return sorted({*changed, *(there - set(wanted))})


def main() -> int:
    changed = stale()
    wanted = {HERE / name: text for name, text in files()}
    for path in changed:
        print(path.relative_to(HERE.parent))
        if "--check" in sys.argv:
            continue
        if path in wanted:
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
    return 1 if changed and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
