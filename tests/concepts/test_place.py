"""Where concepts are looked for when nobody says where."""

import torch
from torch import nn

import seewhy
from networks import SmallCNN, SmallViT, seeded
from seewhy.concepts.place import passed_layer


def layer_of(network: nn.Module, size: int) -> tuple[str, str]:
    session = seewhy.Session(seewhy.Model(network.float(), size=size, mean=0.5, std=0.25))
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    return session.network.target_layer(images), passed_layer(session, images)


def test_it_is_the_layer_that_methods_look_at_where_everything_passes_through_that():
    looked_at, passed = layer_of(seeded(SmallCNN()), 16)
    assert passed == looked_at == "act"


def test_in_a_transformer_it_is_what_the_block_before_hands_on():
    looked_at, passed = layer_of(seeded(SmallViT()), 8)
    assert looked_at == "blocks.1.norm1"
    assert passed == "blocks.0"


def test_concepts_of_a_transformer_have_importance_without_a_word_about_layers():
    model = seewhy.Model(seeded(SmallViT()).float(), size=8, mean=0.5, std=0.25)
    inputs = torch.rand(12, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = seewhy.discover(model, (inputs, torch.full((12,), -1)), count=3)
    assert found.dictionary.layer == "blocks.0"
    assert all(one.size is not None and one.size.value > 0 for one in found)
