import numpy as np
import pytest
import torch
from captum._utils.models.linear_model import SkLearnLinearRegression
from captum.attr import LimeBase
from segment_oracle import FIVE, TWELVE, explained, per_segment
from sklearn.linear_model import Ridge

import seewhy


def drawn(samples: int, players: int) -> torch.Tensor:
    """The coalitions that seed 0 draws."""
    return torch.rand(samples, players, generator=torch.Generator().manual_seed(0)) < 0.5


@pytest.mark.parametrize(
    ("distance", "width", "ridge"), [("cosine", 0.25, 1.0), ("cosine", 1.0, 0.0), ("euclidean", 0.7, 5.0)]
)
def test_equals_the_weighted_ridge_regression_of_scikit_learn(cnn, images, distance, width, ridge):
    settings = {"segments": TWELVE, "samples": 80, "distance": distance, "width": width, "ridge": ridge}
    found = explained(cnn, images[:1], "lime", **settings)
    shown = torch.cat([torch.ones(1, 12, dtype=torch.bool), drawn(80, 12)])
    with torch.no_grad():
        scores = cnn(torch.stack([images[0] * who[TWELVE] for who in shown]))[:, 1].numpy()
    z = shown.numpy().astype(float)
    share = z.mean(axis=1)
    away = 1 - np.sqrt(share) if distance == "cosine" else np.sqrt(1 - share)
    weights = np.exp(-((away / width) ** 2))
    theirs = Ridge(alpha=ridge, solver="cholesky").fit(z, scores, weights)
    np.testing.assert_allclose(per_segment(found.heatmap, TWELVE)[0], theirs.coef_, atol=1e-10)
    assert found.figures["R² of the surrogate"][0] == pytest.approx(theirs.score(z, scores, weights))


def test_equals_captum_with_the_same_coalitions(cnn, images):
    shown = drawn(60, 12)
    stream = iter(shown)
    width = 0.5

    def similarity(original, perturbed, who, **_):
        share = who.double().mean()
        return torch.exp(-((1 - share.sqrt()) ** 2) / width**2)

    theirs = LimeBase(
        lambda x: cnn(x.double())[:, 1:2],
        SkLearnLinearRegression(),
        similarity,
        lambda original, **_: next(stream).double()[None],
        True,
        lambda who, original, **_: original * who[0][TWELVE],
        lambda original, perturbed, **_: perturbed,
    ).attribute(images[:1], n_samples=60)
    found = explained(cnn, images[:1], "lime", segments=TWELVE, samples=60, width=width, ridge=0.0)
    again = per_segment(found.heatmap, TWELVE)
    # Captum has no sample of the image itself: fit without it
    from seewhy.ops.coalitions import linear_fit

    with torch.no_grad():
        scores = cnn(torch.stack([images[0] * who[TWELVE] for who in shown]))[:, 1]
    alone = linear_fit(shown, scores, found.method.kernel(shown), 0.0).values
    torch.testing.assert_close(theirs[0].double(), alone, rtol=0, atol=1e-4)
    assert float((again[0] - alone).abs().max()) < 0.1 * float(alone.abs().max())


def test_a_linear_network_has_a_perfect_surrogate_without_error(linear, images):
    found = explained(linear, images, "lime", segments=FIVE, samples=40, ridge=0.0)
    assert found.figures["R² of the surrogate"] == pytest.approx([1, 1, 1])
    assert found.error.max() < 1e-12


def test_ridge_shrinks_and_the_quality_says_so(cnn, images):
    small, large = (explained(cnn, images, "lime", segments=FIVE, samples=60, ridge=ridge) for ridge in (0.0, 1e4))
    assert large.heatmap.abs().max() < 0.01 * small.heatmap.abs().max()
    assert all(a > b for a, b in zip(*(one.figures["R² of the surrogate"] for one in (small, large)), strict=True))


def test_a_narrow_kernel_looks_near_the_image(linear, images):
    """By hand, five segments, cosine: with two shown of five, 1 - sqrt(0.4) = 0.3675."""
    method = seewhy.method("lime", width=0.1)
    shown = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=torch.bool)
    expected = [1.0, np.exp(-((0.367544 / 0.1) ** 2)), np.exp(-100)]
    np.testing.assert_allclose(method.kernel(shown), expected, rtol=1e-4)


def test_fewer_samples_than_segments_are_said(cnn, images):
    found = explained(cnn, images, "lime", segments=TWELVE, samples=6, ridge=0.0)
    assert any("fewer samples than segments" in note for note in found.notes[0])
    assert torch.isinf(found.error).all()


def test_errors_are_those_that_other_seeds_show(cnn, images):
    found = [explained(cnn, images[:1], "lime", segments=FIVE, samples=120, seed=seed, ridge=0.0) for seed in range(40)]
    spread = torch.stack([one.heatmap for one in found]).std(dim=0)
    said = torch.stack([one.error for one in found]).square().mean(dim=0).sqrt()
    assert 0.8 < float((spread / said).square().mean().sqrt()) < 1.2


@pytest.mark.door
@pytest.mark.parametrize("wrong", [{"samples": 0}, {"width": 0.0}, {"ridge": -1.0}, {"distance": "manhattan"}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(seewhy.ConfigError, match="lime wants"):
        seewhy.method("lime", **wrong)
