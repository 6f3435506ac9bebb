import pytest
import torch
from token_oracle import TRANSFORMERS, WINDOWS, PlainViT, built, explained, pictures, spotted, trained, without

import seewhy
from seewhy.attribution.token_removal import _difference
from seewhy.targets import ClassScore


def test_by_hand_one_token_at_a_time():
    """Every patch taken out of the sequence of a plain transformer, with no engine in between."""
    network, images = built("plain"), pictures()
    whole = network(images)[:, 1]
    expected = torch.stack([whole - without(network, images, [n])[:, 1] for n in range(16)], dim=1).view(2, 4, 4)
    torch.testing.assert_close(explained(network, images, "token-removal").heatmap, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", ["plain, norm last", "plain, mean of patches"])
def test_by_hand_blocks_of_four(name):
    """A token's value is the mean over the blocks of 2 x 2 that hold it."""
    network, images = built(name), pictures()
    whole = network(images)[:, 1]
    summed, count = torch.zeros(2, 16, dtype=torch.float64), torch.zeros(16)
    for row in range(3):
        for column in range(3):
            block = [4 * (row + i) + column + j for i in (0, 1) for j in (0, 1)]
            summed[:, block] += (whole - without(network, images, block)[:, 1])[:, None]
            count[block] += 1
    found = explained(network, images, "token-removal", block=2).heatmap
    torch.testing.assert_close(found, (summed / count).view(2, 4, 4), rtol=1e-8, atol=1e-10)


class Additive(PlainViT):
    """A network whose answer is a sum over its tokens, so that each has one value, whichever others are there."""

    def __init__(self) -> None:
        super().__init__(token=False)
        self.norm = torch.nn.LayerNorm(24)

    def answer(self, sequence):
        return self.values(sequence).sum(dim=1)

    def values(self, sequence):
        return self.head(self.norm(sequence))


class TestRandomSubsets:
    @pytest.fixture(scope="class")
    def additive(self):
        torch.manual_seed(0)
        network = Additive().double().eval()
        images = pictures()
        with torch.no_grad():
            values = network.values(network.sequence(images))[..., 1].view(2, 4, 4)
        return network, images, values

    def test_what_each_token_adds_is_found_within_the_error(self, additive):
        network, images, values = additive
        found = explained(network, images, "token-removal", samples=400)
        # subsets of a fixed size: each token against the mean of the others, hence n / (n - 1) (v - mean v)
        expected = (values - values.mean(dim=(1, 2), keepdim=True)) * 16 / 15
        assert (found.heatmap - expected).abs().max() <= 4.5 * found.error.max()
        assert torch.corrcoef(torch.stack([found.heatmap.flatten(), expected.flatten()]))[0, 1] > 0.95

    def test_the_error_falls_with_the_root_of_the_samples(self, additive):
        network, images, _ = additive
        few, many = (explained(network, images, "token-removal", samples=n).error.mean() for n in (100, 1600))
        assert float(few / many) == pytest.approx(4, rel=0.15)

    def test_all_tokens_are_dropped_equally_often(self):
        """Ten subsets of a quarter of 16 are two permutations and a half."""
        method = seewhy.method("token-removal", samples=8, share=0.25)
        dropped = []

        class Stub:
            def generator(self):
                return torch.Generator().manual_seed(0)

        kept = list(method._kept(Stub(), (4, 4), dropped))
        assert torch.stack(dropped).sum(dim=0).tolist() == [2] * 16
        assert all(one.shape == (1, 12) and not dropped[n][one[0]].any() for n, one in enumerate(kept))

    def test_difference_and_error_by_hand(self):
        """One token: kept at 3 and 5, dropped at 1 and 2. Means 4 and 1.5; variances of the means 2 / 2 and 0.5 / 2."""
        scores = torch.tensor([[3.0], [1.0], [5.0], [2.0]])
        found, error = _difference(scores, torch.tensor([[0.0], [1], [0], [1]]))
        assert float(found) == pytest.approx(2.5)
        assert float(error) == pytest.approx((1 + 0.25) ** 0.5)

    def test_a_token_that_always_stays_is_zero(self):
        found, error = _difference(torch.tensor([[3.0], [1.0]]), torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
        assert float(found[0, 0]) == 0 and float(error[0, 0]) == 0
        assert float(found[0, 1]) == pytest.approx(-2)


@pytest.mark.parametrize("key", ["token-removal", "tis", "vit-cx"])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_it_runs_on_transformers_as_people_have_them(name, key):
    """The map has the grid, differs from place to place, and the passes were partial where tokens are dropped."""
    settings = {"tis": {"samples": 6}}.get(key, {})
    found = explained(built(name), pictures(), key, **settings)
    assert found.heatmap.shape == (2, *((32, 32) if key == "vit-cx" else (4, 4)))
    assert found.heatmap.flatten(1).std(dim=1).min() > 0
    assert key == "vit-cx" or found.cost.partial >= 6


@pytest.mark.parametrize("key", ["token-removal", "tis"])
class TestNetworksThatItDoesNotFit:
    @pytest.mark.parametrize("name", WINDOWS)
    def test_windows_want_all_tokens(self, name, key):
        with pytest.raises(seewhy.MethodError, match="without windows; 'occlusion' and 'rise'"):
            explained(built(name), pictures(), key)

    def test_convolutions_have_no_tokens(self, key, cnn, images):
        with pytest.raises(seewhy.MethodError, match="no sequence of tokens"):
            explained(cnn, images, key)


def test_a_layer_behind_which_all_tokens_are_wanted_is_refused():
    with pytest.raises(seewhy.MethodError, match=r"behind layer 'encoder.layers.0.norm1' the network wants all tokens"):
        explained(built("plain"), pictures(), "token-removal", layer="encoder.layers.0.norm1")


def test_a_block_as_large_as_the_grid_is_refused():
    with pytest.raises(seewhy.ShapeError, match="a block of 4 x 4 tokens must be smaller than the grid of 4 x 4"):
        explained(built("plain"), pictures(), "token-removal", block=4)


class TestBudget:
    def test_it_leaves_tokens_unjudged_and_says_so(self):
        found = explained(built("plain"), pictures(1), "token-removal", budget=5)
        assert (found.heatmap != 0).sum() == 5
        assert any("11 of 16 tokens could not be judged" in note for note in found.notes[0])

    def test_enough_of_it_changes_nothing(self):
        network, images = built("plain"), pictures(1)
        maps = [explained(network, images, "token-removal", budget=budget).heatmap for budget in (None, 500)]
        torch.testing.assert_close(*maps, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "settings"),
    [("token-removal", {"block": 2}), ("token-removal", {"samples": 200}), ("tis", {"samples": 64}), ("vit-cx", {"fill": "noise"})],
)  # fmt: skip
def test_the_coloured_square_is_found_in_a_trained_transformer(key, settings):
    """Of the four brightest patches most are the four that decide the class; by chance it would be a sixteenth."""
    images, classes, squares = spotted(24, 7)
    found = explained(trained(), images, key, target=ClassScore(tuple(classes.tolist())), **settings).heatmap
    patches = torch.nn.functional.adaptive_avg_pool2d(found[:, None], 8).flatten(1)
    hits = squares.flatten(1).gather(1, patches.topk(4).indices).float().mean()
    assert hits > 0.6


@pytest.mark.parametrize(
    "settings", [{"block": 0}, {"share": 0.0}, {"share": 1.0}, {"samples": 1}, {"samples": 0}, {"budget": "soon"}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(seewhy.ConfigError):
        seewhy.method("token-removal", **settings)
