"""Target of a network that finds instances with masks: one of them, found again in a changed image by its mask."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.core.instances import Instances
from seewhy.core.target import Access, BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.errors import TargetError
from seewhy.targets.classes import find_class, name_of
from seewhy.targets.fitting import fitting, shape_words

LEAST = 0.3
"""Probability from which an instance counts."""
STILL = 0.5
"""It counts as still found where an instance overlaps its mask by at least this much."""


@dataclass(frozen=True)
class Instance(Target):
    """An instance that a network found: its mask and its class c, frozen on the unperturbed image.

    For methods that change the image, the score is max_j IoU(m, m_j) p_j(c) over the instances j of the changed image, with the soft
    IoU(m, m') = sum min(m, m') / sum max(m, m'): 0 where nothing is left of it. For gradients it is p(c) of the instance that matches best.

    Args:
        which: number of the instance, 0 the surest, or a class by name, for the surest of that class.
        least: probability from which an instance counts.
        by_gradient: whether the method asks for gradients; set by the session.

    Source: as D-RISE (Petsiuk et al. 2021, arXiv 2006.03204, equations 2-4), with masks in place of boxes.
    """

    which: int | str = 0
    least: float = LEAST
    by_gradient: bool = False

    def suited(self, access: Access, answer: object) -> Target:
        """Return the form for gradients or for changed images."""
        return replace(self, by_gradient=access == "gradients")

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the mask and the class of the instance in each image.

        Raises:
            TargetError: the answer holds no instances, or none that is meant.
        """
        known = _instances(reading)
        chosen = [self._chosen(known.chances[row].detach(), labels, row) for row in range(len(known.chances))]
        masks = torch.stack([known.masks[row, at] for row, (at, _) in enumerate(chosen)]).detach()
        classes = torch.tensor([index for _, index in chosen], device=masks.device)

        def found(seen: Reading) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n"]]:
            now = _instances(seen)
            rows = torch.arange(len(classes), device=classes.device)
            return soft_overlap(masks, now.masks), now.chances[rows, :, classes]

        def score(seen: Reading) -> Float[Tensor, " b"]:
            overlap, chance = found(seen)
            affinity = overlap * chance
            if not self.by_gradient:
                return affinity.amax(dim=1)
            return chance.gather(1, affinity.detach().argmax(dim=1, keepdim=True))[:, 0]

        def gone(seen: Reading) -> Bool[Tensor, " b"]:
            overlap, chance = found(seen)
            return ~((overlap >= STILL) & (chance >= self.least)).any(dim=1)

        names = tuple(f"{name_of(index, labels)} (instance {at})" for at, index in chosen)
        return BoundTarget(score, names, "probability" if self.by_gradient else "affinity", gone=gone)

    def _chosen(self, chances: Float[Tensor, "n k"], labels: Sequence[str] | None, image: int) -> tuple[int, int]:
        """Return which row is meant, and its class."""
        best, classes = chances.max(dim=1)
        order = [int(row) for row in best.argsort(descending=True, stable=True) if best[row] >= self.least]
        if not order:
            raise TargetError(
                f"image {image}: no instance was found (the surest has a probability of {float(best.max()):.2g}, and {self.least:g} is the least that counts)"
            )
        if isinstance(self.which, str):
            wanted = find_class(self.which, chances.shape[1], labels)
            order = [row for row in order if int(classes[row]) == wanted]
            if not order:
                raise TargetError(f"image {image}: no instance of {self.which} was found")
            return order[0], wanted
        if not 0 <= self.which < len(order):
            raise TargetError(
                f"image {image}: there is no instance {self.which}; {len(order)} were found, numbered from 0, the surest first"
            )
        row = order[self.which]
        return row, int(classes[row])


def soft_overlap(mask: Float[Tensor, "b cells"], others: Float[Tensor, "b n cells"]) -> Float[Tensor, "b n"]:
    """Return the overlap of a mask with others, from 0 to 1: sum of the smaller over sum of the larger value of each cell."""
    both = torch.minimum(mask[:, None], others).sum(dim=2)
    either = torch.maximum(mask[:, None], others).sum(dim=2)
    return both / either.clamp_min(torch.finfo(either.dtype).tiny)


def _instances(reading: Reading) -> Instances:
    found = Instances.unpacked(reading.output)
    if found is None:
        raise TargetError(
            f"an instance is asked for, and the network's answer of shape {shape_words(reading.output.shape)} holds none; state how they are read: "
            f"seewhy.Model(..., output=InstanceMasks(...)) of seewhy.adapters.instance_masks; {fitting(reading.output.shape)}"
        )
    return found
