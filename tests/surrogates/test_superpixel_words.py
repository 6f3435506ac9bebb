"""Superpixel words: a picture of flat colours has the words of its colours, and no others."""

import json

import pytest
import torch
from torch import nn

import seewhy
from seewhy.api import Session
from seewhy.data.features import features
from seewhy.errors import DataError, LayerError
from seewhy.surrogates.bases import basis_from, basis_plain
from seewhy.surrogates.superpixel_words import SuperpixelWords, _pooled

COLOURS = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])


def network():
    """Layer "0" gives the colour at each place; the answer is the colour of the left half."""
    made = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.Flatten(), nn.Linear(3 * 256, 4, bias=False))
    made[0].weight.data = torch.eye(3)[:, :, None, None]
    made[2].weight.data = (
        torch.zeros(4, 3, 16, 16)
        .index_put_((torch.arange(4),), (2 * COLOURS - 1)[:, :, None, None] * (torch.arange(16) < 8) / 128)
        .flatten(1)
    )
    return made


@pytest.fixture(scope="module")
def halves():
    """Pictures of two halves, each of one colour, and the colours of each."""
    pairs = torch.randint(0, 4, (48, 2), generator=torch.Generator().manual_seed(0))
    left, right = (COLOURS[pairs[:, side]][:, :, None, None].expand(-1, -1, 16, 8) for side in (0, 1))
    session = Session(network())
    return features(session, (torch.cat([left, right], dim=3), pairs[:, 0]), "0"), pairs


def test_a_picture_has_the_words_of_its_colours_and_no_others(halves):
    found, pairs = halves
    basis = SuperpixelWords.fit(found, torch.arange(24), 4)
    word = basis.word_of(COLOURS)
    assert sorted(word.tolist()) == [0, 1, 2, 3]
    wanted = torch.zeros(48, 4)
    wanted[torch.arange(48)[:, None], word[pairs]] = 1
    assert torch.equal(basis.read(found), wanted)
    torch.testing.assert_close(basis.words[word], COLOURS, atol=1e-5, rtol=0)


def test_a_word_lights_up_where_its_colour_is_by_how_much_nearer_it_is_than_the_next(halves):
    found, pairs = halves
    basis = SuperpixelWords.fit(found, torch.arange(48), 4)
    codes, word = basis.maps.codes(found), basis.word_of(COLOURS)
    left = int(pairs[0, 0])
    next_nearest = (COLOURS - COLOURS[left]).norm(dim=1).sort().values[1]
    torch.testing.assert_close(codes[0, word[left], :, :8], next_nearest.expand(16, 8), atol=1e-4, rtol=0)
    assert int((codes[0] > 0).sum()) == 256


def test_a_cell_counts_by_the_share_that_a_segment_covers():
    activation = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    segments = torch.zeros(4, 4, dtype=torch.long)
    segments[:, 3] = 1  # half of the right two cells
    wanted = torch.tensor([[(1 + 3 + 0.5 * 2 + 0.5 * 4) / 3], [3.0]])
    torch.testing.assert_close(_pooled(activation, segments), wanted)


def test_the_control_has_other_words_as_far_out(halves):
    found, _ = halves
    basis = SuperpixelWords.fit(found, torch.arange(48), 4)
    control = basis.control(found, 1)
    reach = (control.words - basis.words.mean(0)).norm(dim=1)
    torch.testing.assert_close(reach, (basis.words - basis.words.mean(0)).norm(dim=1).mean().expand(4))
    assert torch.equal(control.words, basis.control(found, 1).words)
    assert not torch.equal(control.words, basis.control(found, 2).words)


def test_what_is_written_down_reads_the_same(halves):
    found, _ = halves
    basis = SuperpixelWords.fit(found, torch.arange(48), 3)
    again = basis_from(json.loads(json.dumps(basis_plain(basis))))
    assert torch.equal(again.read(found), basis.read(found)) and again.names == ("word 0", "word 1", "word 2")
    with pytest.raises(ValueError, match="segments"):
        SuperpixelWords.from_plain({**basis.plain(), "segments": 1})


def test_too_few_segments_and_a_layer_without_places_are_said(halves):
    found, pairs = halves
    with pytest.raises(DataError, match="fewer different segments than 9 words"):
        SuperpixelWords.fit(found, torch.arange(1), 9)
    flat = features(Session(network()), (found.activation, pairs[:, 0]), "2")
    with pytest.raises(LayerError, match="choose another layer"):
        SuperpixelWords.fit(flat, torch.arange(48), 2)


def test_a_student_reads_them(halves):
    found, pairs = halves
    student = seewhy.distill(
        network(), (found.activation, pairs[:, 0]), into="prototypes", on="superpixels", count=4, layer="0"
    )
    assert student.basis.kind == "superpixels" and student.fidelity > 0.6
    assert [one.name for one in student.examples] == [f"image {row}" for row in student.surrogate.examples]
