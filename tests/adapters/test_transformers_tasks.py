"""Segmenters, depth networks and CLIP of transformers, saved small and loaded again: the answers are those of transformers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from seewhy.adapters.instance_masks import InstanceMasks
from seewhy.core.instances import Instances
from seewhy.errors import ModelError, TargetError
from seewhy.targets import Prompts, Region

transformers = pytest.importorskip("transformers")
NAMES = {0: "sky", 1: "road", 2: "person"}
SMALL = {"depths": [1] * 4, "hidden_sizes": [8, 8, 16, 16], "decoder_hidden_size": 16}


def picture() -> Image.Image:
    draw = np.random.default_rng(0)
    return Image.fromarray(draw.integers(0, 255, (90, 120, 3)).astype(np.uint8))


@pytest.fixture
def segmenter(tmp_path: Path):
    torch.manual_seed(0)
    config = transformers.SegformerConfig(
        **SMALL, num_attention_heads=[1, 1, 2, 2], id2label=NAMES, label2id={v: k for k, v in NAMES.items()}
    )
    network = transformers.SegformerForSemanticSegmentation(config).eval()
    network.save_pretrained(tmp_path)
    transformers.SegformerImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(tmp_path)
    return tmp_path, network


@pytest.fixture
def clip(tmp_path: Path):
    torch.manual_seed(0)
    tokenizers = pytest.importorskip("tokenizers")
    sides = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    words = {word: index for index, word in enumerate(["<s>", "</s>", "a", "photo", "of", "dog", "cat"])}
    text = sides | {
        "vocab_size": len(words),
        "max_position_embeddings": 8,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }
    config = transformers.CLIPConfig(
        text_config=text, vision_config=sides | {"image_size": 32, "patch_size": 8}, projection_dim=8
    )
    network = transformers.CLIPModel(config).eval()
    network.save_pretrained(tmp_path)
    transformers.CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    ).save_pretrained(tmp_path)
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="</s>"))  # noqa: S106 (no password)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    ends = [("<s>", 0), ("</s>", 1)]
    made.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        **{f"{name}_token": word for name, word in (("bos", "<s>"), ("eos", "</s>"), ("pad", "</s>"))},
    )
    fast.save_pretrained(tmp_path)
    return tmp_path, network, fast


def test_a_segmenter_is_recognised_and_its_region_is_the_mean_of_its_logits(segmenter):
    folder, network = segmenter
    model = seewhy.load_model(f"hf:{folder}")
    assert model.labels == ("sky", "road", "person") and model.input_size == (64, 64)
    with seewhy.Session(model) as session:
        samples = session.samples([picture()])
        found = session.explain(samples, Region("road"), "saliency")
    with torch.no_grad():
        logits = network(samples[0].inputs[None]).logits[0]
    assert logits.shape == (3, 16, 16)
    where = logits.argmax(dim=0) == 1
    assert float(found.score) == pytest.approx(float(logits[1][where].mean()), rel=1e-4)
    assert found.heatmap.abs().sum() > 0


def test_the_methods_of_a_segmenter_look_at_its_coarsest_grid(segmenter):
    folder, _ = segmenter
    with seewhy.Session(seewhy.load_model(f"hf:{folder}")) as session:
        found = session.explain(picture(), Region("road"), "grad-cam")
    assert found.heatmap.shape[1:] == (4, 4) or min(found.heatmap.shape[1:]) == 4


def test_a_class_asked_of_a_segmenter_comes_with_what_fits(segmenter):
    with pytest.raises(TargetError, match="region:NAME"):
        seewhy.explain(picture(), f"hf:{segmenter[0]}")


def test_a_depth_network_is_recognised(tmp_path):
    torch.manual_seed(0)
    network = transformers.GLPNForDepthEstimation(
        transformers.GLPNConfig(**SMALL, num_attention_heads=[1, 1, 2, 2])
    ).eval()
    network.save_pretrained(tmp_path)
    transformers.ViTImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(tmp_path)
    model = seewhy.load_model(f"hf:{tmp_path}")
    assert model.probability == "none" and model.labels is None
    with seewhy.Session(model) as session:
        samples = session.samples([picture()])
        found = session.explain(samples, "depth:0,0,60,45", "saliency")
    with torch.no_grad():
        depth = network(samples[0].inputs[None]).predicted_depth[0]
    assert float(found.score) == pytest.approx(float(depth[:32, :32].mean()), rel=1e-4)


def test_the_score_of_a_prompt_is_that_of_clip(clip):
    folder, network, tokenizer = clip
    texts = ("a photo of a dog", "a cat")
    with seewhy.Session(seewhy.load_model(f"hf:{folder}")) as session:
        samples = session.samples([picture()])
        logit, share, both = session.explain(
            samples, [Prompts(texts, 0, "logit"), Prompts(texts, 1), "prompt:a photo of a dog|a cat"], "saliency"
        )
    tokens = tokenizer(list(texts), padding=True, return_tensors="pt")
    with torch.no_grad():
        known = network(
            pixel_values=samples[0].inputs[None], input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).logits_per_image[0]
    assert float(logit.score) == pytest.approx(float(known[0]), rel=1e-4)
    assert float(share.score) == pytest.approx(float(known.log_softmax(dim=0)[1]), rel=1e-3)
    assert float(both.score) == pytest.approx(float(known.log_softmax(dim=0)[0]), rel=1e-3)
    assert logit.heatmap.abs().sum() > 0


def test_prompts_without_a_tokenizer_and_too_long_ones_are_said(clip):
    folder, _, _ = clip
    with pytest.raises(ModelError, match="a prompt has 11 tokens, and the network takes 8"):
        seewhy.explain(picture(), f"hf:{folder}", "prompt:a a a a a a a a a|cat", "saliency")
    for path in folder.glob("token*"):
        path.unlink()
    with pytest.raises(ModelError, match="no tokenizer that can be used"):
        seewhy.explain(picture(), f"hf:{folder}", "prompt:dog|cat", "saliency")


def test_a_classifier_that_states_several_labels_has_sigmoids(tmp_path):
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8,
        id2label=NAMES, label2id={v: k for k, v in NAMES.items()}, problem_type="multi_label_classification",
    )  # fmt: skip
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["problem_type"] == "multi_label_classification"
    assert seewhy.load_model(f"hf:{tmp_path}").probability == "sigmoid"


def test_lists_of_dicts_keep_their_surest_rows_and_fill_up_the_rest():
    masks = torch.zeros(2, 1, 8, 8)
    masks[0, 0, :4], masks[1, 0, :, 4:] = 1, 1
    found = {
        "masks": masks,
        "scores": torch.tensor([0.4, 0.9]),
        "labels": torch.tensor([2, 1]),
        "boxes": torch.zeros(2, 4),
    }
    none = {"masks": torch.zeros(0, 1, 8, 8), "scores": torch.zeros(0), "labels": torch.zeros(0, dtype=torch.long)}
    made = Instances.unpacked(InstanceMasks(classes=3, size=(2, 2), most=3)([found, none]))
    torch.testing.assert_close(made.chances[0], torch.tensor([[0, 0.9, 0], [0, 0, 0.4], [0, 0, 0]]))
    torch.testing.assert_close(made.masks[0, :2], torch.tensor([[0.0, 1, 0, 1], [1, 1, 0, 0]]))
    assert not made.chances[1].any() and made.masks.shape == (2, 3, 4)


def test_queries_are_read_by_the_names_of_their_logits():
    output = {"pred_masks": torch.full((1, 2, 4, 4), 20.0), "logits": torch.tensor([[[0.0, 0, 50], [9.0, 0, 0]]])}
    made = Instances.unpacked(InstanceMasks(size=(2, 2))(output))
    assert made.chances[0, 0].max() < 1e-6 and made.chances[0, 1, 0] > 0.99
    torch.testing.assert_close(made.masks, torch.ones(1, 2, 4))


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: InstanceMasks()([{"scores": torch.zeros(1)}]), "how many classes"),
        (lambda: InstanceMasks(3)([{"scores": torch.zeros(1)}]), "has no masks, labels"),
        (lambda: InstanceMasks(3)(torch.zeros(1, 2)), "returned Tensor, in which no instance masks are found"),
    ],
)
def test_what_holds_no_masks_is_said(ask, told):
    with pytest.raises(ModelError, match=told):
        ask()
