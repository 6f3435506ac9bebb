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

    def answers(self, picture: int, masks: Float[Tensor, "r k"]) -> Float[Tensor, "r classes"]:
        """Return the network's answers to one picture under masks of its concepts."""
        activation = self.features.activation[picture : picture + 1]
        code = self.codes[picture].flatten(1)  # (k, positions), (k, 1) where there are none
        gone = torch.einsum("rk,kp,kc->rcp", 1 - masks.to(code), code, self.dictionary.atoms.to(code))
        changed = activation - gone.view(len(masks), *activation.shape[1:])
        raw = self.features.raw[picture : picture + 1]
        return self.head.answers(self.head.raw_with(raw, changed))

    def scores(self, picture: int, masks: Float[Tensor, "r k"]) -> Float[Tensor, " r"]:
        """Return the score of the picture's class under masks of its concepts."""
        return self.answers(picture, masks)[:, self.classes[picture]].double()


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


def alone(replay: ConceptReplay, seed: int = 0) -> Alone:
    """Take each concept away alone, and try whether effects add up.

    Args:
        replay: of the pictures.
        seed: of the masks with which that is tried.
    """
    count = len(replay.dictionary)
    generator = torch.Generator().manual_seed(seed)
    whole, falls, ends, additive = [], [], [], True
    for picture in range(len(replay.features)):
        tried = torch.rand(TRIED, count, generator=generator)
        masks = torch.cat([torch.ones(1, count), 1 - torch.eye(count), torch.zeros(1, count), tried])
        made = replay.answers(picture, masks)
        fall = made[0] - made[1 : count + 1]
        together = made[0] - made[count + 1 :]
        expected = (1 - masks[count + 1 :]).to(fall) @ fall
        additive = additive and bool((together - expected).abs().max() <= SAME * together.abs().max().clamp_min(1e-6))
        whole.append(made[0])
        falls.append(fall)
        ends.append(made[count + 1])
    return Alone(torch.stack(whole), torch.stack(falls), torch.stack(ends), additive)
