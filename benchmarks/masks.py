"""How many masks RISE takes: the centred estimator and the plain one of the paper, on at least twenty photos.

    SEEWHY_DATA=folder python -m benchmarks.masks      # the folder holds imagenet60/

Each photo is asked through 512 + 1500 masks once. From the first ones maps are made of 16, 32, ... 512 masks by both estimators; from the 1500 others,
which they share nothing with, the reference. Quality is the correlation with it, a mean over the photos. The network runs in bfloat16, whose
error is far below that of the masks.
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import seewhy
from benchmarks.table import markdown
from seewhy.data.picture import sample

COUNTS = (16, 32, 64, 128, 256, 512)
REFERENCE = 1500
PHOTOS = 20
CELLS = 7


def masks(size: int, generator: torch.Generator) -> Tensor:
    """Return random grids, enlarged and shifted as in the paper (n, size, size); half of the cells are open."""
    cell, count = -(-size // CELLS), COUNTS[-1] + REFERENCE
    grids = (torch.rand(count, 1, CELLS + 1, CELLS + 1, generator=generator) < 0.5).float()
    shifts = torch.randint(cell, (count, 2), generator=generator).tolist()
    made = torch.empty(count, size, size)
    for number, (top, left) in enumerate(shifts):
        large = torch.nn.functional.interpolate(grids[number : number + 1], scale_factor=cell, mode="bilinear")
        made[number] = large[0, 0, top : top + size, left : left + size]
    return made


@torch.no_grad()
def scores(network: torch.nn.Module, image: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logit and the probability of the predicted class through each mask; hidden is 0, as in the paper."""
    chosen = network(image[None].bfloat16()).float().argmax()
    logits = torch.cat(
        [
            network((image * part[:, None]).bfloat16().contiguous(memory_format=torch.channels_last)).float()
            for part in shown.split(8)
        ]
    )
    return logits[:, chosen], logits.softmax(dim=1)[:, chosen]


def plain(shown: Tensor, score: Tensor) -> Tensor:
    """Return equation 6 of the paper: the mean of masks weighted by scores."""
    return torch.einsum("n,nhw->hw", score, shown) / (0.5 * len(score))


def centred(shown: Tensor, score: Tensor) -> Tensor:
    """Return the covariance of mask and score, over the variance of the mask."""
    away = shown - shown.mean(dim=0)
    return torch.einsum("n,nhw->hw", score - score.mean(), away) / away.square().sum(dim=0).clamp_min(1e-6)


def correlations(shown: Tensor, score: Tensor) -> dict[str, list[float]]:
    """Return the correlation with the reference for each number of masks, by estimator."""
    reference = centred(shown[COUNTS[-1] :], score[COUNTS[-1] :]).flatten()
    return {
        kind.__name__: [
            float(torch.corrcoef(torch.stack([kind(shown[:n], score[:n]).flatten(), reference]))[0, 1]) for n in COUNTS
        ]
        for kind in (plain, centred)
    }


def fewer(found: np.ndarray, other: np.ndarray) -> list[str]:
    """Return how many times as many masks the other estimator takes for what this one reaches with each number; "> n" beyond the last."""
    ways = []
    for count, reached in zip(COUNTS, found, strict=True):
        if reached > other.max():
            ways.append(f"> {COUNTS[-1] / count:.0f} x")
        else:
            needed = np.exp(np.interp(reached, other, np.log(COUNTS)))
            ways.append(f"{needed / count:.1f} x")
    return ways


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(os.environ["SEEWHY_DATA"]) / "imagenet60"
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))[:PHOTOS]
    model = seewhy.load_model("efficientnet-lite0")
    network = model.module.bfloat16().to(memory_format=torch.channels_last).eval()
    shown = masks(model.input_size[0], torch.Generator().manual_seed(0))
    found: dict[tuple[str, str], list[list[float]]] = {}
    for number, photo in enumerate(photos, 1):
        print(f"{number} of {len(photos)}", file=sys.stderr, flush=True)
        for unit, score in zip(
            ("logit", "probability"), scores(network, sample(photo, model).inputs, shown), strict=True
        ):
            for kind, row in correlations(shown, score).items():
                found.setdefault((unit, kind), []).append(row)
    means = {name: np.mean(rows, axis=0) for name, rows in found.items()}
    lines = [(f"{unit}, {kind}", *[f"{value:.2f}" for value in row]) for (unit, kind), row in means.items()]
    lines += [
        (f"{unit}: masks that plain takes, over ours", *fewer(means[unit, "centred"], means[unit, "plain"]))
        for unit in ("logit", "probability")
    ]
    print(markdown((f"correlation over {len(photos)} photos", *map(str, COUNTS)), lines))


if __name__ == "__main__":
    main()
