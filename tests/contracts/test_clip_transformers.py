"""Every method on a small VideoMAE, ViViT and TimeSformer: a map of the right shape, the same for clips together and alone, or a clear refusal."""

from dataclasses import fields

import pytest
import torch

import seewhy
from clip_transformers import KINDS, clips, made, model_of, planted
from clips import FRAMES, SIDE, planted_clip, share_that_matters

FEW = {
    "extremal-perturbation": {"steps": 3},
    "feature-ablation": {"count": 12},
    "hsic": {"samples": 12, "cells": 2},
    "kernel-shap": {"samples": 12, "count": 8},
    "lime": {"samples": 12, "count": 8},
    "meaningful-perturbation": {"steps": 3},
    "occlusion": {"window": (4, 16, 16), "stride": (4, 16, 16)},
    "partition-shap": {"samples": 24},
    "rise": {"samples": 12},
    "shapley-sampling": {"samples": 2, "count": 6},
    "sobol": {"samples": 2, "cells": 2},
}
"""Settings that make methods of many passes short; any other takes four samples and steps."""

SLOW = {"ablation-cam", "extremal-perturbation", "shapley-sampling"}
"""Those that take seconds all the same."""

RECTIFIED = "relu, relu6, and this network has none of them"
PRODUCTS = "a matmul of 2 things that depend on the image"
REFUSED = {
    "b-cos": "neither linear nor a scaling|no B-cos unit",
    "cam": "average pooling and one linear layer must follow",
    "deconvnet": RECTIFIED,
    "excitation-backprop": PRODUCTS,
    "guided-backprop": RECTIFIED,
    "guided-grad-cam": RECTIFIED,
    "lrp": PRODUCTS,
}
"""What is refused on all three, and why."""

REFUSED_WHERE_DIVIDED = {
    "le-grad": "factorized into time and space",
    "tis": "no sequence of tokens from which some can be dropped",
    "token-removal": "no sequence of tokens from which some can be dropped",
}
"""What is refused on TimeSformer besides."""


def shortened(key, **settings):
    few = FEW.get(key, {"samples": 4, "steps": 4})
    names = {field.name for field in fields(seewhy.methods()[key])}
    return seewhy.method(key, **{name: value for name, value in few.items() if name in names}, **settings)


def refusal(kind, key):
    return REFUSED.get(key) or (REFUSED_WHERE_DIVIDED.get(key) if kind == "timesformer" else None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "key", [pytest.param(key, marks=pytest.mark.slow) if key in SLOW else key for key in sorted(seewhy.methods())]
)
def test_a_map_of_the_clip_or_a_clear_refusal(key, kind):
    session, given = seewhy.Session(model_of(made(kind).double())), clips(2, dtype=torch.float64)
    reason = refusal(kind, key)
    if reason is not None:
        with pytest.raises(seewhy.SeewhyError, match=reason):
            session.explain(given, 1, shortened(key))
        return
    found = session.explain(given, 1, shortened(key))
    coarse = (8 if kind == "timesformer" else 4, 4, 4)
    assert found.heatmap.shape in {(2, *coarse), (2, 8, 32, 32)}
    assert torch.isfinite(found.heatmap).all()
    assert not any("cannot be cut" in note for notes in found.notes for note in notes)
    if key == "random-cam":
        return
    alone = torch.cat([session.explain(given[n : n + 1], 1, shortened(key)).heatmap for n in range(2)])
    torch.testing.assert_close(found.heatmap, alone, rtol=1e-5, atol=1e-7 * float(alone.abs().max()))


def share(kind, key, layer=None, network=None, **settings):
    network = network or planted(kind)
    method = seewhy.method(key, **({"layer": layer} if layer else {}), **settings)
    found = seewhy.Session(model_of(network)).explain(planted_clip(1000), 0, method)
    nearest = torch.nn.functional.interpolate(found.heatmap[:, None], size=(FRAMES, SIDE, SIDE))[:, 0]
    return float(share_that_matters(nearest))


ATTENTION = [("attention-rollout", 0.5), ("raw-attention", 0.6), ("gradient-rollout", 0.8), ("le-grad", 0.6)]
PROPAGATION = [("attn-lrp", 0.9), ("cp-lrp", 0.9), ("libra-grad", 0.9), ("deep-lift", 0.5)]
GRADIENT = [
    ("input-x-gradient", 0.7),
    ("integrated-gradients", 0.75),
    ("blur-ig", 0.8),
    ("idgi", 0.8),
    ("expected-gradients", 0.8),
]
CAM = [
    ("hires-cam", 0.8),
    ("layer-cam", 0.8),
    ("xgrad-cam", 0.7),
    ("eigen-cam", 0.7),
    ("ablation-cam", 0.7),
    ("score-cam", 0.6),
]


class TestPlanted:
    """Three of 16 frames and one of four quadrants hold what the network looks for, 4.7 % of the clip; tubelets of two frames allow 75 to 90 %.

    CAMs that average gradients over the clip before they look at places (Grad-CAM) are left out: where tokens compete for attention, the mean
    gradient of brightness is negative.
    """

    @pytest.mark.parametrize(("key", "bar"), ATTENTION)
    @pytest.mark.parametrize("kind", ["videomae", "vivit"])
    def test_attention_over_all_frames(self, kind, key, bar):
        assert share(kind, key) > bar

    def test_attention_that_gathers_along_time(self):
        """Half of what a token has goes past attention along time, and stays in its frame."""
        assert share("timesformer", "attention-rollout") > 0.55

    def test_gradients_of_divided_attention_that_gathers_nothing_along_time(self):
        network = planted("timesformer", gathers=False)
        assert share("timesformer", "gradient-rollout", network=network) > 0.8

    @pytest.mark.parametrize(("key", "bar"), PROPAGATION + GRADIENT)
    @pytest.mark.parametrize("kind", KINDS)
    def test_propagation_and_gradients(self, kind, key, bar):
        assert share(kind, key) > bar

    @pytest.mark.parametrize(("key", "bar"), CAM)
    @pytest.mark.parametrize("kind", KINDS)
    def test_cams_on_the_first_tokens(self, kind, key, bar):
        assert share(kind, key, layer=f"{kind}.embeddings") > bar

    @pytest.mark.parametrize("kind", ["videomae", "vivit"])
    def test_tokens_that_are_not_there(self, kind):
        """Blocks of two tokens along each side, and single ones."""
        assert share(kind, "token-removal", block=2) > 0.6
        assert share(kind, "token-removal") > 0.8

    @pytest.mark.parametrize("kind", KINDS)
    def test_masks_from_the_networks_own_channels(self, kind):
        assert share(kind, "vit-cx") > 0.8
