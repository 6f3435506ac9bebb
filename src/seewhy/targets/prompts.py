"""Targets of networks that compare a picture with texts, such as CLIP."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from seewhy.core.target import Access, BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.core.values import Array
from seewhy.errors import TargetError
from seewhy.targets.features import as_array
from seewhy.targets.similarity import embedding_of

PromptUnit = Literal["log-probability", "probability", "logit", "cosine"]


@runtime_checkable
class ReadsTexts(Protocol):
    """What finds the answer of a network with a text side: it can embed texts too. See `seewhy.adapters.image_text`."""

    scale: float

    def embedded(self, texts: tuple[str, ...]) -> Float[Tensor, "n d"]:
        """Return the embedding of each text."""
        ...


@dataclass(frozen=True)
class Prompts(Target):
    """How well a picture fits a text, among others. The texts are embedded once and frozen; no evidence flows into them.

    With e the picture's embedding, t_j those of the texts and s the network's scale, the logit of text j is s cos(e, t_j). Several texts keep
    their contrast in the log-softmax over them; a single text has only its cosine.

    Args:
        names: the texts.
        index: which of them is asked about, by number or text; None for the one that fits best, found on the unperturbed picture.
        unit: "log-probability", "probability", "logit" or "cosine"; None is the first, for a single text the last.
        embeddings: of the texts (n, d); made by the model's own text side if None.
        scale: s, the inverse temperature; the model's own if None.

    Misleads: a cosine alone rises with whatever all texts share, such as "a photo"; name the rivals.

    Source: Radford et al. 2021, Learning Transferable Visual Models From Natural Language Supervision, arXiv 2103.00020, figure 3.
    """

    names: tuple[str, ...]
    index: int | str | None = None
    unit: PromptUnit | None = None
    embeddings: Any = None
    scale: float | None = None

    def __post_init__(self) -> None:
        names = (self.names,) if isinstance(self.names, str) else tuple(self.names)
        object.__setattr__(self, "names", names)
        if not names or not all(name.strip() for name in names) or len(set(names)) < len(names):
            raise TargetError(f"prompts are texts, no two the same and none empty; got {names}")
        if self.unit is not None and self.unit not in get_args(PromptUnit):
            raise TargetError(f"the unit of a prompt is one of {', '.join(get_args(PromptUnit))}, got {self.unit!r}")
        if len(names) == 1 and self.unit in ("probability", "log-probability"):
            raise TargetError(
                "a single text has no probability, as there is nothing else the picture may fit; name rivals, or ask for its cosine"
            )
        if isinstance(self.index, str) and self.index not in names:
            raise TargetError(f"{self.index!r} is not among the prompts {', '.join(map(repr, names))}")
        if isinstance(self.index, int) and not 0 <= self.index < len(names):
            raise TargetError(f"there is no prompt {self.index}; there are {len(names)}, from 0")
        if self.embeddings is not None:
            object.__setattr__(self, "embeddings", _checked(as_array(self.embeddings), len(names)))

    def suited(self, access: Access, answer: object) -> Target:
        """Return the target with the embeddings of its texts; raise `TargetError` where neither they nor a text side are there."""
        if self.embeddings is not None:
            return self
        if not isinstance(answer, ReadsTexts):
            raise TargetError(
                "this network has no text side that seewhy knows; load CLIP from its folder with hf:FOLDER, or give the texts' embeddings: "
                "seewhy.targets.Prompts(names, embeddings=..., scale=100)"
            )
        made = Array.of(answer.embedded(self.names))
        return replace(self, embeddings=made, scale=answer.scale if self.scale is None else self.scale)

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the texts, and which of them is asked about.

        Raises:
            TargetError: the texts are not embedded, or in another space than the picture.
        """
        if self.embeddings is None:
            raise TargetError("the prompts are not embedded yet; ask with seewhy.explain, or give embeddings")
        own = embedding_of(reading)
        if self.embeddings.shape[1] != own.shape[1]:
            raise TargetError(
                f"the picture's embedding has {own.shape[1]} numbers, and those of the texts have {self.embeddings.shape[1]}"
            )
        texts = F.normalize(self.embeddings.tensor().to(own), dim=1)
        scale = 1.0 if self.scale is None else self.scale

        def logits(seen: Reading) -> Float[Tensor, "b n"]:
            return scale * F.normalize(embedding_of(seen), dim=1) @ texts.T

        asked = (
            logits(reading).detach().argmax(dim=1)
            if self.index is None
            else own.new_full((len(own),), self._number()).long()
        )
        unit = self.unit or ("log-probability" if len(self.names) > 1 else "cosine")

        def score(seen: Reading) -> Float[Tensor, " b"]:
            return _in_unit(logits(seen), unit, scale).gather(1, asked[:, None])[:, 0]

        def probability(seen: Reading) -> Float[Tensor, " b"]:
            return logits(seen).softmax(dim=1).gather(1, asked[:, None])[:, 0]

        names = tuple(self.names[int(number)] for number in asked)
        return BoundTarget(score, names, unit, probability=probability if len(self.names) > 1 else None)

    def _number(self) -> int:
        return self.names.index(self.index) if isinstance(self.index, str) else int(self.index or 0)


def _in_unit(logits: Float[Tensor, "b n"], unit: PromptUnit, scale: float) -> Float[Tensor, "b n"]:
    if unit == "log-probability":
        return logits.log_softmax(dim=1)
    if unit == "probability":
        return logits.softmax(dim=1)
    return logits / scale if unit == "cosine" else logits


def _checked(embeddings: Array, count: int) -> Array:
    if len(embeddings.shape) != 2 or embeddings.shape[0] != count:
        raise TargetError(f"{count} prompts want embeddings ({count}, d), got an array of shape {embeddings.shape}")
    return embeddings
