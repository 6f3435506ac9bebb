"""Ablation-CAM: weigh each channel by what the score loses without it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.channel_masking import ChannelMethod
from seewhy.core.cost import Cost
from seewhy.core.method import Anatomy, Attribution, Source
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.channels import weighted_sum
from seewhy.ops.masks import of_channels


@register
@dataclass(frozen=True)
class AblationCAM(ChannelMethod):
    """Set each channel of a layer to 0 in turn, weigh it by what the score loses, sum, keep what speaks for the target.

    map = relu(sum_k w_k A_k), w_k = f(A) - f(A with channel k at 0). Only what follows the layer runs again.

    Args:
        layer: the layer; "auto" is the last one with a grid.
        channels: ask about so many channels of each image only, those with the largest standard deviation over the positions; the
            others get the weight 0. None asks about all, as in the paper.
        budget: the most that may be spent, forwards or a time; channels that vary most come first.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative, in units of the score times the activation.

    Limits: channels of which one stands in for another both lose nothing. A channel is weighed as a whole and its map is drawn wherever it
        is active. Where activations may be negative, 0 is a value like any other and not "nothing".
    Source: Desai and Ramaswamy 2020, Ablation-CAM, WACV, doi 10.1109/WACV45572.2020.9093360, section 3. Differs in: the loss is not
        divided by the score, which changes the scale only, but would turn the map upside down where the score is negative.
    """

    key = "ablation-cam"
    title = "Ablation-CAM"
    signed = False
    map_unit = "{unit} times activation"
    source = Source("Desai and Ramaswamy 2020, Ablation-CAM, doi 10.1109/WACV45572.2020.9093360", equation="section 3")
    merit = "needs no gradient: weights are what the score really loses without a channel"
    caution = "channels that stand in for each other both lose nothing; 0 is not always nothing"

    def cost_on(self, anatomy: Anatomy) -> Cost | None:
        """Return the image, once more to find out what is needed of it, and what follows the layer for each channel."""
        asked = self.asked(anatomy)
        return None if asked is None else Cost(2, partial=asked)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap."""
        activation = probe.trace().activation[self.layer]  # (b, c, *spatial)
        chosen = self.chosen(activation)  # (b, n)
        ablated = (activation * _without(activation, one) for one in chosen.unbind(dim=1))
        scores = self.averaged(probe.replayed(self.layer, self.affordable(ablated)))  # (b, reached)
        reached, asked = scores.shape[1], chosen.shape[1]
        heatmap = weighted_sum(probe.score()[:, None] - scores, of_channels(activation, chosen[:, :reached])).relu()
        return Attribution(heatmap, notes=self.remarks(reached, asked))


def _without(activation: Float[Tensor, "b c *spatial"], channel: Tensor) -> Tensor:
    """Return 0 for one channel of each image, 1 for the others."""
    ones = activation.new_ones(*activation.shape[:2], *[1] * (activation.dim() - 2))
    return ones.index_put_((torch.arange(len(ones), device=ones.device), channel), ones.new_zeros(()))
