"""ViT-CX: masks from what the patch embeddings have in common, weighed by their effect on the score."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.method import AUTO, Attribution, Source
from seewhy.core.needs import Needs
from seewhy.core.perturbing import PerturbationMethod
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.values import Array
from seewhy.errors import ConfigError
from seewhy.ops.channels import ratio
from seewhy.ops.filters import resize

LEAST = 1e-3
"""Places that the masks show less than this share as much as the place shown most are left at zero: rounding would decide there."""


@register
@dataclass(frozen=True)
class ViTCX(PerturbationMethod):
    """Join alike channels of a layer into masks, show the image through each, and weigh the masks by what the score gains.

    map = sum_i s_i M_i / sum_i M_i - mean_i s_i, with s_i the score of the image seen through M_i. The masks M_i are sums of the channels
    of a cluster, each channel scaled to 0..1 before and each mask after, enlarged to the input. Dividing by the coverage keeps places
    that many masks show from being bright for that alone.

    Args:
        layer: whose channels become masks; "auto" is the last one on which the answer depends: the patch embeddings of a vision
            transformer before its last attention.
        distance: channels of a cluster are at most so far apart, as one minus the cosine of the angle between them; above 0, at most 1.
        fill: what is shown where a mask hides; "zero" is the mean colour of the training data where the model normalizes by it.
        budget: the most that may be spent; the largest clusters come first.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score; positive where masks that show the place score above
        the mean of all masks, zero where hardly any shows it. How many masks there were is reported as a figure.

    Limits: as coarse as the layer's grid. A part of the object that no channel sets apart from its surroundings is not set apart here.
        What is hidden is painted over, and the fill may say something of its own.
    Source: Xie et al. 2023, ViT-CX: Causal Explanation of Vision Transformers, IJCAI, arXiv 2211.03064, section 4. Differs in: the score
        is the target's own, and the mean over the masks is taken off, which the score of an empty picture drops out of; a plain fill in
        place of noise; any network with a layer that has a grid will do, also a convolutional one.
    """

    fill: str | Array = "zero"
    layer: str = AUTO
    distance: float = 0.1

    key = "vit-cx"
    title = "ViT-CX"
    access = "layers"
    signed = True
    source = Source("Xie et al. 2023, ViT-CX: Causal Explanation of Vision Transformers", "2211.03064", "section 4")
    merit = "few passes: masks follow what the network itself tells apart; no gradients"
    caution = "as coarse as the layer's grid; what is hidden is painted over, and the paint may matter"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.distance <= 1:
            raise ConfigError(f"{self.key} wants a distance above 0 and at most 1, got {self.distance}")

    def needs(self) -> Needs:
        """Return the activation of the layer."""
        return Needs(frozenset({self.layer}))

    def cost(self) -> Cost | None:
        """Return None: the number of masks depends on the image."""
        return None

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and the number of masks."""
        maps, counts = zip(*(self._one(image) for image in probe.one_by_one()), strict=True)
        return Attribution(torch.cat(maps), figures={"masks": torch.cat(counts)})

    def _one(self, probe: Probe) -> tuple[Float[Tensor, "1 *spatial"], Float[Tensor, " 1"]]:
        """Return the map of one image, and the number of its masks."""
        size, fill = tuple(probe.inputs.shape[2:]), self.hidden(probe)
        small = cluster_masks(probe.trace().activation[self.layer][0], self.distance)  # (m, *grid)
        scores = list(probe.masked(self._enlarged(self.affordable(small), size), fill))
        total = coverage = torch.zeros_like(probe.inputs[:, 0])
        if scores:
            gains = torch.cat(scores) - torch.cat(scores).mean()
            for gain, mask in zip(gains, self._enlarged(small[: len(gains)], size), strict=True):
                total, coverage = total + gain * mask, coverage + mask
        shown = coverage > LEAST * coverage.max()
        return ratio(total, coverage) * shown, total.new_tensor([len(scores)])

    def _enlarged(
        self, masks: Iterable[Float[Tensor, "*grid"]], size: tuple[int, ...]
    ) -> Iterator[Float[Tensor, "1 *spatial"]]:
        return (resize(mask[None], size) for mask in masks)


def cluster_masks(channels: Float[Tensor, "c *grid"], distance: float) -> Float[Tensor, "m *grid"]:
    """Return one mask for each cluster of channels whose cosines differ by at most `distance`, largest cluster first.

    Channels that are the same everywhere set nothing apart and are left out.
    """
    from sklearn.cluster import AgglomerativeClustering  # type: ignore[import-untyped]

    flat = channels.flatten(1)
    varied = flat.amax(dim=1) - flat.amin(dim=1) > 1e-9 * flat.abs().amax()
    scaled = _to_one(flat[varied])  # (c, n)
    if len(scaled) < 2:
        return scaled.view(-1, *channels.shape[1:])
    unit = scaled.double() / scaled.double().norm(dim=1, keepdim=True)
    apart = (1 - unit @ unit.T).clamp_min(0).cpu().numpy()
    found = AgglomerativeClustering(None, metric="precomputed", linkage="complete", distance_threshold=distance)
    labels = torch.from_numpy(found.fit(apart).labels_).long().to(flat.device)
    members = torch.nn.functional.one_hot(labels).to(scaled)  # (c, m)
    largest = members.sum(dim=0).argsort(descending=True, stable=True)
    return _to_one((members.T @ scaled)[largest]).view(-1, *channels.shape[1:])


def _to_one(rows: Float[Tensor, "c n"]) -> Float[Tensor, "c n"]:
    """Scale each row to 0..1."""
    least, most = rows.amin(dim=1, keepdim=True), rows.amax(dim=1, keepdim=True)
    return ratio(rows - least, most - least)
