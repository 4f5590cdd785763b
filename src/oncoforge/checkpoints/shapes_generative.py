"""The networks of generators told from the shapes of their weights."""

from __future__ import annotations

from oncoforge.checkpoints.blueprint import Blueprint, Shapes, count


def autoencoder(shapes: Shapes) -> Blueprint | None:
    """Tell DiffTumor's autoencoder."""
    first, last = "encoder.conv_first.conv.weight", "decoder.conv_last.conv.weight"
    codes, inner = "codebook.embeddings", "pre_vq_conv.conv.weight"
    if any(name not in shapes for name in (first, last, codes, inner)):
        return None
    stages = count(shapes, "encoder.conv_blocks.{}.down.conv.weight")
    options = {
        "width": shapes[first][0],
        "downsample": (2**stages,) * 3,
        "latent_channels": shapes[inner][0],
        "codes": shapes[codes][0],
    }
    return Blueprint("difftumor_autoencoder", shapes[first][1], shapes[last][0], options)


def denoiser(shapes: Shapes) -> Blueprint | None:
    """Tell DiffTumor's denoiser."""
    first, last = "init_conv.weight", "final_conv.1.weight"
    bias = "time_rel_pos_bias.relative_attention_bias.weight"
    projection = "init_temporal_attn.fn.fn.fn.to_qkv.weight"
    if any(name not in shapes for name in (first, last, bias, projection)):
        return None
    width, (buckets, heads) = shapes[first][0], shapes[bias]
    levels = count(shapes, "downs.{}.0.block1.proj.weight")
    options = {
        "width": width,
        "multipliers": tuple(
            shapes[f"downs.{n}.0.block1.proj.weight"][0] // width for n in range(levels)
        ),
        "heads": heads,
        "head_dim": shapes[projection][0] // (3 * heads),
        "buckets": buckets,
    }
    return Blueprint("difftumor_denoiser", shapes[first][1], shapes[last][0], options)


def freetumor(shapes: Shapes) -> Blueprint | None:
    """Tell FreeTumor's U-Net, which is both its generator and its critic."""
    first, last = "down_tr64.ops.0.conv1.weight", "out_tr.final_conv.weight"
    if first not in shapes or last not in shapes:
        return None
    options = {"width": shapes[last][1]}
    return Blueprint("freetumor_unet", shapes[first][1], shapes[last][0], options)
