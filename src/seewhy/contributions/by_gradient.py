"""What each channel of a layer contributes, by the gradient: all channels from one pass back, to first order."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.contributions.baseline import channel_axis
from seewhy.contributions.effects import Asked, Effects, losses
from seewhy.contributions.layer_channels import Channels
from seewhy.core.probe import Probe
from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.errors import ConfigError


@dataclass(frozen=True, eq=False)
class _LogProbability(Target):
    """The log-probability of one class of each image: minus the loss."""

    classes: Int[Tensor, " b"]

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the classes."""
        names = tuple(f"class {number}" for number in self.classes.tolist())
        return BoundTarget(
            lambda seen: -losses(seen.output, self.classes.to(seen.output.device)), names, "log-probability"
        )


def contributed(asked: Asked, places: Sequence[int]) -> Effects:
    """Return what each channel contributes, in the form of effects: gradient times activation, summed over the positions.

    The contribution to the score is Z H_i = sum_jk (d y / d A_ijk) A_ijk, with H_i the channel contribution and Z the number of positions: to first
    order the fall of the score when the channel is set to zero. Its sum over the channels of a layer before average pool and linear head is the
    logit minus the bias. The contribution to the loss is likewise that of the log-probability of the label. Whether classes are kept is not known (NaN).

    Args:
        asked: images, and channels with `gradients`.
        places: numbers of the pictures in the data.

    Raises:
        ConfigError: the units are not channels that ask for gradients.

    Limits: a first-order statement; see `seewhy.contributions.channels.channel_contribution`. Tokens without a place are left out.
    """
    units, probe = asked.units, asked.probe
    if not isinstance(units, Channels) or not units.gradients:
        raise ConfigError("the contribution formula is for channels that ask for gradients: Channels(gradients=True)")
    whole, classes = asked.whole(), asked.classes
    score = _sums(probe, units.layer)
    known = bool((classes >= 0).all())
    loss = _sums(probe.toward(_LogProbability(classes)), units.layer) if known else torch.full_like(score, torch.nan)
    (end,) = asked.outcomes([torch.ones(len(units.names), dtype=torch.bool)])
    return Effects(
        torch.tensor(places),
        score,
        loss,
        torch.full_like(score, torch.nan),
        labels=classes.cpu(),
        known=asked.labels.cpu() >= 0,
        whole=whole.score,
        all_gone=whole.score - end.score,
        right=whole.kept,
        end=end.kept,
        **asked.extents(),
    )


def _sums(probe: Probe, layer: str) -> Float[Tensor, "b c"]:
    """Return gradient times activation, summed over positions."""
    trace = probe.trace()
    product = trace.gradient[layer] * trace.activation[layer]
    axis = channel_axis(product.shape, None, layer) if layer in trace.gridless else 1
    channels_first = product.movedim(axis, 1)
    return channels_first.reshape(*channels_first.shape[:2], -1).sum(dim=2).double().cpu()
