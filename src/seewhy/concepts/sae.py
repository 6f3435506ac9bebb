"""A sparse autoencoder: activations as sums of a few out of many directions, which may overlap."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from seewhy.concepts.dictionary import Dictionary

ACTIVE = 4
"""Concepts that are active at a place at most. On CIFAR-10 and the last layer of a ResNet-20, of 32 concepts, a linear student of 3 concepts for each class
says what the network says on 92 % of the pictures with 4 active, on 87 % with 8; the answers that are kept fall from 98 to 96 %."""
STEPS = 400
BATCH = 512
RATE = 1e-2
REVIVED_EVERY = 50
"""Steps after which directions that were never active since are put elsewhere; not in the last third, which is for settling."""


@dataclass(frozen=True, eq=False)
class SparseAutoencoder(Dictionary):
    """A = offset + U D + rest with a few U > 0 at each place: u = TopK(relu(E (a - offset) / scale + bias)) scale, of least squared error.

    Directions have length 1 and need not be at right angles; activations may have both signs, and so may a direction, but a code is never negative. The
    encoder starts as the decoder turned round, directions start at activations, and both are trained by Adam. A direction that was active
    nowhere for a while is put where an activation is explained worst.

    Source: Makhzani and Frey 2014, arXiv 1312.5663; Gao et al. 2024, arXiv 2406.04093, section 2 (TopK, unit directions, tied start); moving dead
        directions: Bricken et al. 2023, Towards monosemanticity. Here without their auxiliary loss, and on thousands of activations rather than billions.
    Limits: another seed or other pictures give other directions more often than NMF does, which is what stability says; of what is spread over very
        many directions it keeps little.

    Attributes:
        encoder: E (k, c).
        bias: what is added to each code before the choice (k,).
        scale: root mean square length of centred activations, in which codes are computed ().
        active: how many codes are kept at each place ().
    """

    encoder: Float[Tensor, "k c"] = dataclasses.field(kw_only=True)
    bias: Float[Tensor, " k"] = dataclasses.field(kw_only=True)
    scale: Float[Tensor, ""] = dataclasses.field(kw_only=True)
    active: Float[Tensor, ""] = dataclasses.field(kw_only=True)

    key: ClassVar = "sae"
    title: ClassVar = "sparse autoencoder"
    overcomplete: ClassVar = True

    @classmethod
    def fit(cls, rows: Float[Tensor, "m c"], count: int, seed: int = 0) -> "SparseAutoencoder":
        """Return a dictionary of so many directions, of which a quarter, and `ACTIVE` at most, are active at a place."""
        mean = rows.mean(dim=0)
        scale = (rows - mean).square().sum(dim=1).mean().sqrt().clamp_min(1e-12)
        training = _Training.begun((rows - mean) / scale, count, max(1, min(ACTIVE, count // 4)), seed)
        for step in range(STEPS):
            training.step(step)
        atoms, encoder, bias = (value.detach() for value in (training.atoms, training.encoder, training.bias))
        kept = rows.new_tensor(float(training.active))
        return cls(atoms, mean + scale * training.middle.detach(), encoder=encoder, bias=bias, scale=scale, active=kept)

    def coded(self, rows: Float[Tensor, "m c"]) -> Float[Tensor, "m k"]:
        """Return the codes: the largest ones, where they are above 0, and 0 elsewhere; in units of the activation."""
        drive = (rows - self.offset) @ self.encoder.T / self.scale + self.bias
        return largest(drive.relu(), int(self.active)) * self.scale

    @classmethod
    def shapes(cls, count: int, channels: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each array, those of the encoder among them."""
        return {
            **super().shapes(count, channels),
            "encoder": (count, channels),
            "bias": (count,),
            "scale": (),
            "active": (),
        }


def largest(values: Float[Tensor, "m k"], kept: int) -> Float[Tensor, "m k"]:
    """Return the values, all but so many of the largest of each row set to 0."""
    top = values.topk(kept, dim=1)
    return torch.zeros_like(values).scatter(1, top.indices, top.values)


@dataclass(eq=False)
class _Training:
    """A sparse autoencoder while it is trained, on centred rows of mean squared length 1."""

    rows: Float[Tensor, "m c"]
    active: int
    generator: torch.Generator
    atoms: Float[Tensor, "k c"]
    encoder: Float[Tensor, "k c"]
    bias: Float[Tensor, " k"]
    middle: Float[Tensor, " c"]
    fired: Int[Tensor, " k"]
    optimizer: torch.optim.Adam

    @classmethod
    def begun(cls, rows: Float[Tensor, "m c"], count: int, active: int, seed: int) -> "_Training":
        generator = torch.Generator().manual_seed(seed)
        atoms = _spread(rows, count, generator).requires_grad_()
        encoder = atoms.detach().clone().requires_grad_()
        bias, middle = (torch.zeros(size, dtype=rows.dtype, requires_grad=True) for size in (count, rows.shape[1]))
        optimizer = torch.optim.Adam([atoms, encoder, bias, middle], lr=RATE)
        fired = torch.zeros(count, dtype=torch.long)
        return cls(rows, active, generator, atoms, encoder, bias, middle, fired, optimizer)

    def step(self, number: int) -> None:
        """Make one step on some rows; now and then move the dead."""
        for group in self.optimizer.param_groups:
            group["lr"] = RATE * min(1.0, 2 * (1 - number / STEPS))  # falls to 0 in the second half
        chosen = self.rows[torch.randint(len(self.rows), (BATCH,), generator=self.generator)]
        with torch.inference_mode(mode=False), torch.enable_grad():
            codes, rest = self._rest(chosen)
            trained = [self.atoms, self.encoder, self.bias, self.middle]
            gradients = torch.autograd.grad(rest.square().sum(dim=1).mean(), trained)
        for tensor, gradient in zip(trained, gradients, strict=True):
            tensor.grad = gradient
        self.optimizer.step()
        with torch.no_grad():
            self.atoms.copy_(normalize(self.atoms, dim=1))
            self.fired += (codes > 0).sum(dim=0)
            if number % REVIVED_EVERY == REVIVED_EVERY - 1:
                if number < STEPS * 2 // 3:
                    self._revive()
                self.fired.zero_()

    def _rest(self, rows: Float[Tensor, "b c"]) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b c"]]:
        centred = rows - self.middle
        codes = largest((centred @ self.encoder.T + self.bias).relu(), self.active)
        return codes, centred - codes @ self.atoms

    def _revive(self) -> None:
        """Put each direction that was never active where one of the worst explained of some rows lies."""
        dead = (self.fired == 0).nonzero()[:, 0]
        if not len(dead):
            return
        chosen = self.rows[torch.randint(len(self.rows), (4 * BATCH,), generator=self.generator)]
        _, rest = self._rest(chosen)
        worst = rest[rest.norm(dim=1).argsort(descending=True, stable=True)[: len(dead)]]
        new = normalize(worst, dim=1)
        dead = dead[: len(new)]
        self.atoms[dead], self.encoder[dead], self.bias[dead] = new, new, 0.0
        for tensor in (self.atoms, self.encoder, self.bias):
            for moment in ("exp_avg", "exp_avg_sq"):
                self.optimizer.state[tensor][moment][dead] = 0.0


def _spread(rows: Float[Tensor, "m c"], count: int, generator: torch.Generator) -> Float[Tensor, "k c"]:
    """Return directions of activations that are drawn one after the other, each in proportion to what the others leave of it.

    Source: Arthur and Vassilvitskii 2007, k-means++, with directions for points.
    """
    few = rows[torch.randperm(len(rows), generator=generator)[: 16 * count + 1024]].clone()
    found = []
    for _ in range(count):
        left = few.square().sum(dim=1)
        if float(left.max()) <= 0:
            found.append(normalize(torch.randn(rows.shape[1], generator=generator).to(rows), dim=0))
            continue
        direction = normalize(few[torch.multinomial(left, 1, generator=generator)[0]], dim=0)
        found.append(direction)
        few = few - (few @ direction).relu()[:, None] * direction
    return torch.stack(found)
