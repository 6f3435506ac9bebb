"""A stream of batches keeps what sorting everything would find, ties, negative values and positions included."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from seewhy.visualization.extremes import ChannelValues, Draw, LayerSearch, strata


def streamed(everything, top, rows, sample=7, tickets=None):
    """Feed activations (n, c, ...) batch by batch."""
    count = len(everything)
    tickets = tickets or list(range(count))
    draw, layer = Draw(sample), LayerSearch(everything.shape[1], tuple(everything.shape[2:]), top)
    for begin in range(0, count, rows):
        places = list(range(begin, min(begin + rows, count)))
        draw, kept = draw.see([tickets[place] for place in places], places)
        layer.see(ChannelValues(everything[places]), torch.tensor(places), kept)
    return layer, draw


def sorted_by_hand(everything, top, sign):
    """Sort everything, in numpy: by value, then by number of the picture; the first of several positions."""
    flat = sign * everything.flatten(2).numpy()
    values, places = flat.max(axis=2), flat.argmax(axis=2)
    found = []
    for channel in range(flat.shape[1]):
        order = sorted(range(len(flat)), key=lambda row: (-values[row, channel], row))[:top]
        found.append([(values[row, channel], row, places[row, channel]) for row in order])
    return found


@pytest.mark.parametrize("rows", [1, 4, 9, 50])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_stream_is_the_brute_force_sort_ties_included(rows, layout):
    drawn = torch.randint(
        -3, 3, (50, 6, 3, 4), generator=torch.Generator().manual_seed(0)
    )  # six values: ties everywhere
    everything = drawn.float().contiguous(memory_format=layout)
    layer, _ = streamed(everything, 8, rows)
    for leaders, sign in ((layer.top, 1), (layer.bottom, -1)):
        wanted = sorted_by_hand(everything, 8, sign)
        for channel in range(6):
            kept = zip(
                leaders.values[:, channel], leaders.pictures[:, channel], leaders.positions[:, channel], strict=True
            )
            assert [(float(v), int(p), int(x)) for v, p, x in kept] == wanted[channel]


def test_channels_that_are_negative_everywhere_have_leaders():
    everything = -1.0 - torch.rand(20, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    layer, _ = streamed(everything, 3, 6)
    assert torch.equal(layer.top.values, everything.flatten(2).amax(2).topk(3, dim=0).values)
    assert (layer.top.pictures >= 0).all()


def test_fewer_pictures_than_places_leave_places_empty():
    layer, _ = streamed(torch.arange(6.0).view(2, 3), 4, 2)
    assert layer.top.pictures[:, 0].tolist() == [1, 0, -1, -1]
    assert layer.top.positions.eq(-1).all()  # no spatial axes, so no position


def test_without_spatial_axes_the_values_themselves_are_ranked():
    everything = torch.randn(30, 5, generator=torch.Generator().manual_seed(2))
    layer, _ = streamed(everything, 4, 7)
    assert torch.equal(layer.top.pictures.long(), everything.topk(4, dim=0).indices)
    assert torch.equal(layer.bottom.pictures.long(), everything.topk(4, dim=0, largest=False).indices)


def test_memory_is_that_of_the_places_and_not_of_the_pictures():
    sizes = []
    for count in (40, 400):
        layer, _ = streamed(torch.randn(count, 3, 2, 2), 5, 8)
        sizes.append(sum(tensor.numel() for tensor in layer.tensors().values()))
    assert sizes[0] == sizes[1] == 3 * (5 * 6 + 7 * 2)


def test_the_sample_holds_the_smallest_tickets_whatever_the_order():
    tickets = np.random.default_rng(0).permutation(60).tolist()
    everything = torch.randn(60, 2, 2, 2, generator=torch.Generator().manual_seed(3))
    layer, draw = streamed(everything, 3, 7, sample=10, tickets=tickets)
    wanted = sorted(np.argsort(tickets)[:10].tolist())
    assert list(draw.pictures) == wanted
    assert torch.equal(layer.sampled.values, everything[wanted].flatten(2).amax(2))
    assert torch.equal(layer.sampled.positions.long(), everything[wanted].flatten(2).argmax(2))
    backwards, _ = streamed(everything.flip(0), 3, 4, sample=10, tickets=tickets[::-1])
    assert torch.equal(backwards.sampled.values.flip(0), layer.sampled.values)


def test_strata_are_the_middles_of_equal_parts():
    values = torch.tensor([[5.0], [1.0], [3.0], [2.0], [4.0], [0.0]])
    assert strata(values, 3)[:, 0].tolist() == [1, 2, 0]  # 0 1 | 2 3 | 4 5: the upper of two middles
    assert strata(values, 6)[:, 0].tolist() == [5, 1, 3, 2, 4, 0]
    assert strata(values, 9)[:, 0].tolist() == [5, 1, 3, 2, 4, 0]  # fewer pictures than strata
    assert all(a <= b for a, b in pairwise(values[strata(values, 4)[:, 0], 0].tolist()))


def test_what_is_not_finite_is_seen_at_any_position():
    value = torch.zeros(4, 2, 3, 3)
    value[1, 0, 2, 2], value[2, 1, 0, 1], value[3, 0, 1, 1] = torch.nan, -torch.inf, torch.inf
    assert ChannelValues(value).not_finite() == [1, 2, 3]
