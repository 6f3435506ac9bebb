"""torchvision and timm, played by stand-ins with the same doors: which weights are taken, and that random ones never are."""

import sys
from hashlib import sha256
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import seewhy


def network(num_classes: int = 3) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes)
    )


def transform(picture: Image.Image) -> Tensor:
    pixels = np.asarray(picture.resize((16, 16), Image.Resampling.BILINEAR), dtype=np.float32) / 255
    return (torch.from_numpy(pixels).movedim(-1, 0) - 0.5) / 0.25


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Weights under the name that torchvision gives them: with the first letters of their hash."""
    path = tmp_path / "hub" / "checkpoints" / "w.pth"
    path.parent.mkdir(parents=True)
    torch.save(network().state_dict(), path)
    return path.rename(path.with_name(f"net-{sha256(path.read_bytes()).hexdigest()[:8]}.pth"))


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch, weights: Path, tmp_path: Path) -> None:
    entry = SimpleNamespace(
        name="V1", url=f"https://x/{weights.name}", transforms=lambda: transform, meta={"categories": ["a", "b", "c"]}
    )

    class Published(list[Any]):
        DEFAULT = entry

    models: Any = ModuleType("torchvision.models")
    models.list_models = lambda module: ["net", "network18"]
    models.get_model_weights = lambda name: Published([entry])
    models.get_model = lambda name, weights, **more: network(**more)
    package: Any = ModuleType("torchvision")
    package.models = models
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


@pytest.mark.usefixtures("torchvision")
def test_torchvisions_own_weights_are_found_in_the_cache_and_known_by_their_hash(weights: Path, tmp_path: Path) -> None:
    for model in (seewhy.load_model("torchvision:net"), seewhy.load_model("torchvision:net", weights)):
        assert (model.labels, model.notes, model.size) == (("a", "b", "c"), (), (16, 16))
        assert model.std == (0.25, 0.25, 0.25)
    weights.rename(tmp_path / "gone.pth")
    with pytest.raises(seewhy.ModelError, match="no weights for torchvision:net, and seewhy downloads nothing"):
        seewhy.load_model("torchvision:net")
    with pytest.raises(seewhy.ModelError, match="no classifier 'netwrk18'; nearest: 'network18'"):
        seewhy.load_model("torchvision:netwrk18")


@pytest.mark.usefixtures("torchvision")
def test_a_file_of_ones_own_may_have_other_classes_and_no_labels(tmp_path: Path) -> None:
    torch.save({"state_dict": {f"module.{k}": v for k, v in network(7).state_dict().items()}}, tmp_path / "mine.pt")
    model = seewhy.load_model("torchvision:net", tmp_path / "mine.pt")
    assert model.module[4].out_features == 7
    assert model.labels is None
    assert "V1 weights for net, as mine.pt does not say its own" in model.notes[0]
    note = seewhy.Session(model).explain(Image.new("RGB", (20, 20), "red")).notes[0]
    assert model.notes[0] in note


def test_timm(monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    timm: Any = ModuleType("timm")
    timm.is_model = lambda name: name == "net.tag"
    timm.list_models = lambda: ["net", "net2"]
    timm.get_pretrained_cfg = lambda name: SimpleNamespace(hf_hub_id="timm/net.tag")

    def create(name: str, pretrained: bool, **more: int) -> nn.Module:
        assert not pretrained
        made = network(**more)
        made.pretrained_cfg, made.num_classes = {}, more.get("num_classes", 3)
        return made

    timm.create_model = create
    timm.data = SimpleNamespace(
        resolve_data_config=lambda cfg, model: {},
        create_transform=lambda: transform,
        infer_imagenet_subset=lambda network: None,
    )
    hub: Any = ModuleType("huggingface_hub")
    hub.try_to_load_from_cache = lambda repository, file: None
    monkeypatch.setitem(sys.modules, "timm", timm)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    with pytest.raises(seewhy.ModelError, match=r"no weights for timm:net\.tag.*hf download timm/net\.tag"):
        seewhy.load_model("timm:net.tag")
    with pytest.raises(seewhy.ModelError, match="no network 'nett'; nearest: 'net'"):
        seewhy.load_model("timm:nett")
    assert "as net-" in seewhy.load_model("timm:net.tag", weights).notes[0]
    hub.try_to_load_from_cache = lambda repository, file: str(weights) if file == "pytorch_model.bin" else None
    assert seewhy.load_model("timm:net.tag").notes == ()
