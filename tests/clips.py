"""Clips and networks whose truth is known: only frames 5 to 7 of 16, and there only one quadrant, hold what the networks look for."""

import torch
from torch import nn

FRAMES, SIDE = 16, 32
WHEN = slice(5, 8)
WHERE = (slice(0, SIDE // 2), slice(0, SIDE // 2))
MATTERS = (WHEN, *WHERE)
"""What matters, as an index of a map (t, h, w) at the input's resolution."""


def planted_clip(seed=0, count=1):
    """Return clips (b, c, t, h, w) of faint noise with a bright block that moves through the upper left quadrant in frames 5 to 7."""
    generator = torch.Generator().manual_seed(seed)
    clips = 0.1 * torch.randn(count, 3, FRAMES, SIDE, SIDE, generator=generator)
    for step, frame in enumerate(range(*WHEN.indices(FRAMES))):
        left = 2 + 3 * step
        clips[:, :, frame, 4:10, left : left + 6] += 2.0
    return clips


def share_that_matters(heatmap):
    """Return which share of a map's positive values lies where it matters, per clip; the map (b, t, h, w) is at the input's resolution."""
    positive = heatmap.clamp_min(0)
    inside = positive[:, WHEN, WHERE[0], WHERE[1]].flatten(1).sum(dim=1)
    return inside / positive.flatten(1).sum(dim=1).clamp_min(1e-12)


def detecting(convolution):
    """Set a convolution's first filter to answer to brightness over 0.5, and its second to darkness under -0.5."""
    with torch.no_grad():
        mean = 1 / convolution.weight[0].numel()
        convolution.weight[0] = mean
        convolution.weight[1] = -mean
        convolution.bias.fill_(-0.5)
    return convolution


class Planted3D(nn.Module):
    """A 3-D CNN that takes (b, c, t, h, w): logit 0 is the mass of bright blocks, logit 1 that of dark ones."""

    def __init__(self):
        super().__init__()
        self.detect = detecting(nn.Conv3d(3, 2, 3, padding=1))
        self.relu = nn.ReLU()
        self.pool = nn.AvgPool3d((1, 2, 2))
        self.head = nn.Linear(2, 2)
        with torch.no_grad():
            self.head.weight.copy_(100 * torch.eye(2))
            self.head.bias.zero_()

    def forward(self, clips):
        return self.head(self.pool(self.relu(self.detect(clips))).mean(dim=(2, 3, 4)))


class Eye(nn.Module):
    """What the recurrent networks see of one frame (n, c, h, w): maps of bright and of dark blocks."""

    def __init__(self):
        super().__init__()
        self.detect = detecting(nn.Conv2d(3, 2, 3, padding=1))
        self.relu = nn.ReLU()
        self.pool = nn.AvgPool2d(2)

    def forward(self, frames):
        return self.pool(self.relu(self.detect(frames)))


def accumulating(cell):
    """Set an LSTM (cell) so that its memory adds up tanh of what it is given, all gates wide open."""
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        size = cell.hidden_size
        weight = cell.weight_ih_l0 if hasattr(cell, "weight_ih_l0") else cell.weight_ih
        bias = cell.bias_ih_l0 if hasattr(cell, "bias_ih_l0") else cell.bias_ih
        weight[2 * size : 3 * size] = 4 * torch.eye(size)
        bias[: 2 * size] = 6.0
        bias[3 * size :] = 6.0
    return cell


class FramesLSTM(nn.Module):
    """A CNN that sees each frame as a row, and an LSTM behind it; takes (b, t, c, h, w)."""

    def __init__(self):
        super().__init__()
        self.eye, self.memory, self.head = Eye(), accumulating(nn.LSTM(2, 2, batch_first=True)), nn.Linear(2, 2)
        with torch.no_grad():
            self.head.weight.copy_(5 * torch.eye(2))
            self.head.bias.zero_()

    def forward(self, clips):
        seen = self.eye(clips.flatten(0, 1)).mean(dim=(2, 3))
        steps, _ = self.memory(seen.unflatten(0, clips.shape[:2]))
        return self.head(steps[:, -1])


class FramesGRU(nn.Module):
    """A CNN that sees each frame as a row, and a GRU with a long memory behind it; takes (b, t, c, h, w)."""

    def __init__(self):
        super().__init__()
        self.eye, self.memory, self.head = Eye(), nn.GRU(2, 2, batch_first=True), nn.Linear(2, 2)
        with torch.no_grad():
            for parameter in self.memory.parameters():
                parameter.zero_()
            self.memory.bias_ih_l0[2:4] = 3.0  # the update gate keeps what is known
            self.memory.weight_ih_l0[4:6] = 4 * torch.eye(2)
            self.head.weight.copy_(50 * torch.eye(2))
            self.head.bias.zero_()

    def forward(self, clips):
        seen = self.eye(clips.flatten(0, 1)).mean(dim=(2, 3))
        steps, _ = self.memory(seen.unflatten(0, clips.shape[:2]))
        return self.head(steps[:, -1])


class LoopLSTM(nn.Module):
    """A CNN and an LSTM cell that run once for each frame, in a loop; takes (b, t, c, h, w)."""

    def __init__(self):
        super().__init__()
        self.eye, self.memory, self.head = Eye(), accumulating(nn.LSTMCell(2, 2)), nn.Linear(2, 2)
        with torch.no_grad():
            self.head.weight.copy_(5 * torch.eye(2))
            self.head.bias.zero_()

    def forward(self, clips):
        state = None
        for frame in clips.unbind(dim=1):
            state = self.memory(self.eye(frame).mean(dim=(2, 3)), state)
        return self.head(state[0])


class ConvLSTMCell(nn.Module):
    """One step of a ConvLSTM (Shi et al. 2015, equation 3, without peepholes) whose memory adds up the maps that it is given."""

    def __init__(self, channels=2):
        super().__init__()
        self.gates = nn.Conv2d(2 * channels, 4 * channels, 1)
        with torch.no_grad():
            self.gates.weight.zero_()
            self.gates.bias.zero_()
            self.gates.bias[: 3 * channels] = 6.0
            self.gates.weight[3 * channels :, :channels, 0, 0] = torch.eye(channels)

    def forward(self, given, state):
        hidden, memory = state
        takes, keeps, shows, new = self.gates(torch.cat([given, hidden], dim=1)).chunk(4, dim=1)
        memory = keeps.sigmoid() * memory + takes.sigmoid() * new.tanh()
        return shows.sigmoid() * memory.tanh(), memory


class ConvLSTM(nn.Module):
    """A CNN and a ConvLSTM cell that run once for each frame, in a loop; takes (b, t, c, h, w)."""

    def __init__(self):
        super().__init__()
        self.eye, self.cell, self.head = Eye(), ConvLSTMCell(), nn.Linear(2, 2)
        with torch.no_grad():
            self.head.weight.copy_(100 * torch.eye(2))
            self.head.bias.zero_()

    def forward(self, clips):
        state = None
        for frame in clips.unbind(dim=1):
            seen = self.eye(frame)
            state = self.cell(seen, state or (torch.zeros_like(seen), torch.zeros_like(seen)))
        return self.head(state[0].mean(dim=(2, 3)))


class LinearFrames(nn.Module):
    """One convolution for each frame and the mean of everything: linear, so that maps are exact; takes (b, t, c, h, w)."""

    def __init__(self):
        super().__init__()
        self.look, self.head = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.Linear(4, 2, bias=False)

    def forward(self, clips):
        seen = self.look(clips.flatten(0, 1)).mean(dim=(2, 3))
        return self.head(seen.unflatten(0, clips.shape[:2]).mean(dim=1))


NETWORKS = {
    "3d": Planted3D,
    "frames-lstm": FramesLSTM,
    "frames-gru": FramesGRU,
    "loop-lstm": LoopLSTM,
    "conv-lstm": ConvLSTM,
}
"""Networks whose logit 0 rises with the planted block, by name."""


def layout_of(network):
    """Return the order of axes that one of these networks takes."""
    return "bcthw" if isinstance(network, Planted3D) else "btchw"
