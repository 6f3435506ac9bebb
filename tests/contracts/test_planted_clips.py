"""Only frames 5 to 7 and one quadrant matter: perturbation methods must find them, in every kind of network for clips."""

import pytest

import seewhy
from clips import FRAMES, NETWORKS, SIDE, layout_of, planted_clip, share_that_matters

QUICK = {
    "extremal-perturbation": {"steps": 100, "cells": 8, "areas": (0.03,)},
    "hsic": {"samples": 300, "cells": 4},
    "kernel-shap": {"samples": 200},
    "lime": {"samples": 200},
    "partition-shap": {"samples": 4000},
    "rise": {"samples": 600, "cells": 5},
    "shapley-sampling": {"samples": 4},
    "sobol": {"samples": 8, "cells": 4},
    "ss-cam": {"samples": 8},
}
"""Settings that end within seconds, or, for extremal perturbation and Partition SHAP, that are fine enough for what was planted; all others as they come."""

BARS = {"rise": 0.3, "hsic": 0.3, "sobol": 0.4}
"""Estimates from random masks, which leave noise on the places that do nothing; all others reach a half. An even map has 0.05 there."""

FOR_TOKENS = ("tis", "token-removal")
"""They drop tokens, and there are none."""


def perturbing():
    return sorted(key for key, method in seewhy.methods().items() if method.family == "perturbation")


@pytest.fixture(scope="module")
def clip():
    return planted_clip()


@pytest.mark.slow
@pytest.mark.parametrize("key", perturbing())
@pytest.mark.parametrize("name", ["3d", "frames-lstm"])
def test_most_of_the_evidence_lies_where_it_is(name, key, clip):
    network = NETWORKS[name]().eval()
    model = seewhy.Model(network, size=SIDE, frames=FRAMES, mean=0.0, std=1.0, layout=layout_of(network))
    method = seewhy.method(key, **QUICK.get(key, {}))
    if key in FOR_TOKENS:
        with pytest.raises(seewhy.MethodError, match="token"):
            seewhy.Session(model).explain(clip, 0, method)
        return
    found = seewhy.Session(model).explain(clip, 0, method)
    if key == "vit-cx":  # it groups the channels of a layer, and only one of these networks' is ever alive
        assert "zero everywhere" in found.notes[0][0]
        return
    assert float(share_that_matters(found.at((FRAMES, SIDE, SIDE)))) > BARS.get(key, 0.5), found.summary()["notes"]


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_windows_find_the_frames_and_the_quadrant_in_every_network(name, clip):
    network = NETWORKS[name]().eval()
    model = seewhy.Model(network, size=SIDE, frames=FRAMES, mean=0.0, std=1.0, layout=layout_of(network))
    found = seewhy.Session(model).explain(clip, 0, seewhy.method("occlusion", window=(2, 8, 8)))
    assert float(share_that_matters(found.heatmap)) > 0.6
    assert found.strongest_frame() in range(4, 9)
