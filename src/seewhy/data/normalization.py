"""Is the stated normalization the one that the network was trained with? Try the usual ones and compare: `seewhy doctor`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.data.picture import read
from seewhy.engine.model import Channels, Model, per_channel
from seewhy.engine.preprocessing import normalize, resample, window_of
from seewhy.engine.session import Session
from seewhy.errors import DataError, ModelError

USUAL: tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...] = (
    ("0 to 1", (0.0,), (1.0,)),
    ("-1 to 1", (0.5,), (0.5,)),
    ("ImageNet mean and std", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ("0 to 255", (0.0,), (1 / 255,)),
)
GREY_IMAGENET = ((0.449,), (0.226,))

CHANCE = 0.05
"""Chance, over all alternatives together, of a warning where the stated normalization is as good."""

LEAST_KNOWN = 10
"""Pictures whose class is known that a verdict on accuracy takes."""

HINT = 0.15
"""Difference of mean confidence from which a hint is given where no class is known."""


@dataclass(frozen=True)
class Trial:
    """One normalization, tried on all pictures.

    Attributes:
        name: for people.
        mean, std, channels: as in `Model`.
        stated: whether it is the one that the model states.
        correct: pictures whose known class came out first.
        known: pictures whose class is known.
        confidence: mean probability of the predicted class, over all pictures.
        losses: per known picture, minus the log-probability of its class.
        calibrated: the same at the temperature that suits this trial best: how sure the network is then plays no part.
    """

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: Channels
    stated: bool = False
    correct: int = 0
    known: int = 0
    confidence: float = 0.0
    losses: tuple[float, ...] = ()
    calibrated: tuple[float, ...] = ()

    @property
    def accuracy(self) -> float | None:
        """Share of the known pictures that came out right; None where no class is known."""
        return self.correct / self.known if self.known else None


@dataclass(frozen=True)
class Normalizations:
    """What trying the usual normalizations gave.

    Attributes:
        trials: the best first: by accuracy where classes are known, else by confidence.
        verdict: one sentence for people.
        warns: whether another normalization than the stated one is clearly better.
    """

    trials: tuple[Trial, ...]
    verdict: str
    warns: bool


def try_normalizations(
    model: Model, pictures: Sequence[str | Path], classes: Sequence[int | None] | None = None
) -> Normalizations:
    """Run the usual normalizations, each in both orders of colour, and the stated one, over a few pictures.

    Accuracy decides, where classes are known. "Clearly better" means: more pictures right, and the known classes so much likelier that a
    paired test leaves less than 5 % to chance for all alternatives together, and less than 5 % when each trial is first brought to
    its best temperature (a normalization is not to be rewarded for making the network surer). Confidence alone says little: a network
    fed with numbers that are far too large is absurdly sure of nonsense. So without known classes there is only a hint, and none
    from normalizations that give larger numbers than the stated one.

    Args:
        model: states its size at least; mean and std may be missing.
        pictures: files; thirty or more tell much, ten little.
        classes: the class of each picture, None where unknown; told from the names of files and folders if None.

    Raises:
        ModelError: the model states no size, or is no classifier.
        DataError: no pictures, or one that cannot be read.
    """
    if not pictures:
        raise DataError("there are no pictures to try the normalizations on")
    known = list(classes) if classes is not None else known_classes(pictures, model.labels)
    if len(known) != len(pictures):
        raise DataError(f"{len(known)} classes for {len(pictures)} pictures; give one each, None where it is unknown")
    pixels = _pixels(model, pictures)
    with Session(model) as session:
        trials = tuple(_tried(session, trial, model, pixels, known) for trial in _alternatives(model))
    ranked = sorted(trials, key=lambda trial: (-trial.correct, sum(trial.losses), -trial.confidence))
    verdict, warns = _verdict(ranked)
    return Normalizations(tuple(ranked), verdict, warns)


def _pixels(model: Model, pictures: Sequence[str | Path]) -> Float[Tensor, "b c h w"]:
    """Return the pictures at the input's size, 0 to 1, in the order red, green, blue."""
    if model.input_size is None:
        raise ModelError(f"{model.title}: say at which size it takes pictures: seewhy.Model(network, size=...)")
    straight = replace(model, channels="grey" if model.channels == "grey" else "rgb")
    made = []
    for picture in pictures:
        image, _ = read(picture)
        made.append(resample(image, window_of(image, model.input_size, model), straight))
    return torch.stack(made)


def _alternatives(model: Model) -> list[Trial]:
    """Return the trials to be made, the stated one marked."""
    grey = model.channels == "grey"
    orders: tuple[Channels, ...] = ("grey",) if grey else ("rgb", "bgr")
    found = []
    for order in orders:
        for name, mean, std in USUAL:
            center, spread = GREY_IMAGENET if grey and len(mean) > 1 else (mean, std)
            found.append(Trial(name if order != "bgr" else f"{name}, BGR", center, spread, order))
    if model.mean is None or model.std is None:
        return found
    mean, std = per_channel(model.mean), per_channel(model.std)
    for index, trial in enumerate(found):
        if trial.channels == model.channels and _alike(trial.mean, mean) and _alike(trial.std, std):
            found[index] = replace(trial, stated=True)
            return found
    return [Trial("as stated", mean, std, model.channels, stated=True), *found]


def _alike(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    longest = max(len(first), len(second))
    pairs = zip(first * (longest // len(first)), second * (longest // len(second)), strict=True)
    return all(abs(a - b) <= 1e-3 * max(abs(a), abs(b), 1e-2) for a, b in pairs)


def _tried(
    session: Session, trial: Trial, model: Model, pixels: Float[Tensor, "b c h w"], known: Sequence[int | None]
) -> Trial:
    """Run one trial."""
    ordered = pixels.flip(1) if trial.channels == "bgr" else pixels
    mean, std = (_spread(values, pixels.shape[1]) for values in (trial.mean, trial.std))
    logits = torch.cat([session.predict(normalize(part, mean, std)) for part in torch.split(ordered, 16)]).double()
    if logits.dim() != 2 or logits.shape[1] < 2:
        raise ModelError(
            f"{model.title} gives {tuple(logits.shape)}, not (pictures, classes); only a classifier's normalization can be tried"
        )
    rows = torch.tensor([row for row, index in enumerate(known) if index is not None], dtype=torch.long)
    wanted = torch.tensor([index for index in known if index is not None], dtype=torch.long)
    if len(wanted) and (int(wanted.min()) < 0 or int(wanted.max()) >= logits.shape[1]):
        raise DataError(f"the known classes go up to {int(wanted.max())}, and the network has {logits.shape[1]}")
    return replace(
        trial,
        correct=int((logits[rows].argmax(dim=1) == wanted).sum()),
        known=len(wanted),
        confidence=float(logits.softmax(dim=1).amax(dim=1).mean()),
        losses=tuple(torch.nn.functional.cross_entropy(logits[rows], wanted, reduction="none").tolist()),
        calibrated=_calibrated(logits[rows], wanted) if len(wanted) else (),
    )


def _spread(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    return values * channels if len(values) == 1 else values


def _calibrated(logits: Float[Tensor, "n k"], wanted: Int[Tensor, " n"]) -> tuple[float, ...]:
    """Return the losses at the temperature, out of a fine row of them, that makes their sum least."""
    logits = torch.nan_to_num(logits)
    scale = logits.std(dim=1).mean().clamp_min(1e-12)
    temperatures = scale * torch.logspace(-2, 1, 61, dtype=logits.dtype)
    tried = [torch.nn.functional.cross_entropy(logits / t, wanted, reduction="none") for t in temperatures]
    return tuple(min(tried, key=lambda losses: float(losses.sum())).tolist())


def _verdict(ranked: Sequence[Trial]) -> tuple[str, bool]:
    """Return the sentence, and whether it warns. The trials come best first."""
    stated = next((trial for trial in ranked if trial.stated), None)
    known = ranked[0].known
    if known >= LEAST_KNOWN:
        return _by_accuracy(ranked, stated)
    few = f"the class of only {known} pictures is known" if known else "no picture's class is known"
    return _by_confidence(ranked, stated, few)


def _by_accuracy(ranked: Sequence[Trial], stated: Trial | None) -> tuple[str, bool]:
    best, known = ranked[0], ranked[0].known
    if stated is None:
        return f"{_named(best)} does best: {best.correct} of {known} right; state it", False
    better = [trial for trial in ranked if not trial.stated and _clearly(trial, stated, len(ranked) - 1)]
    if better:
        best = better[0]
        return (
            f"the stated normalization ({_named(stated)}) is wrong, it seems: {stated.correct} of {known} right, and "
            f"{best.correct} with {_named(best)}",
            True,
        )
    if best.correct > stated.correct:
        return (
            f"the stated normalization may stay: {stated.correct} of {known} right; {_named(best)} gets {best.correct}, "
            "which chance explains",
            False,
        )
    return f"the stated normalization fits: {stated.correct} of {known} right, and no usual one does better", False


def _by_confidence(ranked: Sequence[Trial], stated: Trial | None, few: str) -> tuple[str, bool]:
    if stated is None:
        return f"{few}, so nothing can be said; put each class into a folder of its name", False
    reach = (
        min(stated.std) / 1.5
    )  # numbers no larger than the stated ones: a network fed with larger ones is sure of nonsense
    others = [trial for trial in ranked if not trial.stated and min(trial.std) >= reach]
    best = max(others, key=lambda trial: trial.confidence, default=stated)
    if best.confidence > stated.confidence + HINT:
        return (
            f"{few}; a hint, no more: the network is surer with {_named(best)} ({best.confidence:.0%} on average) than as stated "
            f"({stated.confidence:.0%}). Pictures in folders named by class would tell",
            False,
        )
    return f"{few}, and confidence gives no hint against the stated normalization", False


def _named(trial: Trial) -> str:
    if trial.name != "as stated":
        return trial.name
    return f"mean {', '.join(f'{value:.4g}' for value in trial.mean)}, std {', '.join(f'{value:.4g}' for value in trial.std)}"


def _clearly(trial: Trial, stated: Trial, alternatives: int) -> bool:
    """Say whether a trial beats the stated one: more right, and losses lower by more than chance explains, also when calibrated."""
    plain, calm = (
        [b - a for a, b in zip(first, second, strict=True)]
        for first, second in ((trial.losses, stated.losses), (trial.calibrated, stated.calibrated))
    )
    return trial.correct > stated.correct and flips(plain) < CHANCE / max(1, alternatives) and flips(calm) < CHANCE


def flips(differences: Sequence[float], draws: int = 20_000) -> float:
    """Return the chance of a mean as large as this one if each difference had either sign as likely (paired, one-sided).

    The signs are drawn, from a fixed seed.
    """
    values = torch.tensor(differences, dtype=torch.float64)
    signs = torch.randint(0, 2, (draws, len(values)), generator=torch.Generator().manual_seed(0)).double() * 2 - 1
    reached = int((signs @ values >= values.sum() - 1e-12 * values.abs().sum()).sum())
    return (reached + 1) / (draws + 1)


def known_classes(pictures: Sequence[str | Path], labels: Sequence[str] | None) -> list[int | None]:
    """Return the class of each picture as the name of its folder or file tells it; None where it does not, or names two classes.

    Understood are a class's name, with or without a WordNet id before it ("n02123045_tabby", "tabby_0012.jpg", "tabby/12.jpg"), and
    folders named by the index of the class where there are at least two of them.
    """
    paths = [Path(picture) for picture in pictures]
    numbered = {path.parent.name for path in paths if path.parent.name.isdigit()}
    index_of: dict[str, int | None] = {}
    for index, label in enumerate(labels or ()):
        index_of[_plain(label)] = None if _plain(label) in index_of else index
    found: list[int | None] = []
    for path in paths:
        by_folder, by_file = index_of.get(_plain(path.parent.name)), index_of.get(_plain(path.stem))
        if by_folder is None and by_file is None and len(numbered) > 1 and path.parent.name in numbered:
            by_folder = int(path.parent.name)
        found.append(by_folder if by_folder is not None else by_file)
    return found


@lru_cache(maxsize=1024)  # a folder's name comes with each of its pictures
def _plain(name: str) -> str:
    """Return a name without WordNet id, counters and marks, in small letters."""
    words = re.sub(r"[\W_]+", " ", re.sub(r"^n\d{8}[_-]?", "", name.lower())).strip()
    return re.sub(r"( \d+)+$", "", words)
