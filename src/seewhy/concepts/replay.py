"""What the network answers with concepts taken away, wholly or in part: from cached activations, without a picture."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.concepts.dictionary import Dictionary
from seewhy.data.features import Features
from seewhy.engine.head import Head

TRIED = 2
"""Random masks for each picture with which it is tried whether concepts add up."""
ROWS = 256
"""Masks that are answered at once, of some pictures or of a part of one."""
SAME = 1e-3
"""How far a sum of effects may be from the effect of all together, as a share of the largest, to count as the same."""


@dataclass(frozen=True, eq=False)
class ConceptReplay:
    """Activations in which the code of each concept is multiplied by a number from 0 (taken away) to 1 (as it is).

    a(m) = a - sum over j of (1 - m_j) u_j D_j. What the dictionary does not explain stays where it is, so that a(1) is the activation itself and the
    answer to it the network's own.

    Attributes:
        head: what the network does behind the layer.
        features: of the pictures.
        dictionary: of the concepts.
        codes: how strong each concept is at each position of each picture.
    """

    head: Head
    features: Features
    dictionary: Dictionary
    codes: Float[Tensor, "n k *spatial"]

    def part(self, places: Int[Tensor, " m"]) -> "ConceptReplay":
        """Return the same for some of the pictures."""
        return replace(self, features=self.features.part(places), codes=self.codes[places])

    @property
    def classes(self) -> Int[Tensor, " n"]:
        """The class whose score counts, of each picture: its label; the predicted one where that is not known."""
        known = self.features.labels
        fits = (known >= 0) & (known < self.features.outputs.shape[1])
        return torch.where(fits, known, self.features.predicted)

    def answers(self, masks: Float[Tensor, "#n r k"]) -> Float[Tensor, "n r classes"]:
        """Return the network's answers to each picture under masks of its concepts, its own ones or the same for all; some pictures at a time."""
        rows = masks.shape[1]
        each = max(1, ROWS // rows)
        shared = masks.expand(len(self.features), -1, -1)
        made = [
            self._answers(slice(begin, begin + each), shared[begin : begin + each])
            for begin in range(0, len(self.features), each)
        ]
        return torch.cat(made).view(len(self.features), rows, -1)

    def scores(self, masks: Float[Tensor, "#n r k"]) -> Float[Tensor, "n r"]:
        """Return the score of each picture's class under masks of its concepts."""
        answers = self.answers(masks)
        return answers.gather(2, self.classes[:, None, None].expand(-1, answers.shape[1], 1))[..., 0].double()

    def _answers(self, some: slice, masks: Float[Tensor, "p r k"]) -> Float[Tensor, "rows classes"]:
        activation, raw = self.features.activation[some], self.features.raw[some]
        code = self.codes[some].flatten(2) if self.codes.dim() > 2 else self.codes[some][..., None]  # (p, k, positions)
        gone = torch.einsum("prk,pkx,kc->prcx", 1 - masks.to(code), code, self.dictionary.atoms.to(code))
        changed = activation[:, None] - gone.view(*masks.shape[:2], *activation.shape[1:])
        return self.head.answers(
            self.head.raw_with(raw.repeat_interleave(masks.shape[1], dim=0), changed.flatten(0, 1))
        )


@dataclass(frozen=True, eq=False)
class Alone:
    """What becomes of the answers when each concept is taken away alone.

    Attributes:
        whole: the answers with nothing gone (n, classes).
        falls: of each answer, without each concept (n, k, classes).
        end: the answers without any concept (n, classes).
        additive: whether the effects of concepts add up, in all pictures and whatever part of each is left; the head is affine then, as far as
            these concepts reach.
    """

    whole: Float[Tensor, "n classes"]
    falls: Float[Tensor, "n k classes"]
    end: Float[Tensor, "n classes"]
    additive: bool

    def part(self, places: Int[Tensor, " m"]) -> "Alone":
        """Return the same for some of the pictures."""
        return Alone(self.whole[places], self.falls[places], self.end[places], self.additive)


def alone(replay: ConceptReplay, seed: int = 0) -> Alone:
    """Take each concept away alone, and try whether effects add up.

    Args:
        replay: of the pictures.
        seed: of the masks with which that is tried.
    """
    count = len(replay.dictionary)
    tried = torch.rand(TRIED, count, generator=torch.Generator().manual_seed(seed))
    masks = torch.cat([torch.ones(1, count), 1 - torch.eye(count), torch.zeros(1, count), tried])
    made = replay.answers(masks[None])
    falls = made[:, :1] - made[:, 1 : count + 1]
    together = made[:, :1] - made[:, count + 1 :]
    expected = torch.einsum("rk,nkc->nrc", (1 - masks[count + 1 :]).to(falls), falls)
    largest = together.abs().amax(dim=(1, 2), keepdim=True).clamp_min(1e-6)
    additive = bool(((together - expected).abs() <= SAME * largest).all())
    return Alone(made[:, 0], falls, made[:, count + 1], additive)
