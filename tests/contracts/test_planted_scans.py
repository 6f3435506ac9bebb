"""Every family of methods finds a bright ball of known place in a scan, through an anisotropic, turned and flipped file."""

from functools import cache

import numpy as np
import pytest
import torch

import seewhy
from scans import CENTRE, RADIUS, BallNet, planted
from seewhy.core.volume import Volume
from seewhy.engine.volumes import prepare_volume

SIZE = 16
"""Cells of the input along each side: 6 mm."""
CELL = 96 / SIZE
QUICK = {
    "extremal-perturbation": {"steps": 100, "cells": 8, "areas": (0.03,)},
    "hsic": {"samples": 300, "cells": 4},
    "kernel-shap": {"samples": 200},
    "lime": {"samples": 200},
    "meaningful-perturbation": {"steps": 60},
    "partition-shap": {"samples": 2000},
    "rise": {"samples": 600, "cells": 4},
    "shapley-sampling": {"samples": 4},
    "sobol": {"samples": 8, "cells": 4},
    "ss-cam": {"samples": 8},
    "occlusion": {"window": 4, "stride": 2},
}
"""Settings that end within seconds; all others take a few steps or samples."""

BARS = {"rise": 0.4, "hsic": 0.3}
"""Estimates from random masks, which leave noise on the places that do nothing; all others reach a half."""

OTHERS = {
    "attention-flow",
    "attention-rollout",
    "b-cos",
    "gradient-rollout",
    "le-grad",
    "raw-attention",
    "tis",
    "token-removal",
}
"""Methods that are for transformers or B-cos networks."""

EXEMPT = {
    "random-cam": "it is the control that knows nothing",
    "deconvnet": "it does not depend on where a rectifier was open, which is its known defect",
    "vit-cx": "it groups the channels of a layer, and only one of this network's is ever alive",
}


def made(key):
    settings = QUICK.get(key, {"steps": 8, "samples": 8})
    known = set(seewhy.method(key).settings())
    return seewhy.method(key, **{name: value for name, value in settings.items() if name in known})


@cache
def scan():
    return Volume(*planted("PIR"), name="planted")


@cache
def session():
    return seewhy.Session(
        seewhy.Model(BallNet().eval(), size=SIZE, depth=SIZE, mean=0, std=1000, labels=["bright", "dark"])
    )


def inside(margin):
    """Mark the voxels within the ball and a margin, in millimetres."""
    places = np.argwhere(np.ones(scan().shape, bool)) @ scan().affine[:3, :3].T + scan().affine[:3, 3]
    return (np.linalg.norm(places - CENTRE, axis=1) < RADIUS + margin).reshape(scan().shape)


@pytest.mark.parametrize("key", sorted(set(seewhy.methods()) - OTHERS - set(EXEMPT)))
def test_most_of_the_evidence_lies_in_the_ball(key):
    sample = prepare_volume(scan(), session().model)
    explanation = session().explain([sample], "bright", made(key))
    drawn = explanation.in_source().numpy()
    assert drawn.shape == scan().shape
    evidence = np.maximum(np.nan_to_num(drawn), 0)
    near = inside(2 * CELL)
    assert near.mean() < 0.08
    assert evidence[near].sum() / evidence.sum() > BARS.get(key, 0.5)
    strongest = np.unravel_index(int(evidence.argmax()), evidence.shape)
    assert np.linalg.norm((scan().affine @ [*strongest, 1])[:3] - CENTRE) < RADIUS + CELL


@pytest.mark.parametrize("key", sorted(OTHERS))
def test_methods_that_are_for_other_networks_say_so(key):
    sample = prepare_volume(scan(), session().model)
    with pytest.raises((seewhy.MethodError, seewhy.LayerError)):
        session().explain([sample], "bright", seewhy.method(key))


def test_a_gradient_of_a_linear_network_is_its_weights_on_the_scans_own_voxels():
    weights = torch.rand(1, 1, SIZE, SIZE, SIZE, generator=torch.Generator().manual_seed(0))

    class Linear(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(weights)

        def forward(self, scans):
            return (scans * self.weight).flatten(1).sum(dim=1, keepdim=True).expand(-1, 2)

    model = seewhy.Model(Linear(), size=SIZE, depth=SIZE, mean=0, std=1, orientation="SPL")
    # as many voxels as cells, stored from head to feet, from left to right, from back to front
    volume = Volume(
        np.ones((SIZE, SIZE, SIZE), np.float32),
        np.array([[0, 1.0, 0, 0], [0, 0, 1.0, 0], [-1.0, 0, 0, 0], [0, 0, 0, 1]]),
    )
    assert volume.directions == "IRA"
    drawn = seewhy.Session(model).explain([prepare_volume(volume, model)], 0, "saliency").in_source()
    # S is the first axis from behind, P the third from behind, L the second from behind
    wanted = weights[0, 0].flip((0, 1, 2)).permute(0, 2, 1)
    assert torch.allclose(drawn, wanted, atol=1e-6)
