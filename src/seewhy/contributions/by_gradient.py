"""What each channel of a layer contributes, by the gradient: all channels from one pass back, to first order."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.contributions.baseline import channel_axis
from seewhy.contributions.effects import Asked, Effects
from seewhy.contributions.layer_channels import Channels
from seewhy.core.probe import Probe
from seewhy.errors import ConfigError
from seewhy.targets import ClassScore


def contributed(asked: Asked, places: Sequence[int]) -> Effects:
    """Return what each channel contributes, in the form of effects: gradient times distance to what stands in its place, over all positions.

    The contribution to the score is sum_jk (d y / d A_ijk) (A_ijk - R_ijk): to first order the fall of the score when channel i gives R instead of
    A. With R = 0 it is Z H_i, the channel contribution times the number of positions, and its sum over the channels before average pool and
    linear head is the logit minus the bias. That of the loss is likewise made of the log-probability of the label. Whether the class is kept
    is not known (NaN).

    Args:
        asked: images, and channels with `gradients`.
        places: numbers of the pictures in the data.

    Raises:
        ConfigError: the units are not channels that ask for gradients.

    Limits: a first-order statement; see `seewhy.contributions.channels.channel_contribution`. Tokens without a place are left out.
    """
    units, probe = asked.units, asked.probe
    if not isinstance(units, Channels) or not units.gradients:
        raise ConfigError(
            "the contribution formula is for the channels of a layer; take away units of other kinds by ablation"
        )
    whole, classes, known = asked.whole(), asked.classes, asked.labels.cpu() >= 0
    apart = _apart(units, probe)
    score = _sums(units.layer, probe, apart)
    loss = torch.full_like(score, torch.nan)
    if bool((classes >= 0).all()):
        log_probability = ClassScore(tuple(classes.tolist()), "log-probability")
        loss = _sums(units.layer, probe.toward(log_probability), apart)
    (end,) = asked.outcomes([torch.ones(len(units.names), dtype=torch.bool)])
    return Effects(
        torch.tensor(places),
        score=score,
        magnitude=score.abs(),
        loss=loss,
        kept=torch.full_like(score, torch.nan),
        labels=classes.cpu(),
        known=known,
        whole=whole.score,
        all_gone=whole.score - end.score,
        right=whole.kept,
        end=end.kept,
        sizes=asked.sizes(),
    )


def _apart(units: Channels, probe: Probe) -> Tensor:
    """Return how far each number of the layer is from what stands in its place; where there is a grid, on the grid."""
    made = probe.trace().activation[units.layer]
    if units.fill == "zero":
        return made
    if units.fill != "mean":
        return made - units.other(probe).activation[units.layer]
    known = units.known[units.layer]
    of_places = known.mean.movedim(known.axis, 1).reshape(1, known.mean.shape[known.axis], -1)[
        ..., -1
    ]  # tokens with a place come last
    shape = [1] * made.dim()
    shape[1 if units.layer not in probe.trace().gridless else known.axis] = -1
    return made - of_places.view(shape).to(made)


def _sums(layer: str, probe: Probe, apart: Tensor) -> Float[Tensor, "b c"]:
    """Return gradient times distance, summed over positions."""
    trace = probe.trace()
    product = trace.gradient[layer] * apart
    axis = channel_axis(product.shape, None, layer) if layer in trace.gridless else 1
    channels_first = product.movedim(axis, 1)
    return channels_first.reshape(*channels_first.shape[:2], -1).sum(dim=2).double().cpu()
