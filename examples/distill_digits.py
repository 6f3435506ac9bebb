"""A small network learns to read digits; a readable model then says what it says. Run from anywhere; twenty seconds."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import seewhy

LEARNED = 600
"""Digits that the network learns from; the students are made of the others."""


def digits() -> tuple[Tensor, Tensor]:
    """Return 1797 pictures of 8 x 8 with values from 0 to 1, and what they show."""
    pictures, labels = load_digits(return_X_y=True)
    return torch.tensor(pictures, dtype=torch.float32).view(-1, 1, 8, 8) / 16, torch.tensor(labels)


def trained(pictures: Tensor, labels: Tensor, epochs: int = 30) -> nn.Module:
    """Return a network of three convolutions that has learned these digits."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )
    steps = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(pictures)).split(50):
            steps.zero_grad()
            nn.functional.cross_entropy(network(pictures[rows]), labels[rows]).backward()
            steps.step()
    return network.eval()


if __name__ == "__main__":
    pictures, labels = digits()
    network = trained(pictures[:LEARNED], labels[:LEARNED])
    model = seewhy.Model(network, size=8, mean=0, std=1, channels="grey", name="digits")
    student = seewhy.distill(model, (pictures[LEARNED:], labels[LEARNED:]), into="linear")
    print(student.text())
    print(f"agrees with the network on {student.fidelity:.1%} of the pictures, right on {student.accuracy:.1%}")
    print(f"wrote {student.save('digits.student.json', force=True)}")
