"""Many variants of an image: batch norms are merged after the first ones, and nothing else changes."""

import pytest
import torch
from torch import nn

import seewhy
from seewhy.core.needs import Needs
from seewhy.engine.block import Question
from seewhy.engine.network import Network
from seewhy.engine.probe import MANY, NetworkProbe
from seewhy.targets import Channel, ClassScore


def probe_of(session: seewhy.Session, images: torch.Tensor, target: seewhy.Target) -> NetworkProbe:
    return NetworkProbe(Question(session.block(images, target.needs()), target), Needs())


def test_scores_are_those_of_the_network_whatever_the_length_of_the_stream(cnn, images):
    session = seewhy.Session(seewhy.Model(cnn, mean=0.5, std=0.5))
    shades = torch.linspace(0, 1, 3 * MANY, dtype=torch.float64)
    found = torch.stack(list(probe_of(session, images, ClassScore(1)).scores(images * shade for shade in shades)))
    with torch.no_grad():
        expected = torch.stack([cnn(images * shade)[:, 1] for shade in shades])
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)


def test_norms_run_for_the_first_variants_and_not_for_the_others(cnn, images, monkeypatch):
    """The merged copy runs all but the first `MANY` rows, and passes are counted as ever."""
    ran: dict[bool, int] = {True: 0, False: 0}
    forward = Network.forward

    def counted(self, inputs, *args, **kwargs):
        norms = any(isinstance(part, nn.BatchNorm2d) for part in self.module.modules())
        ran[norms] += len(inputs)
        return forward(self, inputs, *args, **kwargs)

    session = seewhy.Session(seewhy.Model(cnn, mean=0.5, std=0.5))
    probe = probe_of(session, images[:1], ClassScore(1))
    monkeypatch.setattr(Network, "forward", counted)
    list(probe.scores(images[:1] for _ in range(MANY + 20)))
    assert ran == {True: MANY, False: 20}
    assert probe.cost.forwards == 1 + MANY + 20


@pytest.mark.parametrize("layer", ["stem.0", "stem.1", "stem"])
def test_a_target_that_looks_at_a_norm_or_before_it_sees_what_the_network_has_there(layer, cnn, images):
    session = seewhy.Session(seewhy.Model(cnn, mean=0.5, std=0.5))
    shades = torch.linspace(0, 1, MANY + 5, dtype=torch.float64)
    found = torch.cat(
        list(probe_of(session, images[:1], Channel(layer, 2)).scores(images[:1] * shade for shade in shades))
    )
    part = cnn.get_submodule(layer) if layer == "stem" else nn.Sequential(*cnn.stem[: int(layer[-1]) + 1])
    with torch.no_grad():
        expected = torch.stack([part(images[:1] * shade)[0, 2].mean() for shade in shades])
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)
