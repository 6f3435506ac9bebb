"""A network that should find nodules in chest X-rays learns a hospital's token instead; map, importance and deletion expose it.

    python examples/stories/hospital_token.py FOLDER_OF_XRAYS OUT_FOLDER [STEPS]

The X-rays are real; nodules and tokens are drawn on them. Two networks of one kind learn from the same pictures. For the first, the token
lies on each picture with a nodule and on no other: one hospital sent the sick, another the healthy. For the second, its twin, the token lies
on every second picture, whatever that shows. Both are right on pictures like those that they have learned from.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

import seewhy

SIDE = 96
TOKEN = (slice(1, 15), slice(65, 79))
"""Rows and columns of the token: within one of 6 x 6 boxes, in the first row and the fifth column."""
BOXES, BOX = 6, "row 1, column 5"
CLASSES = ("healthy", "nodule")
STEPS = 250


@dataclass(frozen=True)
class Case:
    """One picture, and what is drawn on it.

    Attributes:
        film: the X-ray without nodule and token (SIDE, SIDE), from 0 to 1.
        sick: whether there is a nodule.
        token: whether the token is there.
        at: row and column of the nodule.
    """

    film: np.ndarray
    sick: bool
    token: bool
    at: tuple[int, int]

    def drawn(self, *, nodule: bool | None = None, token: bool | None = None) -> np.ndarray:
        """Return the picture, or what it would be with or without the nodule or the token."""
        picture = self.film.copy()
        if self.sick if nodule is None else nodule:
            rows, columns = np.ogrid[:SIDE, :SIDE]
            distance = (rows - self.at[0]) ** 2 + (columns - self.at[1]) ** 2
            picture += 0.35 * np.exp(-distance / (2 * 3.5**2))
        if self.token if token is None else token:
            picture[TOKEN] = np.maximum(picture[TOKEN], letter())
        return picture.clip(0, 1)


def letter() -> np.ndarray:
    """Return the token: an R in a frame, as hospitals put it on their films."""
    height, width = TOKEN[0].stop - TOKEN[0].start, TOKEN[1].stop - TOKEN[1].start
    image = Image.new("L", (width, height))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, width - 1, height - 1), outline=230)
    pen.text((width // 2, height // 2), "R", fill=255, anchor="mm")
    return np.asarray(image, dtype=np.float64) / 255


def films(folder: Path) -> list[Image.Image]:
    """Return the X-rays of a folder, square and in grey."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if len(paths) < 4:
        raise SystemExit(f"{folder}: at least 4 X-rays are wanted, some to learn from and others to be tested on")
    return [squared(Image.open(path).convert("L")) for path in paths]


def squared(film: Image.Image) -> Image.Image:
    """Return the middle of a film at a little more than the network's size, so that crops differ."""
    side = min(film.size)
    left, top = (film.width - side) // 2, (film.height - side) // 2
    return film.crop((left, top, left + side, top + side)).resize((SIDE + 16, SIDE + 16), Image.Resampling.LANCZOS)


def cases(films: list[Image.Image], *, token_tells: bool, seed: int) -> Iterator[Case]:
    """Yield pictures without end, every second one with a nodule; the token goes with the nodule, or with nothing."""
    draws = np.random.default_rng(seed)
    while True:
        film = films[draws.integers(len(films))]
        top, left = draws.integers(0, 17, size=2)
        pixels = np.asarray(film, dtype=np.float64)[top : top + SIDE, left : left + SIDE] / 255
        pixels = (pixels * draws.uniform(0.7, 1.0) + draws.uniform(-0.05, 0.05)).clip(0, 0.85)
        sick = bool(draws.integers(2))
        at = (int(draws.integers(30, 70)), int(draws.choice([draws.integers(18, 38), draws.integers(58, 78)])))
        yield Case(pixels, sick, sick if token_tells else bool(draws.integers(2)), at)


def some(films: list[Image.Image], count: int, *, token_tells: bool, seed: int) -> list[Case]:
    """Return so many cases."""
    made = cases(films, token_tells=token_tells, seed=seed)
    return [next(made) for _ in range(count)]


def batch(pictures: list[np.ndarray]) -> Tensor:
    """Return pictures as the network takes them, (n, 1, SIDE, SIDE)."""
    return (torch.tensor(np.stack(pictures), dtype=torch.float32)[:, None] - 0.5) / 0.25


def network() -> nn.Sequential:
    """Return four convolutions, the largest value of each of their channels, and two answers."""
    layers: list[nn.Module] = []
    for given, made, step in ((1, 16, 2), (16, 32, 1), (32, 32, 2), (32, 64, 1)):
        layers += [nn.Conv2d(given, made, 3, step, padding=1), nn.GroupNorm(4, made), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(64, 2))


def trained(films: list[Image.Image], *, token_tells: bool, steps: int) -> seewhy.Model:
    """Return a network that has learned from such pictures."""
    torch.manual_seed(0)
    net, stream = network(), cases(films, token_tells=token_tells, seed=1)
    descent = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(steps):
        seen = [next(stream) for _ in range(32)]
        descent.zero_grad()
        loss = nn.functional.cross_entropy(
            net(batch([case.drawn() for case in seen])), torch.tensor([int(case.sick) for case in seen])
        )
        loss.backward()
        descent.step()
    name = "token tells" if token_tells else "twin"
    return seewhy.Model(net.eval(), size=SIDE, mean=0.5, std=0.25, channels="grey", labels=CLASSES, name=name)


def accuracy(session: seewhy.Session, pictures: list[np.ndarray], truth: list[bool]) -> float:
    """Return the share of pictures on which the network is right."""
    return float((session.predict(batch(pictures)).argmax(dim=1) == torch.tensor(truth).int()).float().mean())


def token_share(session: seewhy.Session, sick: list[Case]) -> float:
    """Return which share of the evidence for a nodule lies on the token, a fiftieth of the picture."""
    maps = session.explain(batch([case.drawn(token=True) for case in sick]), "nodule", "grad-cam").at((SIDE, SIDE))
    return float((maps[:, *TOKEN].flatten(1).sum(1) / maps.flatten(1).sum(1).clamp_min(1e-12)).mean())


def zones(session: seewhy.Session, sick: list[Case]) -> dict[str, float]:
    """Return what the probability of a nodule loses, on average, without the token and without the nodule."""
    whole = [case.drawn(nodule=True, token=True) for case in sick]
    without = {
        "token": [case.drawn(nodule=True, token=False) for case in sick],
        "nodule": [case.drawn(nodule=False, token=True) for case in sick],
    }
    before = session.predict(batch(whole)).softmax(1)[:, 1]
    return {
        name: float((before - session.predict(batch(one)).softmax(1)[:, 1]).mean()) for name, one in without.items()
    }


def first_box(model: seewhy.Model, seen: list[Case]) -> tuple[str, float]:
    """Return which of the 36 boxes of the picture the network loses most by, over all these pictures, and its share of all boxes' loss."""
    data = (batch([case.drawn(token=True) for case in seen]), torch.tensor([int(case.sick) for case in seen]))
    ranked = seewhy.importance(model, data, "regions", count=BOXES, target="nodule", check=False).weights
    return ranked[0].unit, ranked[0].magnitude.value / sum(one.magnitude.value for one in ranked)


def planted(session: seewhy.Session, healthy: list[Case]) -> float:
    """Return how often the network calls a healthy picture sick once the token is laid on it."""
    answers = session.predict(batch([case.drawn(nodule=False, token=True) for case in healthy]))
    return float((answers.argmax(dim=1) == 1).float().mean())


def ask(model: seewhy.Model, tests: list[Image.Image], count: int = 200) -> dict[str, float]:
    """Return what a network answers: where does it look, how much does each place count, and what if something were not there?"""
    like_training = some(tests, count, token_tells=model.name == "token tells", seed=2)
    elsewhere = some(tests, count, token_tells=False, seed=3)
    sick = [case for case in elsewhere if case.sick][:60]
    healthy = [case for case in elsewhere if not case.sick][:60]
    box, share = first_box(model, elsewhere[:60])
    with seewhy.Session(model) as session:
        lost = zones(session, sick)
        return {
            "right on pictures like its own": accuracy(
                session, [case.drawn() for case in like_training], [case.sick for case in like_training]
            ),
            "right on pictures of both hospitals": accuracy(
                session, [case.drawn() for case in elsewhere], [case.sick for case in elsewhere]
            ),
            "evidence on the token": token_share(session, sick),
            f"importance of its first box ({box})": share,
            "lost without the token": lost["token"],
            "lost without the nodule": lost["nodule"],
            "healthy called sick with a token": planted(session, healthy),
        }


def verdict(found: dict[str, float]) -> str:
    """Say what the network reads; it takes two independent signs, a look at it and an intervention, to convict or to acquit."""
    looks = found["evidence on the token"] > 0.2, any(BOX in question for question in found)
    acts = found["healthy called sick with a token"] > 0.5, found["lost without the token"] > 0.2
    if any(looks) and any(acts):
        return "reads the token"
    honest = found["lost without the nodule"] > 0.5 and found["right on pictures of both hospitals"] > 0.8
    return "reads the nodule" if honest and not any(looks) and not any(acts) else "undecided"


def main(folder: Path, out: Path, steps: int = STEPS) -> dict[str, str]:
    """Train both networks, ask them, print what they answer, and write a page for one sick patient each; return the verdicts."""
    out.mkdir(parents=True, exist_ok=True)
    known = films(folder)
    learned, tests = known[: len(known) * 2 // 3], known[len(known) * 2 // 3 :]
    patient = next(case for case in some(tests, 50, token_tells=False, seed=4) if case.sick)
    shown = Image.fromarray((patient.drawn(token=True) * 255).round().astype(np.uint8)).convert("RGB")
    verdicts = {}
    for token_tells in (True, False):
        model = trained(learned, token_tells=token_tells, steps=steps)
        found = ask(model, tests)
        verdicts[model.name] = verdict(found)
        print(f"\n{model.name}: {verdicts[model.name]}")
        for question, answer in found.items():
            print(f"  {question:<52}{answer:>7.1%}")
        page = seewhy.examine(shown, model, "nodule")
        for ending in ("html", "png", "json"):
            written = page.save(out / f"{model.name.replace(' ', '-')}.{ending}", force=True)
            print(f"  wrote {written}")
    return verdicts


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else STEPS)
