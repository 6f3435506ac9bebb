"""A detector whose truth is known: it finds squares of 8 x 8 pixels that are brighter than what is around them, in two colours."""

import torch
from torch import nn

from seewhy.ops.boxes import kept

SIDE, SQUARE, STRIDE = 48, 8, 4
KINDS = ("red", "green")
SURE = 0.5
"""A square is found where it is brighter than its ring by more than this."""


class SquareDetector(nn.Module):
    """Rows (b, q) of the squares at every fourth pixel: logit = 12 (mean inside - mean of the ring 4 pixels wide around - 0.5), for each colour."""

    def __init__(self):
        super().__init__()
        self.contrast = nn.Conv2d(3, len(KINDS), 2 * SQUARE, stride=STRIDE, padding=SQUARE // 2)
        kernel = torch.full((2 * SQUARE, 2 * SQUARE), -1.0 / (3 * SQUARE**2))
        kernel[4:12, 4:12] = 1.0 / SQUARE**2
        with torch.no_grad():
            self.contrast.weight.zero_()
            for kind in range(len(KINDS)):
                self.contrast.weight[kind, kind] = 12 * kernel
            self.contrast.bias.fill_(-12 * SURE)

    def forward(self, pixels):
        logits = self.contrast(pixels)
        height, width = logits.shape[2:]
        top = torch.arange(height, device=pixels.device) * STRIDE
        left = torch.arange(width, device=pixels.device) * STRIDE
        y, x = torch.meshgrid(top, left, indexing="ij")
        boxes = torch.stack([x, y, x + SQUARE, y + SQUARE], dim=-1).flatten(0, 1).to(pixels)
        return {"boxes": boxes.expand(len(pixels), -1, -1), "scores": logits.flatten(2).transpose(1, 2)}


class Listed(nn.Module):
    """The same squares as torchvision would list them: a mapping for each image, surest first, weak and doubled ones left out."""

    def __init__(self, least=0.5, overlap=0.1):
        super().__init__()
        self.inner, self.least, self.overlap = SquareDetector(), least, overlap

    def forward(self, pixels):
        made = self.inner(pixels)
        return [self._one(boxes, logits.sigmoid()) for boxes, logits in zip(made["boxes"], made["scores"], strict=True)]

    def _one(self, boxes, chances):
        best = chances.max(dim=-1)
        sure = (best.values >= self.least).nonzero()[:, 0]
        sure = sure[kept(boxes[sure], best.values[sure].detach(), best.indices[sure], self.overlap)]
        return {"boxes": boxes[sure], "labels": best.indices[sure], "scores": best.values[sure]}


def squares(*placed, ground=0.1, count=1):
    """Return pictures (b, 3, 48, 48) with a square for each (top, left, colour, brightness)."""
    pictures = torch.full((count, 3, SIDE, SIDE), ground)
    for top, left, colour, brightness in placed:
        pictures[:, colour, top : top + SQUARE, left : left + SQUARE] = brightness
    return pictures
