"""Video classifiers of transformers, saved small and loaded again: frames, order, input and answer are those of transformers."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy

transformers = pytest.importorskip("transformers")
SMALL = {
    "image_size": 32, "num_frames": 4, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
}  # fmt: skip
CASES = {
    "VideoMAE": (
        SMALL | {"patch_size": 8, "tubelet_size": 2},
        "VideoMAEImageProcessor",
        {
            "size": {"shortest_edge": 32},
            "crop_size": {"height": 32, "width": 32},
            "image_mean": [0.4, 0.5, 0.6],
            "image_std": [0.2, 0.3, 0.25],
        },
    ),
    "Timesformer": (
        SMALL | {"patch_size": 8},
        "VideoMAEImageProcessor",
        {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}},
    ),
    "Vivit": (
        SMALL | {"tubelet_size": [2, 8, 8]},
        "VivitImageProcessor",
        {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}},
    ),
}
NAMES = {0: "walk", 1: "run", 2: "sit"}


@pytest.fixture(params=CASES)
def saved(request, tmp_path):
    """A folder with a small network and its processor."""
    settings, processor, stated = CASES[request.param]
    torch.manual_seed(0)
    config = getattr(transformers, f"{request.param}Config")(
        **settings, id2label=NAMES, label2id={v: k for k, v in NAMES.items()}
    )
    network = getattr(transformers, f"{request.param}ForVideoClassification")(config).eval()
    network.save_pretrained(tmp_path)
    processor = getattr(transformers, processor)(**stated)
    processor.save_pretrained(tmp_path)
    return tmp_path, network, processor


def frames(count=4):
    """Return frames (t, h, w, 3) with detail of several sizes that moves."""
    y, x = np.mgrid[0:90, 0:140]
    waves = [np.sin(0.2 * x + time) + np.cos(0.1 * y * (1 + 0.01 * x)) for time in range(count)]
    return np.stack([np.stack([60 * wave + 120, 40 * wave + 90, 200 - 50 * wave], axis=-1) for wave in waves]).astype(
        np.uint8
    )


def test_frames_input_labels_and_answer(saved):
    folder, network, processor = saved
    model = seewhy.load_model(f"hf:{folder}")
    assert (model.frames, model.layout, model.input_size, model.labels) == (4, "btchw", (32, 32), tuple(NAMES.values()))
    session = seewhy.Session(model)
    [sample] = session.samples(frames())
    theirs = processor([Image.fromarray(frame) for frame in frames()], return_tensors="pt")["pixel_values"]
    std = torch.tensor(model.std)[:, None, None, None]
    torch.testing.assert_close(sample.inputs * std, theirs[0].transpose(0, 1) * std, atol=2.5 / 255, rtol=0)
    assert (sample.inputs * std - theirs[0].transpose(0, 1) * std).abs().mean() < 1 / 255
    with torch.no_grad():
        answer = network(theirs).logits
    torch.testing.assert_close(session.predict(sample.inputs[None]), answer, atol=0.02, rtol=0.02)
    explanation = seewhy.explain(frames(), model, "run", "saliency")
    assert explanation.heatmap.shape == (1, 4, 32, 32)
    assert (explanation.heatmap.abs().sum(dim=(2, 3)) > 0).all()


@pytest.mark.parametrize(
    "saved", [name for name in CASES if name != "Vivit"], indirect=True
)  # whose own is another kind
def test_the_settings_of_a_video_processor_are_read_without_torchvision(saved):
    """Folders of newer versions hold them under another name, and the code that reads that needs torchvision."""
    folder, _, _ = saved
    before = seewhy.load_model(f"hf:{folder}")
    stated = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").unlink()
    stated |= {"video_processor_type": "VideoMAEVideoProcessor", "do_sample_frames": False}
    (folder / "video_preprocessor_config.json").write_text(json.dumps(stated))
    after = seewhy.load_model(f"hf:{folder}")
    assert (after.mean, after.std, after.size, after.crop) == (before.mean, before.std, before.size, before.crop)


def test_a_config_that_does_not_say_how_many_frames_is_refused():
    from seewhy.adapters.video_network import video_network

    network = torch.nn.Identity()
    network.config = transformers.PretrainedConfig()
    with pytest.raises(seewhy.ModelError, match=r"how many frames.*frames=16"):
        video_network(network, "there")
