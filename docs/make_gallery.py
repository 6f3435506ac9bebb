"""Make the pictures of docs/gallery.md with the built-in network: python docs/make_gallery.py

The channels are the first ten of three layers and the classes every hundredth, so that nobody has chosen the ones that look best. About six minutes on one core.
"""

from pathlib import Path

import torch
from PIL import Image

import seewhy

FOLDER = Path(__file__).parent / "pictures" / "gallery"
SHEETS = {
    "early": [f"blocks.2:{channel}" for channel in range(10)],
    "middle": [f"blocks.6:{channel}" for channel in range(10)],
    "late": [f"blocks.14:{channel}" for channel in range(10)],
    "classes": list(range(0, 1000, 100)),
}
ACROSS = 5


def sheet(images: torch.Tensor) -> Image.Image:
    """Return pictures (n, 3, h, w) side by side, five in a row."""
    rows = [torch.cat(list(row), dim=2) for row in images.split(ACROSS)]
    values = torch.cat(rows, dim=1).permute(1, 2, 0) * 255
    return Image.fromarray(values.round().byte().numpy())


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, targets in SHEETS.items():
        made = seewhy.visualize(None, targets)
        sheet(made.images).save(FOLDER / f"{name}.webp", quality=88)
        for target, score in zip(made.targets, made.scores.tolist(), strict=True):
            print(f"{name}: {target} {score:.1f}")
