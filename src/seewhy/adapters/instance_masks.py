"""Instance masks of other libraries' networks, by the form of what they return: no such library is imported."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from seewhy.core.instances import Instances
from seewhy.errors import ModelError

_QUERIES = (("masks_queries_logits", "class_queries_logits"), ("pred_masks", "logits"), ("pred_masks", "pred_logits"))
"""Names under which networks with queries give the logits of masks and of classes."""


@dataclass(frozen=True)
class InstanceMasks:
    """Reads instances with masks, as `output` of a `Model`.

    Two forms are known. Lists of dicts as torchvision's detectors give them: "masks" (n, 1, h, w) from 0 to 1, "scores" (n,) and "labels" (n,);
    rows differ in number and are sorted anew each time. And networks with queries, such as DETR for segmentation, MaskFormer or
    Mask2Former: logits of masks (b, q, h, w) and of classes (b, q, k + 1), the last class being "nothing".

    Args:
        classes: how many classes there are; needed for lists of dicts, whose labels count from 0.
        size: cells (h, w) to which masks are brought for comparing.
        most: rows of each image; a list of dicts keeps its surest ones.
    """

    classes: int | None = None
    size: tuple[int, int] = (64, 64)
    most: int = 100

    def __call__(self, output: Any) -> Float[Tensor, "b n width"]:
        """Return instances as one tensor; raise `ModelError` where the network returned none."""
        if isinstance(output, (list, tuple)) and output and all(isinstance(one, Mapping) for one in output):
            return self._of_lists(output).packed()
        for masks, classes in _QUERIES:
            of_masks, of_classes = _named(output, masks), _named(output, classes)
            if of_masks is not None and of_classes is not None:
                return self._of_queries(of_masks, of_classes).packed()
        raise ModelError(
            f"the network returned {type(output).__name__}, in which no instance masks are found: a list of dicts with masks, scores and labels "
            "was wanted, or logits of masks and classes for each query"
        )

    def _of_queries(self, masks: Float[Tensor, "b q h w"], classes: Float[Tensor, "b q k"]) -> Instances:
        cells = F.adaptive_avg_pool2d(masks.sigmoid(), self.size)
        return Instances(classes.softmax(dim=-1)[..., :-1], cells.flatten(2))

    def _of_lists(self, output: Any) -> Instances:
        if self.classes is None:
            raise ModelError("a list of dicts does not say how many classes there are: InstanceMasks(classes=91)")
        rows = [self._of_dict(one) for one in output]
        return Instances(torch.stack([chances for chances, _ in rows]), torch.stack([masks for _, masks in rows]))

    def _of_dict(self, found: Mapping[str, Any]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n cells"]]:
        """Return the surest rows of one image, filled up with empty ones."""
        missing = [name for name in ("masks", "scores", "labels") if not isinstance(found.get(name), Tensor)]
        if missing:
            raise ModelError(f"the network's dict has no {', '.join(missing)}, but {', '.join(map(repr, found))}")
        scores, labels = found["scores"], found["labels"].long()
        if labels.numel() and int(labels.max()) >= int(self.classes or 0):
            raise ModelError(
                f"the network gave label {int(labels.max())}, and {self.classes} classes were stated, from 0"
            )
        keep = scores.argsort(descending=True, stable=True)[: self.most]
        masks = found["masks"].reshape(len(scores), 1, *found["masks"].shape[-2:])[keep]
        chances = scores.new_zeros(self.most, int(self.classes or 0))
        cells = scores.new_zeros(self.most, self.size[0] * self.size[1])
        if len(keep):
            hot = F.one_hot(labels[keep], int(self.classes or 0)).to(scores)
            chances = torch.cat([hot * scores[keep, None], chances[len(keep) :]])
            cells = torch.cat([F.adaptive_avg_pool2d(masks, self.size).flatten(1).to(scores), cells[len(keep) :]])
        return chances, cells


def _named(output: Any, name: str) -> Tensor | None:
    value = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
    return value if isinstance(value, Tensor) else None
