"""A small network of one's own, explained from a tensor: no picture, no preprocessing. Run from anywhere."""

import torch
from torch import nn

import seewhy

torch.manual_seed(0)
network = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(8, 8, 3, padding=1),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(8, 3),
)
batch = torch.randn(4, 1, 32, 32)

with seewhy.Session(network) as session:
    cam, gradients = session.explain(
        batch, target=0, methods=["grad-cam", seewhy.method("integrated-gradients", baseline="zero")]
    )
    print(f"{cam.method.title}: {tuple(cam.heatmap.shape)} at {cam.method.layer}; {cam.cost}")
    print(
        f"{gradients.method.title}: the maps add up to the scores but for {gradients.residual.abs().max():.1e}; {gradients.cost}"
    )
    print(f"wrote {cam.save('cam.png', force=True)}")
