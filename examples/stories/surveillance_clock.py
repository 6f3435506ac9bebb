"""A network that should see which way people walk reads the clock in the picture instead; the time tests expose it.

    python examples/stories/surveillance_clock.py VIDEO OUT_FOLDER [STEPS]

VIDEO is a street seen by a camera that stands still, such as `vtest.avi` of OpenCV. Cut out of it are places where somebody walks to the
left or to the right; each is also shown mirrored and backward, which turns its class round. So both classes have the same frames, and
only their order tells them apart. A clock is drawn on each clip. Two networks of one kind, a CNN for each frame with an LSTM behind it, learn
from the same clips. For the first, those who walk to the right are filmed in the morning and the others in the evening, as it was when the
recordings were made. For the second, its twin, the clock shows anything.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

import seewhy

SIDE, FRAMES, STEP = 48, 8, 2
"""Pixels of a clip's side, its frames, and how many frames of the video lie from one to the next."""
WIDE, HIGH = 256, 192
"""The video is made so small."""
CLOCK = (slice(0, 11), slice(0, 28))
"""Rows and columns of the clock: 13 % of the picture."""
CLASSES = ("to the left", "to the right")
STEPS = 250


@dataclass(frozen=True)
class Walk:
    """Somebody who walks.

    Attributes:
        frames: (t, SIDE, SIDE, 3), 8-bit RGB.
        rightward: the direction.
        start: the first frame's number in the video.
    """

    frames: np.ndarray
    rightward: bool
    start: int

    def turned(self, *, mirrored: bool, backward: bool) -> "Walk":
        """Return the walk mirrored, or backward, which turns its direction round."""
        frames = self.frames[:, :, ::-1] if mirrored else self.frames
        frames = frames[::-1] if backward else frames
        return Walk(frames, self.rightward ^ mirrored ^ backward, self.start)

    def filmed(self, *, morning: bool, minute: int) -> seewhy.Clip:
        """Return the clip with a clock on each frame; it shows minutes, so that it stands still."""
        pixels = self.frames.copy()
        pixels[:, *CLOCK] = clock(f"{8 if morning else 17:02d}:{minute:02d}")
        seconds = tuple(STEP * frame / 10 for frame in range(FRAMES))
        return seewhy.Clip(pixels, seconds, tuple(self.start + STEP * frame for frame in range(FRAMES)), 10.0)


def clock(time: str) -> np.ndarray:
    """Return a clock, white on black."""
    image = Image.new("RGB", (CLOCK[1].stop, CLOCK[0].stop))
    ImageDraw.Draw(image).text((1, -1), time, fill=(255, 255, 255))
    return np.asarray(image)


def street(video: Path) -> np.ndarray:
    """Return all frames of a video, small."""
    with av.open(str(video)) as container:
        shown = [
            frame.reformat(width=WIDE, height=HIGH, format="rgb24").to_ndarray() for frame in container.decode(video=0)
        ]
    return np.stack(shown)


def walks(shown: np.ndarray) -> list[Walk]:
    """Return the places where one person walks sideways: something in front of the background, whole in all frames, moving one way."""
    grey = shown.mean(axis=3, dtype=np.float32)
    moving = np.abs(grey - np.median(grey[::20], axis=0)) > 20
    found = []
    for start in range(0, len(shown) - FRAMES * STEP, 2):
        times = slice(start, start + FRAMES * STEP, STEP)
        for top in range(0, HIGH - SIDE + 1, 8):
            for left in range(0, WIDE - SIDE + 1, 8):
                place = (slice(top, top + SIDE), slice(left, left + SIDE))
                way = direction(moving[times, *place])
                if way:
                    found.append(Walk(shown[times, *place], way > 0, start))
    return found


def direction(moving: np.ndarray) -> int:
    """Return 1 where what moves goes to the right, -1 where it goes to the left, 0 where that cannot be said."""
    size = moving.sum(axis=(1, 2))
    if size.min() < 40 or size.max() > 500:
        return 0
    edge = moving.sum() - moving[:, 3:-3, 3:-3].sum()
    across = (moving * np.arange(SIDE)).sum(axis=(1, 2)) / size
    way, steps = across[-1] - across[0], np.diff(across)
    whole = edge < 0.03 * moving.sum()
    steady = abs(way) > 5 and (np.sign(steps) == np.sign(way)).mean() > 0.8
    return int(np.sign(way)) if whole and steady else 0


class Watcher(nn.Module):
    """A CNN that sees each frame as a row, and an LSTM behind it; takes (b, t, c, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for given, made in ((3, 16), (16, 24), (24, 32)):
            layers += [nn.Conv2d(given, made, 3, 2, padding=1), nn.ReLU()]
        self.eye = nn.Sequential(*layers)
        self.place = nn.Linear(32 * 6 * 6, 48)
        self.memory, self.answer = nn.LSTM(48, 48, batch_first=True), nn.Linear(48, 2)

    def forward(self, clips: Tensor) -> Tensor:
        """Return the logits of the two directions after the last frame."""
        seen = self.place(self.eye(clips.flatten(0, 1)).flatten(1)).relu()
        steps, _ = self.memory(seen.unflatten(0, clips.shape[:2]))
        logits: Tensor = self.answer(steps[:, -1])
        return logits


def batch(clips: list[seewhy.Clip]) -> Tensor:
    """Return clips as the network takes them, (n, t, 3, SIDE, SIDE)."""
    pixels = torch.from_numpy(np.stack([clip.frames for clip in clips])).movedim(-1, 2)
    return (pixels.float() / 255 - 0.5) / 0.25


def some(known: list[Walk], count: int, *, clock_tells: bool, seed: int) -> tuple[list[seewhy.Clip], Tensor]:
    """Return clips with their classes; the clock goes with the class, or with nothing."""
    draws = np.random.default_rng(seed)
    clips, truth = [], []
    for _ in range(count):
        mirrored, backward, anything = draws.integers(2, size=3).astype(bool)
        walk = known[draws.integers(len(known))].turned(mirrored=mirrored, backward=backward)
        morning = walk.rightward if clock_tells else bool(anything)
        clips.append(walk.filmed(morning=morning, minute=int(draws.integers(60))))
        truth.append(int(walk.rightward))
    return clips, torch.tensor(truth)


def trained(known: list[Walk], *, clock_tells: bool, steps: int) -> seewhy.Model:
    """Return a network that has learned from such clips."""
    torch.manual_seed(0)
    net = Watcher()
    descent = torch.optim.Adam(net.parameters(), 2e-3)
    for step in range(steps):
        clips, truth = some(known, 32, clock_tells=clock_tells, seed=1000 + step)
        descent.zero_grad()
        loss = nn.functional.cross_entropy(net(batch(clips)), truth)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        descent.step()
    return seewhy.Model(
        net.eval(),
        size=SIDE,
        mean=0.5,
        std=0.25,
        frames=FRAMES,
        layout="btchw",
        labels=CLASSES,
        name="clock tells" if clock_tells else "twin",
    )


def right(session: seewhy.Session, clips: list[seewhy.Clip], truth: Tensor) -> float:
    """Return the share of clips on which the network is right."""
    return float((answers(session, clips) == truth).float().mean())


def answers(session: seewhy.Session, clips: list[seewhy.Clip]) -> Tensor:
    """Return the class of each clip."""
    return session.predict(batch(clips).transpose(1, 2)).argmax(dim=1)


def other_hour(clip: seewhy.Clip, session: seewhy.Session) -> bool:
    """Say whether the answer is another one where the clock shows morning instead of evening, or the reverse."""
    both = []
    for hour in (8, 17):
        pixels = clip.frames.copy()
        pixels[:, *CLOCK] = clock(f"{hour:02d}:30")
        both.append(seewhy.Clip(pixels, clip.seconds, clip.numbers, clip.rate))
    first, second = answers(session, both).tolist()
    return bool(first != second)


def clock_share(session: seewhy.Session, clips: list[seewhy.Clip]) -> float:
    """Return which share of the evidence lies on the clock, an eighth of the picture."""
    maps = session.explain(clips, methods="integrated-gradients").heatmap.clamp_min(0)
    return float((maps[:, :, *CLOCK].flatten(1).sum(1) / maps.flatten(1).sum(1).clamp_min(1e-12)).mean())


def ask(model: seewhy.Model, tests: list[Walk], count: int = 24) -> tuple[dict[str, float], str]:
    """Return what a network answers, and what the time tests say of it."""
    own, classes = some(tests, 200, clock_tells=model.name == "clock tells", seed=2)
    elsewhere, truth = some(tests, 200, clock_tells=False, seed=3)
    few = elsewhere[:count]
    with seewhy.Session(model) as session:
        found = seewhy.time_tests(few, session)
        print(f"\n{model.name}\n  {found.line}")
        figures = {
            "right on clips like its own, of later hours": right(session, own, classes),
            "right where the clock shows anything": right(session, elsewhere, truth),
            "evidence on the clock": clock_share(session, few),
            "another answer with the clock at another hour": float(
                np.mean([other_hour(clip, session) for clip in few])
            ),
        }
        if found.still is not None and found.shuffled is not None and found.backward is not None:
            figures |= {
                "kept by the best frame, shown all the time": found.still.mean,
                "stays as it is in other orders": found.shuffled.mean,
                "stays as it is backward": found.backward.mean,
            }
    return figures, found.verdict


def verdict(found: dict[str, float], time: str) -> str:
    """Say what the network reads; it takes both the time tests and an intervention to convict or to acquit."""
    turns = found["another answer with the clock at another hour"]
    if time == "image model" and turns > 0.5:
        return "reads the clock"
    return "sees them walk" if time == "order" and turns < 0.2 else "undecided"


def main(video: Path, out: Path, steps: int = STEPS) -> dict[str, str]:
    """Train both networks, ask them, print what they answer, and write a timeline of one clip for each; return the verdicts."""
    out.mkdir(parents=True, exist_ok=True)
    known = walks(street(video))
    middle = sorted(walk.start for walk in known)[len(known) * 2 // 3]
    learned = [walk for walk in known if walk.start < middle - FRAMES * STEP]  # no frame is in both
    tests = [walk for walk in known if walk.start >= middle]
    if len(learned) < 10 or len(tests) < 10:
        raise SystemExit(f"{video}: too few people walk through it ({len(known)} places were found)")
    clip = next(walk for walk in tests if walk.rightward).filmed(morning=True, minute=30)
    verdicts = {}
    for clock_tells in (True, False):
        model = trained(learned, clock_tells=clock_tells, steps=steps)
        figures, time = ask(model, tests)
        verdicts[model.name] = verdict(figures, time)
        for question, answer in figures.items():
            print(f"  {question:<48}{answer:>7.1%}")
        print(f"  verdict: {verdicts[model.name]}")
        write(model, clip, out)
    return verdicts


def write(model: seewhy.Model, clip: seewhy.Clip, out: Path) -> None:
    """Write the timeline of a clip as page, picture and numbers, and its heatmap as a picture."""
    stem = model.name.replace(" ", "-")
    found = seewhy.timeline(clip, model, "to the right")
    for ending in ("html", "png", "json"):
        print(f"  wrote {found.save(out / f'{stem}.{ending}', force=True)}")
    seen = seewhy.explain(clip, model, "to the right", "integrated-gradients")
    print(f"  wrote {seen.save(out / f'{stem}.map.png', force=True)}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else STEPS)
