"""TIS: show a vision transformer samples of its own tokens, chosen by what it sees in them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.budget import Allowance, Budget
from seewhy.core.cost import Cost
from seewhy.core.method import AUTO, Anatomy, Attribution, Method, Source
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.tokens import dropping_layer
from seewhy.errors import ConfigError, MethodError
from seewhy.ops.channels import ratio


@register
@dataclass(frozen=True)
class TIS(Method):
    """Cluster the channels of a transformer, keep the tokens that each cluster likes best, and average the scores that tokens take part in.

    map_t = sum_i s_i M_it / sum_i M_it - mean_i s_i, with M_i the `keep` share of tokens on which the mean of cluster i of channels is
    largest, and s_i the score when only the tokens of M_i, and those without a place, are handed on.

    Args:
        layer: whose channels are clustered, or a tuple of layers; "auto" is the last one on which the answer depends.
        tokens: where tokens are dropped; "auto" is the first place where the whole sequence has been put together.
        samples: clusters, at most, and so subsets of tokens; at least 2. The authors take 1024.
        keep: share of the tokens that stay, above 0 and below 1.
        budget: the most that may be spent: forwards (500) or a time ("30s"). None is no limit.

    Returns:
        Heatmap (b, h, w) on the grid of the tokens, in units of the score; positive where the score is above its mean when the token
        takes part. The share of tokens that some subset kept is reported as a figure.

    Raises:
        MethodError: the network has no tokens, or wants all of them, as those with windows do (Swin); or the layers lie on another grid.

    Limits: a token always comes along with others that excite the same channels, so what stands beside the object, and looks like it to
        the network, is lit with it. A token that is in no subset is zero: nothing is known of it.
    Source: Englebert et al. 2023, Explaining through Transformer Input Sampling, ICCV Workshops, section 3. Differs in: the mean of the
        scores is taken off, so that zero means no difference; the score is the target's own, a logit unless a probability is asked
        for; the last layer instead of all of them, unless they are named; fewer clusters.
    """

    layer: str | tuple[str, ...] = AUTO
    tokens: str = AUTO
    samples: int = 256
    keep: float = 0.5
    budget: Budget = None

    key = "tis"
    title = "TIS"
    family = "perturbation"
    access = "layers"
    signed = True
    resolution = "layer"
    source = Source(
        "Englebert et al. 2023, Explaining through Transformer Input Sampling, ICCV Workshops", "", "section 3"
    )
    merit = "drops tokens instead of painting over patches, in groups that the network itself forms"
    caution = "lights what excites the same channels as the object; only for transformers without windows"

    def __post_init__(self) -> None:
        Allowance.of(self.budget)
        if self.samples < 2 or not 0 < self.keep < 1 or not self.layer:
            raise ConfigError(
                f"{self.key} wants at least 2 samples, a keep above 0 and below 1 and at least one layer, "
                f"got {self.samples}, {self.keep} and {self.layer!r}"
            )

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers whose channels are clustered, one or several."""
        return (self.layer,) if isinstance(self.layer, str) else self.layer

    def resolve(self, anatomy: Anatomy) -> Method:
        """Return the method with its layers settled."""
        tokens = dropping_layer(anatomy, self.key) if self.tokens == AUTO else self.tokens
        return Method.resolve(replace(self, tokens=tokens), anatomy)

    def needs(self) -> Needs:
        """Return the activations of the layers, and the tokens."""
        return Needs(frozenset({*self.layers, self.tokens}))

    def cost(self) -> Cost | None:
        """Return None: an image may have fewer clusters than are asked for."""
        return None

    def cost_on(self, anatomy: Anatomy) -> Cost:
        """Return the image, and what comes behind the tokens for each subset; a network that cannot be cut there runs whole."""
        columns = sum(anatomy.activation_shape(layer)[0] for layer in self.layers)
        clusters = min(self.samples, columns)
        return Cost(forwards=1, partial=min(clusters, Allowance.of(self.budget).forwards or clusters))

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and the share of tokens that were seen."""
        maps, seen = zip(*(self._one(image) for image in probe.one_by_one()), strict=True)
        return Attribution(torch.cat(maps), figures={"share of tokens in some subset": torch.cat(seen)})

    def _one(self, probe: Probe) -> tuple[Float[Tensor, "1 *spatial"], Float[Tensor, " 1"]]:
        """Return the map of one image, and the share of its tokens that are in some subset."""
        activation = probe.trace().activation
        grid = tuple(activation[self.tokens].shape[2:])
        channels = torch.cat([self._columns(activation[layer], grid, layer) for layer in self.layers])  # (c, n)
        clusters = cluster_means(channels, self.samples, int(torch.randint(2**31, (), generator=probe.generator())))
        subsets = clusters.topk(max(1, round(self.keep * clusters.shape[1])), dim=1).indices.sort(dim=1).values
        scores = torch.cat(list(probe.with_tokens(self.tokens, self._affordable(subsets))))  # (s,)
        masks = torch.zeros_like(clusters).scatter(1, subsets, 1)[: len(scores)].to(scores)  # (s, n)
        coverage = masks.sum(dim=0)
        centred = scores - scores.mean()
        found = ratio(centred @ masks, coverage)  # sum_i s_i M_i / sum_i M_i, minus the mean of s
        return found.view(1, *grid), (coverage > 0).to(scores).mean().view(1)

    def _columns(
        self, activation: Float[Tensor, "1 c *spatial"], grid: tuple[int, ...], layer: str
    ) -> Float[Tensor, "c n"]:
        """Return one row over the tokens for each channel; raise `MethodError` where they are not the tokens that are dropped."""
        if tuple(activation.shape[2:]) != grid:
            raise MethodError(
                f"layer {layer!r} lies on a grid of {tuple(activation.shape[2:])}, and the tokens of {self.tokens!r} on one of {grid}; "
                "name a layer of that grid, or leave both to 'auto'"
            )
        return activation[0].flatten(1).double()

    def _affordable(self, subsets: Int[Tensor, "s k"]) -> Iterator[Int[Tensor, "1 k"]]:
        return (subset[None] for subset in Allowance.of(self.budget).spend(subsets, least=2))


def cluster_means(rows: Float[Tensor, "c n"], most: int, seed: int) -> Float[Tensor, "k n"]:
    """Return the means of at most `most` clusters of rows, by k-means from a seed; fewer where fewer rows differ."""
    from sklearn.cluster import KMeans  # type: ignore[import-untyped]

    distinct = len(torch.unique(rows, dim=0))
    count = min(most, distinct)
    labels = torch.from_numpy(KMeans(count, n_init=1, random_state=seed).fit(rows.cpu().numpy()).labels_).long()
    members = torch.nn.functional.one_hot(labels.to(rows.device), count).to(rows)  # (c, k)
    means: Tensor = (members.T @ rows) / members.sum(dim=0)[:, None].clamp_min(1)
    return means[members.sum(dim=0) > 0]
