"""Networks that are written twice, once of modules and once of functions, for methods with rules for the way back."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from networks import seeded


class OfModules(nn.Module):
    """Two convolutions with their own ReLUs, a max pool that touches neither, two linear layers."""

    def __init__(self, act: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.conv1, self.act1 = nn.Conv2d(3, 6, 3, padding=1), act()
        self.mix, self.pool = nn.Conv2d(6, 5, 1), nn.MaxPool2d(2)
        self.conv2, self.act2 = nn.Conv2d(5, 4, 3), act()
        self.flat, self.fc1, self.act3, self.fc2 = nn.Flatten(), nn.Linear(16, 7), act(), nn.Linear(7, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.mix(self.act1(self.conv1(x))))
        return self.fc2(self.act3(self.fc1(self.flat(self.act2(self.conv2(x))))))


class OfFunctions(OfModules):
    """The same, with functions, operators and in-place calls in the place of modules."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.mix(F.relu(self.conv1(x))), 2)
        x = torch.relu(self.conv2(x)).flatten(1)
        return F.linear(self.fc1(x).clamp_(min=0), self.fc2.weight) + self.fc2.bias


class Adjacent(nn.Module):
    """A max pool whose windows overlap right behind a ReLU, and a ReLU right behind a max pool."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act, self.pool = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        self.pool2, self.act2, self.head = nn.MaxPool2d(2, 1), nn.ReLU(), nn.Linear(54, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.act(self.conv(x)))
        return self.head(self.act2(self.pool2(x)).flatten(1))


def pair() -> tuple[nn.Module, nn.Module]:
    """Return one network in both spellings, with the same weights."""
    first, second = seeded(OfModules()), seeded(OfFunctions())
    second.load_state_dict(first.state_dict())
    return first, second
