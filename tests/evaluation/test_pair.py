"""Two pictures: the score, both maps, and the exact split over pairs of places."""

import pytest
import torch
from torch import nn

import seewhy
from seewhy.evaluation.pair import compare_pair


class Embedder(nn.Module):
    """Colours of 2 x 2 blocks, averaged over the picture, and a linear layer."""

    def __init__(self, *, bent: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head, self.bent = nn.Conv2d(3, 4, 2, 2), nn.Linear(4, 5), bent

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = self.head(self.body(x).mean(dim=(2, 3)))
        return made.tanh() if self.bent else made


def pictures() -> torch.Tensor:
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("measure", ["cosine", "dot"])
def test_the_pairs_of_a_pooled_linear_head_add_up_to_the_score(measure):
    network = Embedder().double()
    with seewhy.Session(seewhy.Model(network)) as session:
        found = compare_pair(session, session.samples(pictures()), seewhy.method("grad-cam"), measure=measure)
    a, b = network(pictures()).detach()
    wanted = float(a @ b) if measure == "dot" else float(torch.cosine_similarity(a, b, dim=0))
    assert found.score == pytest.approx(wanted, abs=1e-12)
    assert float(found.pairs.values.sum()) == pytest.approx(wanted, abs=1e-9)
    for one in found.pairs.maps:
        assert one.shape == (4, 4) and float(one.sum()) == pytest.approx(wanted, abs=1e-9)


def test_a_bent_head_has_no_exact_split_and_a_distance_has_none():
    with seewhy.Session(seewhy.Model(Embedder(bent=True).double())) as session:
        assert compare_pair(session, session.samples(pictures()), seewhy.method("saliency")).pairs is None
    with seewhy.Session(seewhy.Model(Embedder().double())) as session:
        assert (
            compare_pair(session, session.samples(pictures()), seewhy.method("saliency"), measure="distance").pairs
            is None
        )


def test_each_map_holds_the_other_pictures_embedding_fixed():
    network = Embedder(bent=True).double()
    with seewhy.Session(seewhy.Model(network)) as session:
        found = compare_pair(session, session.samples(pictures()), seewhy.method("input-x-gradient"))
    for row in (0, 1):
        own = pictures()[row : row + 1].requires_grad_()
        other = network(pictures()[1 - row : 2 - row]).detach()
        torch.cosine_similarity(network(own), other, dim=1).sum().backward()
        torch.testing.assert_close(
            found.maps.heatmap[row], (own * own.grad).sum(dim=1)[0].detach(), rtol=1e-6, atol=1e-9
        )


def test_a_planted_mark_is_where_two_pictures_are_alike(tmp_path):
    """A red square in different corners of two pictures; the embedding is how red each block is."""
    network = Embedder()
    network.body.weight.data.zero_()
    network.body.weight.data[0, 0] = 0.25
    network.body.bias.data.zero_()
    network.head = nn.Linear(4, 4, bias=False)
    network.head.weight.data = torch.eye(4)
    both = torch.zeros(2, 3, 8, 8)
    both[0, 0, :4, :4] = 1
    both[1, 0, 4:, 4:] = 1
    with seewhy.Session(seewhy.Model(network)) as session:
        samples = session.samples(both)
        report = seewhy.similarity(*samples, session, threshold=0.5, measure="dot")
    first, second = report.found.pairs.maps
    assert torch.equal(first > 0, torch.tensor([[True, True, False, False]] * 2 + [[False] * 4] * 2))
    assert torch.equal(second > 0, first.flip(0, 1) > 0)
    assert report.score == pytest.approx(1 / 16) and report.same is False
    numbers = report.numbers()
    assert numbers["margin"] == pytest.approx(1 / 16 - 0.5) and len(numbers["pairs"]) == 4
    for ending in ("html", "png", "json"):
        assert report.save(tmp_path / f"pair.{ending}").stat().st_size > 500
    assert "not the same" in (tmp_path / "pair.html").read_text()


def test_a_network_whose_answer_is_no_vector_is_refused():
    with (
        seewhy.Session(seewhy.Model(nn.Conv2d(3, 2, 1).double())) as session,
        pytest.raises(seewhy.TargetError, match="name a layer"),
    ):
        seewhy.similarity(*session.samples(pictures()), session)
