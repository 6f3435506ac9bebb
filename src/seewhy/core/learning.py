"""How a mask is learned: a method says what is shown through it and what it costs, the probe says what the network makes of it."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.budget import Allowance, Budget
from seewhy.core.needs import INPUT, Needs
from seewhy.core.probe import Probe

AT_INPUT = Needs(gradients=frozenset({INPUT}))


def affordable_steps(budget: Budget, steps: int, masks: int) -> int | None:
    """Return how many steps a budget allows where each step scores so many masks; None where a clock decides."""
    allowance = Allowance.of(budget)
    if allowance.seconds is not None:
        return None
    return steps if allowance.forwards is None else min(steps, max(1, allowance.forwards // masks))


def learn(
    probe: Probe,
    start: Float[Tensor, "m b *cells"],
    *,
    steps: Iterable[int],
    shown: Callable[[Float[Tensor, "m b *cells"], int], Float[Tensor, "m b c *spatial"]],
    pull: Callable[[Float[Tensor, "m b"]], Float[Tensor, "m b"]],
    penalty: Callable[[Float[Tensor, "m b *cells"], int], Float[Tensor, ""]],
    rate: float,
) -> Float[Tensor, "m b *cells"]:
    """Return masks with values from 0 to 1 that make a loss small, by Adam, projected onto that range after each step.

    The network's part of the derivative comes from the probe, at the pictures that are shown; autograd carries it on to the masks:
    d loss / d mask = d (sum pull * d score / d shown * shown + penalty) / d mask.

    Args:
        probe: of the images.
        start: first masks, m for each image.
        steps: numbers of the steps, handed to the functions below.
        shown: the pictures that the network is shown for the masks at a step.
        pull: derivative of the loss by the score, from the scores.
        penalty: what the masks themselves cost, summed over all of them, so that no image hears of another.
        rate: how far a step goes, about.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        masks = start.clone().requires_grad_()
        adam = torch.optim.Adam([masks], lr=rate)
        for step in steps:
            pictures = shown(masks, step)
            traces = list(probe.traces(pictures.detach().unbind(0), AT_INPUT))
            weight = pull(torch.stack([trace.score for trace in traces]))  # (m, b)
            slope = torch.stack([trace.gradient[INPUT] for trace in traces])  # (m, b, c, *spatial)
            slope = slope * weight.view(*weight.shape, *[1] * (slope.dim() - 2))
            [masks.grad] = torch.autograd.grad((slope * pictures).sum() + penalty(masks, step), [masks])
            adam.step()
            with torch.no_grad():
                masks.clamp_(0, 1)
    return masks.detach()


def steps_within(budget: Budget, steps: int, masks: int) -> Iterable[int]:
    """Yield the numbers of the steps that a budget allows where each step scores so many masks."""
    allowance = Allowance.of(budget)
    if allowance.forwards is not None:
        allowance = replace(allowance, forwards=max(1, allowance.forwards // masks))
    return allowance.spend(range(steps))
