"""What the network's behaviour has to do with what is known of each picture: site, camera, age, lighting."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from seewhy.contributions.attribute import LEAST, Attribute, attribute
from seewhy.contributions.attribute_check import check
from seewhy.contributions.attribute_model import Fitted, fitted
from seewhy.contributions.behaviour import Behaviour, behaviour_of
from seewhy.contributions.ratios import Resampled
from seewhy.contributions.table import Estimate, Importance, Level, Weight
from seewhy.core.target import Target
from seewhy.data.dataset import Dataset
from seewhy.data.table import Joined, Table, join
from seewhy.engine.session import Session
from seewhy.errors import DataError
from seewhy.ops.chance import block_test, holm, rank_test

LEAST_PICTURES = 20
"""Fewer say nothing about any attribute."""

PER_CLASS = 10
"""Pictures of a class, on average, from which on the class is held fixed."""

REPEATS = (3, 20)
"""Fewest and most shuffles of each attribute; few pictures take more of them."""

DRAWS = 999

SHUFFLED = "the attribute of another picture"


def attributes_of(
    session: Session,
    data: Dataset,
    table: Table,
    target: Target | None = None,
    *,
    key: str | None = None,
    seed: int = 0,
) -> Importance:
    """Run the network on the pictures that have a row in the table, and say what their attributes explain; see `attributes`.

    Args:
        session: runs the network.
        data: the pictures; those without a row are not read.
        table: a row for each picture.
        target: what the score is; None is the label of each picture, or the predicted class where that is not known.
        key: column that names the pictures; found by itself if None.
        seed: of everything that is drawn.
    """
    joined = join(table, data.names, key)
    behaviour = behaviour_of(session, data.part(joined.places), target)
    place = {name: number for number, name in enumerate(behaviour.names)}
    read = [row for row, at in enumerate(joined.places) if data.names[at] in place]
    found = attributes(behaviour, joined.of(read, [place[data.names[joined.places[row]]] for row in read]), seed)
    return replace(found, provenance=session.provenance | {"table": table.name, "key": joined.key, "seed": seed})


def attributes(behaviour: Behaviour, joined: Joined, seed: int = 0) -> Importance:
    """Say how much of the network's loss and score the attributes of the pictures explain, each and together.

    A model of the loss given attributes (and class, where there are `PER_CLASS` pictures of each) is fitted by cross-validation. On pictures that it has not seen,
    one attribute is shuffled among those of a class: the rise of the squared error, halved, over the variance is that attribute's weight, a share of behaviour. The
    share that all explain together is the cross-validated R^2. The p-value of an attribute says whether it explains anything of the loss beyond the class and
    the other attributes (Freedman and Lane's permutation test, corrected by Holm's method); that test sees sums of effects and no interactions.

    Args:
        behaviour: of the network, for the pictures that `joined.places` counts.
        joined: the columns.
        seed: of everything that is drawn.

    Returns:
        Weights in shares of the variance, by the loss, the largest first; `levels` of each with the gap of the mean loss (in nats).

    Raises:
        DataError: fewer than `LEAST_PICTURES` pictures, no column that says anything, or a loss that is the same for all pictures.

    Limits: these are associations. What is not in the table can stand behind an attribute; attributes that move together share their
        weight between them, and their p-values are large as neither adds to the other.
    """
    behaviour = behaviour.of(joined.places)
    known, left = _attributes(joined)
    _check(behaviour, joined, known, left)
    return _Analysis(behaviour, tuple(known), left, joined.notes, seed).importance()


def _attributes(joined: Joined) -> tuple[list[Attribute], dict[str, str]]:
    known: list[Attribute] = []
    left: dict[str, str] = {}
    for column in joined.columns:
        made = attribute(column)
        if isinstance(made, str):
            left[column.name] = made
        else:
            known.append(made)
    return known, left


def _check(behaviour: Behaviour, joined: Joined, known: Sequence[Attribute], left: dict[str, str]) -> None:
    count = len(behaviour.names)
    if count < LEAST_PICTURES:
        raise DataError(
            f"{count} {'picture has' if count == 1 else 'pictures have'} a row in the table; attributes take at least {LEAST_PICTURES} of them"
            + (f" ({joined.notes[0]})" if joined.notes else "")
        )
    if not known:
        reasons = "; ".join(f"{name!r}: {why}" for name, why in list(left.items())[:6])
        raise DataError(f"no column of the table says anything about these {count} pictures: {reasons}")
    if not np.isfinite(behaviour.loss).all() or not np.isfinite(behaviour.score).all():
        raise DataError("the network's loss or score is not finite for some pictures; nothing can be fitted to it")
    if behaviour.loss.std() <= 1e-9 * (1 + abs(behaviour.loss.mean())):
        raise DataError("the loss is the same for all pictures, so that there is nothing that attributes could explain")


@dataclass(frozen=True, eq=False)
class _Analysis:
    """Behaviour and attributes, on the way to a table."""

    behaviour: Behaviour
    known: tuple[Attribute, ...]
    left: dict[str, str]
    notes: tuple[str, ...]
    seed: int

    def importance(self) -> Importance:
        classes = _classes(self.behaviour.classes)
        strata = np.zeros(len(self.behaviour.names), dtype=int) if classes is None else classes
        loss = fitted(self.behaviour.loss, self.known, classes, self.seed)
        rises = loss.rises(self._repeats, self._generator(1))
        resampled = Resampled(self.seed)
        shares = resampled.ratios(rises, loss.variance)
        scores, explained_score = self._of_score(classes, resampled)
        chances, conditional = self._chances(strata)
        levels = self._levels(strata, resampled)
        weights = [
            Weight(
                unit=one.name,
                score=score,
                magnitude=share,
                loss=share,
                note=self._note(one, chance),
                p=chance,
                levels=gaps,
            )
            for one, share, score, chance, gaps in zip(self.known, shares, scores, chances, levels, strict=True)
        ]
        explained = {"loss": _explained(loss, resampled), "score": explained_score}
        if classes is not None:
            explained["loss, by the class alone"] = resampled.ratios(
                (loss.variance - loss.base)[:, None], loss.variance
            )[0]
        return Importance(
            kind="attributes",
            weights=tuple(sorted(weights, key=lambda weight: -weight.loss.value)),
            replacement=SHUFFLED + ("" if classes is None else " of its class"),
            pictures=len(strata),
            target=self.behaviour.target,
            unit="share of the variance",
            labels=self.behaviour.labels,
            check=check(loss, rises, self._halves(classes), self.seed) if len(self.known) > 1 else None,
            notes=self._notes(loss, classes, conditional=conditional),
            broken=self.behaviour.broken,
            explained=explained,
        )

    @property
    def _repeats(self) -> int:
        return max(REPEATS[0], min(REPEATS[1], 20_000 // len(self.behaviour.names)))

    def _generator(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, purpose))

    def _of_score(
        self, classes: Int[np.ndarray, " n"] | None, resampled: "Resampled"
    ) -> tuple[list[Estimate], Estimate]:
        """Return the weight of each attribute for the score, and the share that all explain."""
        score = self.behaviour.score
        if score.std() <= 1e-9 * (1 + abs(score.mean())):
            return [Estimate(0.0, 0.0, 0.0)] * len(self.known), Estimate(0.0, 0.0, 0.0)
        model = fitted(score, self.known, classes, self.seed)
        return resampled.ratios(model.rises(self._repeats, self._generator(4)), model.variance), _explained(
            model, resampled
        )

    def _halves(self, classes: Int[np.ndarray, " n"] | None) -> list[Float[np.ndarray, " m"]]:
        """Return the weight of each attribute as each half of the pictures gives it, with models of its own."""
        order = self._generator(5).permutation(len(self.behaviour.names))
        found = []
        for rows in (np.sort(order[::2]), np.sort(order[1::2])):
            known = [one.of(rows) for one in self.known]
            model = fitted(self.behaviour.loss[rows], known, None if classes is None else classes[rows], self.seed)
            found.append(model.rises(self._repeats, self._generator(6)).mean(axis=0))
        return found

    def _chances(self, strata: Int[np.ndarray, " n"]) -> tuple[list[float | None], bool]:
        """Return the corrected p-value of each attribute, and whether the other attributes were held fixed."""
        blocks = [_basis(one) for one in self.known]
        conditional = sum(block.shape[1] for block in blocks) <= len(strata) / 4
        draws = min(9999, max(DRAWS, 40 * len(blocks)))
        found: list[float | None] = []
        for index, block in enumerate(blocks):
            others = [other for place, other in enumerate(blocks) if place != index and conditional]
            beside = np.concatenate([block[:, :0], *others], axis=1)
            found.append(block_test(self.behaviour.loss, block, beside, strata, draws, self._generator(10 + index)))
        corrected = iter(holm([chance for chance in found if chance is not None]))
        return [None if chance is None else next(corrected) for chance in found], conditional

    def _levels(self, strata: Int[np.ndarray, " n"], resampled: "Resampled") -> list[tuple[Level, ...]]:
        """Return for each attribute its levels with their gaps, the worst first."""
        loss = self.behaviour.loss
        rows = [(one, code) for one in self.known for code in range(len(one.levels))]
        chosen = np.stack([one.codes == code for one, code in rows], axis=1).astype(float)
        gaps = resampled.gaps(loss, chosen)
        chances = holm([rank_test(loss, column, strata) for column in chosen.T])
        made: dict[str, list[Level]] = {one.name: [] for one in self.known}
        for (one, code), gap, chance, column in zip(rows, gaps, chances, chosen.T, strict=True):
            count = int(column.sum())
            made[one.name].append(Level(one.levels[code], count, gap, chance if count >= LEAST else None))
        return [tuple(sorted(levels, key=lambda level: -level.gap.value)) for levels in made.values()]

    def _note(self, one: Attribute, chance: float | None) -> str:
        told = "" if chance is not None else "determined by the other attributes, so that it can't be tested"
        return "; ".join(part for part in (one.note, told) if part)

    def _notes(self, loss: Fitted, classes: Int[np.ndarray, " n"] | None, *, conditional: bool) -> tuple[str, ...]:
        notes = [
            f"model of the loss: {loss.words}",
            "the class of each picture is held fixed: attributes are shuffled among pictures of one class"
            if classes is not None
            else f"the class of each picture is not held fixed, as that takes two classes and {PER_CLASS} pictures of each on average; an attribute "
            "may stand for harder classes",
        ]
        if not conditional:
            notes.append(
                "too many levels for so few pictures: each attribute is tested by itself, the others not held fixed"
            )
        notes += [f"column {name!r} is left out: {why}" for name, why in self.left.items()]
        return (*notes, *self.notes)


def _classes(classes: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"] | None:
    """Return the classes, counted from 0, where there are enough pictures of each to hold them fixed."""
    count = len(Counter(classes.tolist()))
    return np.unique(classes, return_inverse=True)[1] if 1 < count <= len(classes) / PER_CLASS else None


def _basis(one: Attribute) -> Float[np.ndarray, "n f"]:
    """Return the columns by which an attribute is tested: its levels, and for a number its value beside its quarters."""
    return one.indicators if one.numbers is None else np.concatenate([one.features, one.indicators], axis=1)


def _explained(model: Fitted, resampled: Resampled) -> Estimate:
    """Return the share of the variance that the attributes explain beyond the class, or beyond the mean: cross-validated, so that it may be negative."""
    return resampled.ratios((model.base - model.whole())[:, None], model.variance)[0]
