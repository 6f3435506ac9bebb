"""Methods on the tokens of clips: dropping them by hand, relevance that adds up, activations on the grid in the right order."""

import pytest
import torch

import seewhy
from clip_transformers import KINDS, clips, made, model_of


def explained(network, given, key, target=1, **settings):
    return seewhy.Session(model_of(network)).explain(given, target, seewhy.method(key, **settings))


def without_constants(kind, **config):
    """Return a network to which nothing is added anywhere: no biases, no embeddings of places or times, no class token."""
    network = made(kind, **config)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias") or any(word in name for word in ("token", "position", "time_embed")):
                parameter.zero_()
    if kind == "videomae":
        network.videomae.embeddings.position_embeddings.zero_()
    return network.double()


def answer_without(network, kind, given, place):
    """Run a network of joint attention by hand, without the token of one place (t, h, w)."""
    base = getattr(network, kind)
    tokens = base.embeddings(given.transpose(1, 2), *([None] if kind == "videomae" else []))
    extra = tokens.shape[1] - 64
    number = extra + place[0] * 16 + place[1] * 4 + place[2]  # four steps of time, each with 4 x 4 places
    tokens = torch.cat([tokens[:, :number], tokens[:, number + 1 :]], dim=1)
    for layer in base.encoder.layer if kind == "videomae" else base.layers:
        made_ = layer(tokens)
        tokens = made_[0] if isinstance(made_, tuple) else made_
    if kind == "videomae":
        return network.classifier(network.fc_norm(tokens.mean(dim=1)))
    return network.classifier(base.layernorm(tokens)[:, 0])


def test_a_softmax_in_single_precision_does_not_forbid_dropping():
    maps = [
        explained(
            made("vivit", attn_implementation=how).double(), clips(1, dtype=torch.float64), "token-removal"
        ).heatmap
        for how in ("eager", "sdpa")
    ]
    torch.testing.assert_close(*maps, rtol=1e-4, atol=1e-6)


def test_dropping_is_refused_where_one_token_is_read_by_its_number():
    """Without the first token, the answer would be read from another place."""
    with pytest.raises(seewhy.MethodError, match="no sequence of tokens"):
        explained(made("videomae", use_mean_pooling=False), clips(1), "token-removal")


@pytest.mark.parametrize("kind", ["videomae", "vivit"])
def test_a_token_that_is_dropped_is_that_of_its_frames_and_place(kind):
    network, given = made(kind).double(), clips(2, dtype=torch.float64)
    found = explained(network, given, "token-removal")
    with torch.no_grad():
        whole = network(given.transpose(1, 2)).logits[:, 1]
        for place in ((0, 0, 0), (1, 2, 3), (3, 3, 1)):
            expected = whole - answer_without(network, kind, given, place)[:, 1]
            torch.testing.assert_close(found.heatmap[:, place[0], place[1], place[2]], expected)


def test_dropping_in_a_sequence_place_by_place():
    """TimeSformer's joint attention has its tokens place by place, each with all its frames."""
    network, given = made("timesformer", attention_type="joint_space_time").double(), clips(1, dtype=torch.float64)
    found = explained(network, given, "token-removal")
    base = network.timesformer
    with torch.no_grad():
        tokens = base.embeddings(given.transpose(1, 2))
        frame, row, column = 5, 1, 3
        number = 1 + (row * 4 + column) * 8 + frame
        tokens = torch.cat([tokens[:, :number], tokens[:, number + 1 :]], dim=1)
        for layer in base.encoder.layer:
            tokens = layer(tokens)[0]
        without = network.classifier(base.layernorm(tokens)[:, 0])[0, 1]
        expected = network(given.transpose(1, 2)).logits[0, 1] - without
    torch.testing.assert_close(found.heatmap[0, frame, row, column], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_without_constants_relevance_adds_up_to_the_score(kind):
    """ViViT with GELU: its own default is written out as x (1 + tanh ...), whose 1 is a constant."""
    network = without_constants(kind, **({"hidden_act": "gelu"} if kind == "vivit" else {}))
    given = clips(2, dtype=torch.float64)
    for key, settings in (("cp-lrp", {"epsilon": 0.0}), ("libra-grad", {})):
        found = explained(network, given, key, **settings)
        torch.testing.assert_close(found.heatmap.sum(dim=(1, 2, 3)), found.score, rtol=1e-6, atol=1e-9)
        assert found.heatmap.abs().amax(dim=(2, 3)).min() > 0  # of every frame


@pytest.mark.parametrize("kind", KINDS)
def test_attn_lrp_has_a_rule_for_every_operation(kind):
    found = explained(made(kind).double(), clips(2, dtype=torch.float64), "attn-lrp")
    assert found.coverage.kinds("fallback gradient") == found.coverage.kinds("unsupported") == ()
    torch.testing.assert_close(found.residual, found.score - found.heatmap.sum(dim=(1, 2, 3)))


@pytest.mark.parametrize("kind", KINDS)
def test_hires_cam_by_plain_autograd_in_the_order_of_time(kind):
    """Gradient times activation of the first tokens, each put at its place by the order of its sequence."""
    network, given = made(kind).double(), clips(1, dtype=torch.float64)
    found = explained(network, given, "hires-cam", layer=f"{kind}.embeddings").heatmap[0]
    kept = []
    handle = getattr(network, kind).embeddings.register_forward_hook(lambda *seen: kept.append(seen[2]))
    score = network(given.transpose(1, 2)).logits[0, 1]
    handle.remove()
    (gradient,) = torch.autograd.grad(score, kept)
    product = (gradient * kept[0]).sum(dim=-1)[0].detach()
    divided = kind == "timesformer"
    expected = product[1:].view(4, 4, 8).permute(2, 0, 1) if divided else product[-64:].view(4, 4, 4)
    torch.testing.assert_close(found, expected)
