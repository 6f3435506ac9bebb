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


def _linear(layer, weights, bias=()):
    """Set a linear layer to some numbers by (row, column), and a bias by row; all else is zero."""
    layer.weight.zero_()
    if layer.bias is not None:
        layer.bias.zero_()
    for place, value in dict(weights).items():
        layer.weight[place] = value
    for row, value in dict(bias).items():
        layer.bias[row] = value


def _looking(query, key, value, out, *, gain, into):
    """Set attention so that every token looks at bright ones: their brightness, channel 0, is written into channel `into`."""
    width = 8
    if query is key:  # one layer for all three
        _linear(query, {(width, 0): gain, (2 * width, 0): 1.0}, {0: 1.0})
    else:
        _linear(query, {}, {0: 1.0})
        _linear(key, {(0, 0): gain})
        _linear(value, {(0, 0): 1.0})
    _linear(out, {(into, 0): 1.0, (into + 1, 0): -1.0})


def planted(kind, *, frames=16, gain=10.0, head=3.0, gathers=True):
    """Return a network whose weights are set by hand so that logit 0 is how bright the brightest tokens are, and logit 1 its opposite.

    Channels 0 and 1 hold a token's brightness and its opposite, 2 and 3 a constant, 4 and 5 what has been gathered. So norms have a mean of
    zero everywhere. Each layer has one head in which all tokens look at the bright ones; there is nothing between the layers. Along time
    (TimeSformer) bright frames are gathered into all frames of their place; or nothing is, without `gathers`.
    """
    network = made(kind, frames=frames, width=8, num_attention_heads=1, intermediate_size=8)
    base = getattr(network, kind)
    with torch.no_grad():
        cut = base.embeddings.patch_embeddings.projection
        cut.weight.zero_()
        cut.bias.zero_()
        cut.weight[0], cut.weight[1] = 4 / cut.weight[0].numel(), -4 / cut.weight[0].numel()
        cut.bias[2], cut.bias[3] = 1.0, -1.0
        for name in ("position_embeddings", "time_embeddings", "cls_token"):
            if hasattr(base.embeddings, name):
                getattr(base.embeddings, name).zero_()
        if hasattr(base.embeddings, "cls_token"):
            base.embeddings.cls_token[..., 2], base.embeddings.cls_token[..., 3] = 1.0, -1.0
        for layer in base.layers if kind == "vivit" else base.encoder.layer:
            _planted_layer(kind, layer, gain, gathers)
        _linear(network.classifier, {(0, 4): head, (0, 5): -head, (1, 4): -head, (1, 5): head})
    return network


def _planted_layer(kind, layer, gain, gathers):
    if kind == "vivit":
        one = layer.attention
        _looking(one.q_proj, one.k_proj, one.v_proj, one.o_proj, gain=gain, into=4)
        _linear(layer.mlp.fc2, {})
        return
    _linear(layer.output.dense, {})
    inner = layer.attention.attention
    if kind == "videomae":
        _looking(inner.query, inner.key, inner.value, layer.attention.output.dense, gain=gain, into=4)
        return
    _looking(inner.qkv, inner.qkv, inner.qkv, layer.attention.output.dense, gain=gain, into=4)
    along = layer.temporal_attention
    _looking(along.attention.qkv, along.attention.qkv, along.attention.qkv, along.output.dense, gain=gain, into=0)
    _linear(layer.temporal_dense, {(channel, channel): 1.0 for channel in range(8)} if gathers else {})
