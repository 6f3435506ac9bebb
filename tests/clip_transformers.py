"""Small transformers for clips, of `transformers`, with random weights; they take (b, t, c, h, w)."""

import pytest
import torch

import seewhy

transformers = pytest.importorskip("transformers")
SIDE, CLASSES = 32, 4
_SMALL = {"num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 48, "num_labels": CLASSES}


def made(kind, *, frames=8, side=SIDE, patch=8, width=24, seed=0, **config):
    """Return a small "videomae" (joint, tubelets of 2 frames), "vivit" (the same with a class token) or "timesformer" (divided)."""
    torch.manual_seed(seed)
    shared = {"image_size": side, "num_frames": frames, "hidden_size": width, **_SMALL} | config
    if kind == "videomae":
        network = transformers.VideoMAEForVideoClassification(
            transformers.VideoMAEConfig(patch_size=patch, tubelet_size=2, **shared)
        )
    elif kind == "vivit":
        network = transformers.VivitForVideoClassification(
            transformers.VivitConfig(tubelet_size=[2, patch, patch], **shared)
        )
    else:
        network = transformers.TimesformerForVideoClassification(
            transformers.TimesformerConfig(patch_size=patch, **shared)
        )
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for (
            name,
            parameter,
        ) in (
            network.named_parameters()
        ):  # larger than at the start of training, so that tokens tell apart what they look at
            if parameter.dim() > 1 and "embeddings" not in name:
                parameter.normal_(std=parameter.shape[-1] ** -0.5, generator=generator)
            elif "position" in name or "time_embed" in name or "cls_token" in name:
                parameter.normal_(std=0.3, generator=generator)
    return network.eval()


KINDS = ("videomae", "vivit", "timesformer")


def model_of(network, **stated):
    """Return a network of these with its layout stated."""
    config = network.config
    stated = {
        "frames": config.num_frames,
        "layout": "btchw",
        "size": config.image_size,
        "mean": 0.5,
        "std": 0.5,
    } | stated
    return seewhy.Model(network, **stated)


def clips(count=2, frames=8, side=SIDE, seed=0, dtype=torch.float32):
    """Return clips of random numbers (b, c, t, h, w)."""
    return torch.randn(count, 3, frames, side, side, generator=torch.Generator().manual_seed(seed)).to(dtype)
