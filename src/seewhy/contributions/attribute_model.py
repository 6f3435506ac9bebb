"""How much of a number per picture its attributes explain: a model fitted by cross-validation, judged only on pictures that it has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.base import RegressorMixin  # type: ignore[import-untyped]
from sklearn.ensemble import HistGradientBoostingRegressor  # type: ignore[import-untyped]
from sklearn.linear_model import RidgeCV  # type: ignore[import-untyped]
from sklearn.model_selection import KFold  # type: ignore[import-untyped]

from seewhy.contributions.attribute import Attribute
from seewhy.ops.chance import shuffled_within

LARGE = 400
"""Pictures from which on trees are grown; on fewer, ridge regression does better."""

FOLDS = 5
_STRENGTHS = np.logspace(-1, 4, 16)
_CELLS = 1 << 22
Step = Sequence[Sequence[int]]
_PRIOR = 5
"""Pictures that the mean of all counts for, when the mean of a class is told."""


@dataclass(frozen=True, eq=False)
class Fold:
    """A model and the pictures that it has not seen.

    Attributes:
        model: fitted on all others.
        places: the held-out pictures.
        features: what the model sees of them.
        base: the prediction for them that knows the class alone, or the mean of the others.
        strata: only pictures of one stratum are exchanged when an attribute is shuffled.
    """

    model: RegressorMixin
    places: Int[np.ndarray, " k"]
    features: Float[np.ndarray, "k f"]
    base: Float[np.ndarray, " k"]
    strata: Int[np.ndarray, " k"]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A number per picture, and what models of its attributes predict for pictures that they have not seen.

    Attributes:
        response: the number (n,).
        folds: the models.
        spans: which features belong to each attribute.
        words: which model it is.
    """

    response: Float[np.ndarray, " n"]
    folds: tuple[Fold, ...]
    spans: tuple[slice, ...]
    words: str

    @property
    def variance(self) -> Float[np.ndarray, " n"]:
        """Squared distance of each picture's number from the mean of all."""
        squared: Float[np.ndarray, " n"] = (self.response - self.response.mean()) ** 2
        return squared

    @property
    def base(self) -> Float[np.ndarray, " n"]:
        """Squared error of each picture without its attributes: knowing the class alone, or nothing."""
        errors = np.empty(len(self.response))
        for fold in self.folds:
            errors[fold.places] = (self.response[fold.places] - fold.base) ** 2
        return errors

    def errors(self, steps: Sequence[Step], generator: np.random.Generator) -> Float[np.ndarray, "n s"]:
        """Return the squared error of each picture at each step, with some attributes shuffled among the held-out pictures of its fold.

        Args:
            steps: which attributes are shuffled, for each fold; those of one fold together, by one order.
            generator: of the orders.
        """
        found = np.empty((len(self.response), len(steps)))
        for number, fold in enumerate(self.folds):
            together = max(1, _CELLS // fold.features.size)
            for begin in range(0, len(steps), together):
                some = steps[begin : begin + together]
                seen = np.concatenate([self._shuffled(fold, step[number], generator) for step in some])
                told = fold.model.predict(seen).reshape(len(some), -1).T
                found[fold.places, begin : begin + len(some)] = (self.response[fold.places, None] - told) ** 2
        return found

    def whole(self) -> Float[np.ndarray, " n"]:
        """Return the squared error of each picture with all attributes as they are."""
        return self.errors([[()] * len(self.folds)], np.random.default_rng(0))[:, 0]

    def _shuffled(
        self, fold: Fold, attributes: Sequence[int], generator: np.random.Generator
    ) -> Float[np.ndarray, "k f"]:
        if not attributes:
            return fold.features
        seen, order = fold.features.copy(), shuffled_within(fold.strata, generator)
        for index in attributes:
            seen[:, self.spans[index]] = seen[order, self.spans[index]]
        return seen

    def rises(self, repeats: int, generator: np.random.Generator) -> Float[np.ndarray, "n m"]:
        """Return half the rise of each picture's squared error when an attribute alone is shuffled, mean over repeats.

        For a model that is true, its mean is what the attribute explains of the variance, alone and together with others: half of
        E (f(x) - f(x'))^2, Sobol's total effect by Jansen's formula. A linear model with weight w has w^2 times the attribute's variance.

        Source: Breiman 2001, Random forests, section 10 (permutation); Gregorutti, Michel and Saint-Pierre 2017, Correlation and variable
        importance in random forests (its value); Jansen 1999.
        """
        count = len(self.spans)
        steps = [[(index,)] * len(self.folds) for index in range(count) for _ in range(repeats)]
        errors = self.errors(steps, generator).reshape(-1, count, repeats).mean(axis=2)
        rises: Float[np.ndarray, "n m"] = (errors - self.whole()[:, None]) / 2
        return rises


def fitted(
    response: Float[np.ndarray, " n"],
    attributes: Sequence[Attribute],
    classes: Int[np.ndarray, " n"] | None,
    seed: int,
) -> Fitted:
    """Fit a model of a number per picture for each fold, on all pictures outside of it.

    Gradient-boosted trees from `LARGE` pictures on (they find curves and interactions), ridge regression on numbers and levels below.

    Args:
        response: the number.
        attributes: what is known of each picture.
        classes: given to the model beside the attributes, as the mean response of the class; attributes are then shuffled within a class. None where there are too
            many classes for the pictures, or one only.
        seed: of the folds.
    """
    large = len(response) >= LARGE
    parts = [_seen_by_trees(one) if large else one.features for one in attributes]
    ends = np.cumsum([part.shape[1] for part in parts])
    spans = tuple(slice(int(end) - part.shape[1], int(end)) for end, part in zip(ends, parts, strict=True))
    features = np.concatenate(parts, axis=1)
    named = np.concatenate(
        [np.full(part.shape[1], large and one.numbers is None) for one, part in zip(attributes, parts, strict=True)]
    )
    split = KFold(FOLDS, shuffle=True, random_state=seed).split(features)
    folds = tuple(_fold(response, features, named, classes, seen, held, seed) for seen, held in split)
    words = "gradient-boosted trees" if large else "ridge regression"
    return Fitted(response, folds, spans, f"{words}, judged by {FOLDS}-fold cross-validation")


def _seen_by_trees(attribute: Attribute) -> Float[np.ndarray, "n 1"]:
    """Return the number as it is, or the code of the level."""
    return (attribute.codes.astype(float) if attribute.numbers is None else attribute.numbers)[:, None]


def _fold(  # noqa: PLR0917 (what a fold is made of)
    response: Float[np.ndarray, " n"],
    features: Float[np.ndarray, "n f"],
    named: Bool[np.ndarray, " f"],
    classes: Int[np.ndarray, " n"] | None,
    seen: Int[np.ndarray, " s"],
    held: Int[np.ndarray, " k"],
    seed: int,
) -> Fold:
    strata = np.zeros(len(held), dtype=int) if classes is None else classes[held]
    base = np.full(len(held), response[seen].mean())
    inputs, asked = features[seen], features[held]
    if classes is not None:
        known = _foreseen(classes[seen], response[seen], seed)
        base = _class_means(classes[seen], response[seen], classes[held])
        inputs, asked = np.concatenate([inputs, known[:, None]], 1), np.concatenate([asked, base[:, None]], 1)
        named = np.append(named, False)
    model = _regressor(named, large=len(response) >= LARGE, seed=seed)
    return Fold(model.fit(inputs, response[seen]), held, asked, base, strata)


def _regressor(named: Bool[np.ndarray, " f"], *, large: bool, seed: int) -> RegressorMixin:
    if not large:
        return RidgeCV(alphas=_STRENGTHS)
    return HistGradientBoostingRegressor(
        learning_rate=0.06,
        max_iter=200,
        max_leaf_nodes=12,
        min_samples_leaf=20,
        l2_regularization=1.0,
        categorical_features=named,
        early_stopping=True,
        validation_fraction=0.2,
        random_state=seed,
    )


def _foreseen(classes: Int[np.ndarray, " n"], response: Float[np.ndarray, " n"], seed: int) -> Float[np.ndarray, " n"]:
    """Return the mean response of each picture's class, told from other pictures only."""
    told = np.empty(len(classes))
    for seen, held in KFold(FOLDS, shuffle=True, random_state=seed).split(classes):
        told[held] = _class_means(classes[seen], response[seen], classes[held])
    return told


def _class_means(
    classes: Int[np.ndarray, " n"], response: Float[np.ndarray, " n"], asked: Int[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    """Return the mean response of classes, drawn towards the mean of all where a class has few pictures."""
    size = int(max(classes.max(), asked.max())) + 1
    count, total = np.bincount(classes, minlength=size), np.bincount(classes, response, minlength=size)
    told: Float[np.ndarray, " k"] = ((total + _PRIOR * response.mean()) / (count + _PRIOR))[asked]
    return told
