"""What a change does not reach is read from a tape: the same numbers, in float64, from fewer multiply-adds."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import ConvNextConfig, ConvNextForImageClassification, ResNetConfig, ResNetForImageClassification

import seewhy
from networks import seeded
from seewhy.adapters.efficientnet_lite import EfficientNetLite0
from seewhy.core.needs import Needs
from seewhy.core.rules import Operation
from seewhy.engine.following.counting import Counting
from seewhy.engine.following.local import Local
from seewhy.engine.following.patches import Rectangles, around
from seewhy.engine.following.sliding import Sliding, sliding
from seewhy.engine.network import Network
from seewhy.engine.replay import CannotCut


class Odd(nn.Module):
    """Whatever networks do besides plain convolutions, much of it in place; no value of it hangs on the position alone."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, (3, 5), stride=(1, 2), padding=(1, 2))
        self.dilated = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4)
        self.same = nn.Conv2d(8, 8, (4, 3), padding="same")
        self.norm = nn.LayerNorm(8)
        self.mix = nn.Linear(8, 8)
        self.last = nn.Conv2d(16, 6, 3)
        self.head = nn.Linear(6, 5)
        self.row = nn.Parameter(torch.randn(1, 1, 96, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x += 0.5
        x = F.relu(x * self.row, inplace=True)
        y = self.dilated(x).mul_(0.7)
        y.relu_()
        y = self.same(y)
        y = self.mix(self.norm(y.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        y = F.max_pool2d(torch.cat([x, F.silu(y)], dim=1), 3, 2, 1, ceil_mode=True)
        y = F.avg_pool2d(F.pad(y, (0, 1, 1, 0), value=0.3), 3, 2, 1)
        y = self.last(y)
        y = y * y.mean(dim=(2, 3), keepdim=True).sigmoid()
        return self.head(y.amax(dim=(2, 3)))


def vgg_like() -> nn.Module:
    """Convolutions, rectified in place, and max pools."""
    layers, channels = list[nn.Module](), 3
    for width in (8, 8, 0, 16, 16, 0, 32, 32, 0):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)] if width else [nn.MaxPool2d(2)]
        channels = width or channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 5))


def resnet() -> nn.Module:
    """Bottlenecks that add in place."""
    return ResNetForImageClassification(
        ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 32, 64], depths=[1, 2, 2, 1], num_labels=5)
    )


def convnext() -> nn.Module:
    """Depthwise convolutions, and linear layers on permuted maps."""
    return ConvNextForImageClassification(
        ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 2, 1], num_labels=5, layer_scale_init_value=0.7)
    )


MADE = {
    "vgg": vgg_like,
    "resnet": resnet,
    "lite": lambda: EfficientNetLite0(5),
    "convnext": convnext,
    "odd": Odd,
}
SIZE = 96
LEFT = {"vgg": 0.3, "resnet": 0.75, "lite": 0.8, "convnext": 0.8, "odd": 0.4}
"""The part of the multiply-adds that windows of 8 cells may take, at most."""


@pytest.fixture(scope="module", params=MADE)
def network(request):
    """A network of each kind in float64, and an image of a size that no stride divides well."""
    module = seeded(MADE[request.param]())
    network = Network(seewhy.Model(module, size=SIZE, mean=0.5, std=0.5))
    image = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    network.forward(image, Needs())
    network.name = request.param
    return network, image


def changed(image: Tensor, at: Rectangles, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return noise for each rectangle, and the image with that noise in it."""
    generator = torch.Generator().manual_seed(seed)
    crop = 2 * torch.randn(len(at.top), image.shape[1], *at.size, generator=generator, dtype=image.dtype)
    images = image.repeat(len(at.top), 1, 1, 1)
    for row, (top, left) in enumerate(zip(at.top, at.left, strict=True)):
        images[row, :, top : top + at.size[0], left : left + at.size[1]] = crop[row]
    return crop, images


def places(height: int, width: int, bound: int = SIZE) -> Rectangles:
    """Return windows in the four corners, at the edges, and off any grid."""
    rows, columns = (0, 37, bound - height), (0, 41, bound - width)
    top, left = zip(*product(rows, columns), strict=True)
    return Rectangles(top, left, (height, width))


class TestExactness:
    @pytest.mark.parametrize("size", [(1, 1), (8, 8), (16, 16), (5, 31), (40, 24)])
    def test_what_is_followed_is_what_the_whole_network_gives(self, network, size):
        network, image = network
        at = places(*size)
        crop, images = changed(image, at)
        wanted = network.forward(images, Needs()).reading.output
        reference = network.forward(image, Needs()).reading.output
        effect = (wanted - reference).abs().amax(dim=1)
        found = network.followed(network.reference(image), at, crop)
        assert (effect > 1e-9 * reference.abs().max()).all()  # each window matters, or the test would be void
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12 * float(wanted.abs().max()))

    def test_it_takes_fewer_multiply_adds(self, network):
        network, image = network
        at = Rectangles((3, 37, 80), (80, 41, 8), (8, 8))
        crop, images = changed(image, at)
        tape = network.reference(image)
        with FlopCounterMode(display=False) as whole:
            network.forward(images, Needs())
        with FlopCounterMode(display=False) as local:
            network.followed(tape, at, crop)
        assert local.get_total_flops() < LEFT[network.name] * whole.get_total_flops()

    def test_an_output_cell_too_few_shows(self, network, monkeypatch):
        """The negative control: what the tests above hold apart."""
        network, image = network
        at = Rectangles((40, 10), (40, 60), (8, 8))
        crop, images = changed(image, at)
        reached = Sliding.reached

        def too_few(self: Sliding, at: Rectangles, bounds: tuple[int, int]) -> Rectangles:
            found = reached(self, at, bounds)
            return Rectangles(found.top, found.left, (max(1, found.size[0] - 1), found.size[1]))

        monkeypatch.setattr(Sliding, "reached", too_few)
        wanted = network.forward(images, Needs()).reading.output
        found = network.followed(network.reference(image), at, crop)
        assert (found - wanted).abs().max() > 1e-6 * wanted.abs().max()

    def test_the_same_tape_serves_again(self, network):
        network, image = network
        tape, at = network.reference(image), places(8, 8)
        crop, _ = changed(image, at)
        first = network.followed(tape, at, crop)
        network.followed(tape, places(16, 16), changed(image, places(16, 16), seed=5)[0])
        assert torch.equal(network.followed(tape, at, crop), first)

    def test_the_tape_lets_go_of_what_nobody_reads(self, network):
        network, image = network
        held = network.reference(image).size
        everything = 0

        class Sum(torch.overrides.TorchFunctionMode):
            def __torch_function__(self, function, types, args=(), kwargs=None):
                nonlocal everything
                out = function(*args, **(kwargs or {}))
                everything += out.nbytes if isinstance(out, Tensor) else 0
                return out

        with torch.no_grad():
            network._called(image.clone(), Sum())
        assert 0 < held < 0.8 * everything


class Single(nn.Module):
    """One operation after another, and nothing else."""

    def __init__(self, *steps) -> None:
        super().__init__()
        self.steps = steps
        self.none = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        for step in self.steps:
            x = step(x)
        return x


def weight(*shape: int) -> Tensor:
    """Return a seeded float64 weight."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


STEPS = {
    "convolution": lambda x: F.conv2d(x, weight(4, 3, 3, 3), weight(4), padding=1),
    "strided": lambda x: F.conv2d(x, weight(4, 3, 3, 3), stride=3, padding=1),
    "wide stride": lambda x: F.conv2d(x, weight(4, 3, 2, 2), stride=4),
    "asymmetric": lambda x: F.conv2d(x, weight(4, 3, 1, 5), stride=(2, 1), padding=(0, 4), dilation=(1, 2)),
    "grouped": lambda x: F.conv2d(x, weight(6, 1, 3, 3), groups=3, dilation=3),
    "same": lambda x: F.conv2d(x, weight(4, 3, 3, 3), padding="same", dilation=2),
    "same, even": lambda x: F.conv2d(x, weight(4, 3, 4, 2), padding="same"),
    "valid": lambda x: F.conv2d(x, weight(4, 3, 3, 3), padding="valid"),
    "one pixel": lambda x: F.conv2d(x, weight(4, 3, 1, 1)),
    "one pixel, strided": lambda x: F.conv2d(x, weight(4, 3, 1, 1), stride=2),
    "one pixel, padded": lambda x: F.conv2d(x, weight(4, 3, 1, 1), weight(4), padding=1),
    "max pool": lambda x: F.max_pool2d(x - 9, 3, 2, 1),  # below 0: a border of zeros would show
    "max pool, ceil": lambda x: F.max_pool2d(x - 9, (3, 2), 2, ceil_mode=True),
    "max pool, dilated": lambda x: F.max_pool2d(x, 2, 3, 1, dilation=2),
    "average pool": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "average pool, divided": lambda x: F.avg_pool2d(x, 3, divisor_override=2),
    "pad": lambda x: F.pad(x, (2, 0, 1, 3), value=0.5),
    "pad of one axis": lambda x: F.pad(x, (2, 1)),
    "batch norm": lambda x: F.batch_norm(x, weight(3), weight(3).abs() + 1, weight(3), weight(3)),
    "channels-last norm": lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (3,), weight(3)).permute(0, 3, 1, 2),
    "transposed": lambda x: F.linear(x.transpose(1, 3), weight(3, 3)).movedim(-1, 1),
    "prelu": lambda x: F.prelu(x, weight(3)),
    "cat": lambda x: torch.cat([x, x.relu(), -x], dim=1),
    "sum of reaches": lambda x: F.conv2d(x, weight(3, 3, 5, 5), padding=2) + F.conv2d(x, weight(3, 3, 3, 1), padding=(1, 0)),
    "by name": lambda x: torch.add(x, other=F.conv2d(x, weight(3, 3, 3, 3), padding=1), alpha=2),
    "one channel": lambda x: x * F.conv2d(x, weight(1, 3, 3, 3), padding=1),
    "places": lambda x: x + weight(32, 32) + weight(1, 3, 32, 1) * weight(3, 1, 1),
    "numbers": lambda x: 1 / (2 - x.tanh()) ** 2 - 3,
    "in place": lambda x: F.hardtanh(x.mul_(3).add_(x).sub_(1), inplace=True),
    "pad, then write": lambda x: F.pad(x, (1, 1, 1, 1)).relu_() + F.pad(x, (1, 1, 1, 1)),
}  # fmt: skip


class TestOperations:
    """One operation at a time; the answer is the whole map, so no cell is left out."""

    @pytest.mark.parametrize("size", [(5, 5), (1, 3), (9, 2)])
    @pytest.mark.parametrize("step", STEPS)
    def test_a_followed_operation(self, step, size, monkeypatch):
        network = Network(seewhy.Model(Single(STEPS[step]), size=32, mean=0.5, std=0.5))
        image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        at = Rectangles((0, 0, 32 - size[0], 13, 14), (0, 32 - size[1], 32 - size[1], 17, 6), size)
        crop, images = changed(image, at)
        wanted = network.forward(images, Needs()).reading.output
        monkeypatch.setattr(Local, "_whole", None)  # nothing goes whole
        found = network.followed(network.reference(image), at, crop)
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize(
        "step",
        [
            lambda x: F.pad(x, (2, 2, 2, 2), mode="reflect"),
            lambda x: F.pad(x, (-2, 2, 0, 0)),
            lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
            lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
            lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
            lambda x: F.conv_transpose2d(x, weight(3, 2, 3, 3), stride=2),
            lambda x: F.group_norm(x, 1),
            lambda x: x.softmax(dim=3),
            lambda x: x.flip(2),
            lambda x: F.layer_norm(x, (32,)),
            lambda x: F.linear(x, weight(32, 32)),
            lambda x: torch.cat([x, x], dim=2),
            lambda x: x.clamp(min=weight(3, 32, 32)),
            lambda x: x * x.amax(dim=(2, 3), keepdim=True),
            lambda x: x[:, 1:].relu(),
            lambda x: torch.zeros(len(x), 3, 32, 32, dtype=x.dtype).copy_(x) + x,
            lambda x: x + torch.arange(len(x), dtype=x.dtype)[:, None, None, None],
            lambda x: x.reshape(len(x), 3, -1).cumsum(2),
            lambda x: x if x.isnan().any() else -x,
        ],
    )
    def test_any_other_operation_runs_whole(self, step):
        network = Network(seewhy.Model(Single(step), size=32, mean=0.5, std=0.5))
        image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        at = Rectangles((0, 13, 27), (27, 17, 0), (5, 5))
        crop, images = changed(image, at)
        wanted = network.forward(images, Needs()).reading.output
        found = network.followed(network.reference(image), at, crop)
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize(
        ("step", "why"),
        [
            (lambda x: x / x.max().item(), "looks at values"),
            (lambda x: -x if x.mean() > 0.2 else x, "looks at values"),
            (lambda x: x + (x.tolist()[0][0][0][0]), "looks at values"),
            (lambda x: x[:, 0:1].mul_(2) + x[:, 1:2], "into a part"),
            (lambda x: torch.mul(x, 2, out=x.new_empty(x.shape)), "into a tensor that it is given"),
            (lambda x: x + torch.rand(1, dtype=x.dtype), "random numbers"),
            (lambda x: x + torch.from_numpy(x.numpy().max(axis=(2, 3), keepdims=True)), "looks at values"),
            (lambda x: torch.from_dlpack(torch.utils.dlpack.to_dlpack(x)) * 2, "."),
        ],
    )
    def test_what_cannot_be_followed_is_refused(self, step, why):
        network = Network(seewhy.Model(Single(step), size=32, mean=0.5, std=0.5))
        image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        network.forward(image, Needs())
        at = Rectangles((0,), (27,), (5, 5))
        with pytest.raises((CannotCut, seewhy.ModelError), match=why):
            network.followed(network.reference(image), at, 50 + changed(image, at)[0])

    def test_what_is_computed_past_the_mode_is_refused(self):
        """A part that runs under no mode sees NaN, not the image without its window."""

        class Blind(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                with torch._C.DisableTorchFunction():
                    return x.mean(dim=(2, 3))

        network = Network(seewhy.Model(Single(Blind()), size=32, mean=0.5, std=0.5))
        image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        at = Rectangles((0,), (27,), (5, 5))
        with pytest.raises(CannotCut, match="not seen"):
            network.followed(network.reference(image), at, changed(image, at)[0])


class TestGeometry:
    @pytest.mark.parametrize("kernel", [1, 2, 3, 5])
    @pytest.mark.parametrize("stride", [1, 2, 3])
    @pytest.mark.parametrize("padding", [0, 1, 2])
    @pytest.mark.parametrize("dilation", [1, 2])
    def test_the_cells_reached_are_those_that_a_convolution_of_ones_reaches(self, kernel, stride, padding, dilation):
        base, window = torch.zeros(1, 1, 17, 14), (3, 2)
        ones = torch.ones(1, 1, kernel, kernel)
        operation = Operation("convolution", torch.conv2d, (base, ones, None, stride, padding, dilation), {})
        slide = sliding(operation)
        for top, left in product(range(15), range(13)):
            seen = base.clone()
            seen[0, 0, top : top + window[0], left : left + window[1]] = 1
            cells = operation.function(seen, *operation.args[1:])[0, 0].nonzero()
            if len(cells):
                first, last = cells.min(dim=0).values, cells.max(dim=0).values
                size = tuple((last - first + 1).tolist())
                bounds = tuple(operation.run().shape[2:])
                found = slide.reached(Rectangles((top,), (left,), window), bounds)
                assert (found.top[0], found.left[0], found.size) == (int(first[0]), int(first[1]), size)

    def test_rows_near_a_border_are_moved_inside(self):
        slide = sliding(Operation("convolution", torch.conv2d, (None, torch.ones(1, 1, 3, 3), None, 1, 1), {}))
        found = slide.reached(Rectangles((0, 5, 8), (4, 4, 4), (2, 2)), (10, 10))
        # rows 0-2, 4-7 and 7-9: four of them each, the last moved up by one
        assert found == Rectangles((0, 4, 6), (3, 3, 3), (4, 4))

    def test_the_rectangle_around_others(self):
        first, second = Rectangles((0, 6), (2, 2), (3, 3)), Rectangles((1, 4), (2, 1), (3, 5))
        # row 0: 0-3 and 2-6; row 1: 4-8 and 1-5: five cells high, and five wide
        assert around([first, second], (9, 9)) == Rectangles((0, 4), (2, 1), (5, 5))
        assert around([first, first], (9, 9)) is first


class TestCounting:
    def test_convolution_linear_and_attention(self):
        with Counting() as counted, torch.no_grad():
            F.conv2d(torch.ones(2, 3, 8, 8), torch.ones(6, 1, 3, 3), groups=3)
        assert counted.multiply_adds == 2 * 6 * 36 * 9
        with Counting() as counted, torch.no_grad():
            nn.Linear(5, 7)(torch.ones(3, 5))
        assert counted.multiply_adds == 3 * 5 * 7
        with Counting() as counted, torch.no_grad():
            F.scaled_dot_product_attention(torch.ones(2, 4, 6, 8), torch.ones(2, 4, 10, 8), torch.ones(2, 4, 10, 8))
        assert counted.multiply_adds == 2 * 4 * 6 * 10 * (8 + 8)
