"""Image classifiers of transformers, saved small and loaded again: the input, the labels and the answer are those of transformers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy

transformers = pytest.importorskip("transformers")
VIT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
NAMES = {0: "cat", 1: "dog", 2: "a very small bird"}
CASES = {
    "ViT": (VIT | {"image_size": 32, "patch_size": 8}, "ViT", {"size": {"height": 32, "width": 32}}),
    "DeiT": (
        VIT | {"image_size": 32, "patch_size": 8},
        "DeiT",
        {"size": {"height": 37, "width": 37}, "crop_size": {"height": 32, "width": 32}},
    ),
    "Dinov2WithRegisters": (
        VIT | {"image_size": 28, "patch_size": 14},
        "Bit",
        {"size": {"shortest_edge": 32}, "crop_size": {"height": 28, "width": 28}},
    ),
    "Swin": (
        {"image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1], "num_heads": [2], "window_size": 4},
        "ViT",
        {"size": {"height": 32, "width": 32}, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]},
    ),
    "ConvNext": (
        {"hidden_sizes": [8, 8], "depths": [1, 1], "num_stages": 2},
        "ConvNext",
        {"size": {"shortest_edge": 48}, "crop_pct": 0.8},
    ),
    "ResNet": (
        {"embedding_size": 8, "hidden_sizes": [8, 8], "depths": [1, 1], "layer_type": "basic"},
        "ConvNext",
        {"size": {"shortest_edge": 384}},
    ),
    "MobileNetV2": (
        {"depth_multiplier": 0.1, "min_depth": 4},
        "MobileNetV2",
        {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}, "do_normalize": False},
    ),
    "MobileViT": (
        {
            "image_size": 32, "hidden_sizes": [8, 8, 8], "neck_hidden_sizes": [4, 4, 4, 8, 8, 8, 8], "num_attention_heads": 2,
            "conv_kernel_size": 3,
        },
        "MobileViT",  # gives blue before red
        {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}},
    ),
}  # fmt: skip


@pytest.fixture(params=CASES)
def saved(request: pytest.FixtureRequest, tmp_path: Path):
    """A folder with a small network and its processor."""
    name = request.param
    config, processor, settings = CASES[name]
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**config, id2label=NAMES, label2id={v: k for k, v in NAMES.items()})
    network = getattr(transformers, f"{name}ForImageClassification")(config).eval()
    network.save_pretrained(tmp_path)
    processor = getattr(transformers, f"{processor}ImageProcessorPil")(**settings)
    processor.save_pretrained(tmp_path)
    return tmp_path, network, processor


def pictures() -> list[Image.Image]:
    """A landscape and a portrait of random pixels over waves: the hardest to resample alike."""
    random = np.random.default_rng(0)
    return [
        Image.fromarray((random.integers(0, 120, (h, w, 3)) + np.arange(w)[None, :, None] % 130).astype(np.uint8))
        for h, w in ((97, 151), (200, 123))
    ]


def test_input_labels_and_answer(saved, capsys: pytest.CaptureFixture[str]) -> None:
    folder, network, processor = saved
    model = seewhy.load_model(f"hf:{folder}")
    assert capsys.readouterr().out == ""
    assert model.labels == tuple(NAMES.values())
    session = seewhy.Session(model)
    samples = session.samples(pictures())
    for sample, picture in zip(samples, pictures(), strict=True):
        theirs = processor(picture, return_tensors="pt")["pixel_values"][0]
        std = torch.tensor(model.std)[:, None, None]
        # one level of 255 for the resized pixels, which both round, and half of one for float32
        torch.testing.assert_close(sample.inputs * std, theirs * std, atol=1.5 / 255, rtol=0)
        with torch.no_grad():
            answer = network(theirs[None]).logits
        torch.testing.assert_close(session.predict(sample.inputs[None]), answer, atol=0.02, rtol=0.02)
    assert session.explain(pictures()[:1], target="dog").heatmap.isfinite().all()


@pytest.fixture
def vit(tmp_path: Path) -> Path:
    config = transformers.ViTConfig(**VIT, image_size=32, patch_size=8, num_labels=3)
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    return tmp_path


def test_placeholder_labels_are_no_labels(vit: Path) -> None:
    assert seewhy.load_model(f"hf:{vit}").labels is None


def test_a_backbone_without_a_head_is_refused(vit: Path) -> None:
    config = transformers.ViTConfig(**VIT, image_size=32, patch_size=8, num_labels=3)
    transformers.ViTModel(config).save_pretrained(vit)
    with pytest.raises(seewhy.ModelError, match=r"no weights for .* tensors .*random"):
        seewhy.load_model(f"hf:{vit}")


def test_what_is_missing_or_broken(vit: Path, tmp_path: Path) -> None:
    with pytest.raises(seewhy.ModelError, match="brings its own weights"):
        seewhy.load_model(f"hf:{vit}", "weights.pt")
    with pytest.raises(seewhy.ModelError, match="no such folder"):
        seewhy.load_model("hf:./nowhere")
    with pytest.raises(seewhy.ModelError, match="hf download nobody/nothing"):
        seewhy.load_model("hf:nobody/nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(seewhy.ModelError, match=r"no config\.json"):
        seewhy.load_model(f"hf:{tmp_path / 'empty'}")
    (vit / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(seewhy.ModelError, match="no image classifier that can be loaded"):
        seewhy.load_model(f"hf:{vit}")


def test_a_processor_that_is_missing(vit: Path) -> None:
    (vit / "preprocessor_config.json").unlink()
    with pytest.raises(seewhy.ModelError, match="no image processor"):
        seewhy.load_model(f"hf:{vit}")


def test_code_that_comes_with_a_model_is_not_run(vit: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    config = vit / "config.json"
    text = config.read_text().replace(
        '"model_type": "vit"',
        '"model_type": "mine", "auto_map": {"AutoConfig": "mine.C", "AutoModelForImageClassification": "mine.M"}',
    )
    config.write_text(text)
    (vit / "mine.py").write_text(f"import pathlib\npathlib.Path({str(marker)!r}).touch()\n")
    with pytest.raises(seewhy.ModelError):
        seewhy.load_model(f"hf:{vit}")
    assert not marker.exists()
