"""U-Nets told from the shapes of their weights: MONAI's, nnU-Net's and UNet++."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from oncoforge.checkpoints.blueprint import Blueprint, Shapes, count
from oncoforge.errors import InputError

Triple = tuple[int, int, int]


def unet(shapes: Shapes) -> Blueprint | None:
    """Tell MONAI's residual U-Net: levels nest as ``model.1.submodule.1.submodule``."""
    plain = "model.0.conv.weight" in shapes
    unit = "conv" if plain else "conv.unit0.conv"
    head = "model.2.conv.weight" if plain else "model.2.0.conv.weight"
    if f"model.0.{unit}.weight" not in shapes or head not in shapes:
        return None
    channels, strides, at = [], [], "model."
    while (name := f"{at}0.{unit}.weight") in shapes:
        channels.append(shapes[name][0])
        strides.append(_stride(shapes, f"{at}0.residual.weight"))
        at += "1.submodule."
    if f"{at}{unit}.weight" not in shapes:
        return None
    channels.append(shapes[f"{at}{unit}.weight"][0])
    units = 0 if plain else count(shapes, "model.0.conv.unit{}.conv.weight")
    return Blueprint(
        "unet",
        shapes[f"model.0.{unit}.weight"][1],
        shapes[head][1],
        {"channels": tuple(channels), "strides": tuple(strides), "num_res_units": units},
        ("Weights do not tell strides; 2 is supposed at every level.",) if plain else (),
    )


def _stride(shapes: Shapes, residual: str) -> int:
    """Return 2 or 1: the residual of a level that keeps its size is a convolution of one voxel."""
    return 1 if residual in shapes and shapes[residual][2:] == (1, 1, 1) else 2


def nnunet(shapes: Shapes) -> Blueprint | None:
    """Tell MONAI's DynUNet; its plan is one of nnU-Net's rule or is not built here.

    Raises
    ------
    InputError
        If it was planned otherwise.
    """
    first, last = "input_block.conv1.conv.weight", "output_block.conv.conv.weight"
    if first not in shapes or last not in shapes:
        return None
    levels = count(shapes, "downsamples.{}.conv1.conv.weight")
    blocks = [first, *(f"downsamples.{n}.conv1.conv.weight" for n in range(levels)),
              "bottleneck.conv1.conv.weight"]  # fmt: skip
    steps = [f"upsamples.{levels - n}.transp_conv.conv.weight" for n in range(levels + 1)]
    if any(name not in shapes or len(shapes[name]) != 5 for name in (*blocks, *steps)):
        return None
    kernels = [shapes[name][2:] for name in blocks]
    strides = [(1, 1, 1), *(shapes[name][2:] for name in steps)]
    deep = "deep_supervision_heads.0.conv.conv.weight" in shapes
    options = {**_planned(kernels, strides), "deep_supervision": deep}
    return Blueprint("nnunet", shapes[first][1], shapes[last][0], options)


def _planned(kernels: list[tuple[int, ...]], strides: list[tuple[int, ...]]) -> dict[str, object]:
    """Return a spacing and a patch for which nnU-Net plans these kernels and strides."""
    from oncoforge.networks.nnunet import plan

    published = plan((1.0, 1.0, 1.0), (96, 96, 96))
    if (kernels, strides) == published:
        return {}
    for spacing, patch in _plans(strides):
        try:
            if plan(spacing, patch) == (kernels, strides):
                return {"spacing_mm": spacing, "patch": patch}
        except InputError:
            continue
    raise InputError(
        f"The file holds a DynUNet with kernels {_written(kernels)} and strides "
        f"{_written(strides)}, which nnU-Net's rule plans for no spacing and patch; networks here "
        "follow the rule."
    )


def _plans(strides: list[tuple[int, ...]]) -> Iterator[tuple[tuple[float, float, float], Triple]]:
    """Yield spacings and patches that may lead to strides.

    An axis that is not halved from the start is one whose spacing is too coarse, so that it is
    halved once the others are near; at the end of its halvings an axis has 4 to 7 voxels.
    """
    halvings = [sum(stride[axis] == 2 for stride in strides) for axis in range(3)]
    starts = [
        next((n for n, stride in enumerate(strides[1:]) if stride[axis] == 2), len(strides))
        for axis in range(3)
    ]
    x, y, z = ([1.0] if n == 0 else [2.0 * 2**n, 1.5 * 2**n] for n in starts)
    for last in (4, 5, 6, 7):
        a, b, c = (last * 2**n for n in halvings)
        for spacing in product(x, y, z):
            yield spacing, (a, b, c)


def _written(triples: list[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, triple)) for triple in triples)


def unetpp(shapes: Shapes) -> Blueprint | None:
    """Tell MONAI's BasicUNetPlusPlus."""
    levels = ["conv_0_0.conv_0", *(f"conv_{n}_0.convs.conv_0" for n in range(1, 5)),
              "upcat_0_4.convs.conv_0"]  # fmt: skip
    names = [f"{level}.conv.weight" for level in levels]
    if any(name not in shapes for name in (*names, "final_conv_0_4.weight")):
        return None
    return Blueprint(
        "unetpp",
        shapes[names[0]][1],
        shapes["final_conv_0_4.weight"][0],
        {"features": tuple(shapes[name][0] for name in names)},
    )
