"""Adapters of detectors: each form gives the same rows as pencil does, and says what is wrong with another."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

import seewhy
from seewhy.adapters.detections import DetrRows, NamedRows, PlainRows, TorchvisionRows, YoloRows, stated_rows
from seewhy.errors import ConfigError, ModelError, TargetError
from seewhy.targets import Box

LOGITS = torch.tensor([[[2.0, 0.0, -1.0], [0.0, 1.0, 3.0]]])
CENTRES = torch.tensor([[[0.5, 0.5, 0.2, 0.4], [0.1, 0.2, 0.2, 0.2]]])


def test_detr_rows_are_corners_in_pixels_and_logits():
    read = DetrRows(size=(100, 200))
    rows = read(SimpleNamespace(logits=LOGITS, pred_boxes=CENTRES))
    torch.testing.assert_close(rows[0, :, :4], torch.tensor([[80.0, 30, 120, 70], [0, 10, 40, 30]]))
    torch.testing.assert_close(read.scores(rows), LOGITS[..., :2])
    torch.testing.assert_close(read.probabilities(rows), LOGITS.softmax(-1)[..., :2])
    torch.testing.assert_close(read.objectness(rows), 1 - LOGITS.softmax(-1)[..., 2])


def test_only_rows_that_are_sure_are_listed_the_surest_first():
    read = DetrRows(size=(100, 200), least=0.05)
    rows = read({"logits": LOGITS, "pred_boxes": CENTRES})
    found = read.found(rows)
    assert [(one.row, one.kind) for one in found] == [(0, 0), (1, 1)]
    assert found[0].score == pytest.approx(float(LOGITS.softmax(-1)[0, 0, 0]))
    assert [one.row for one in replace(read, least=0.5).found(rows)] == [0]


def test_background_may_be_any_column():
    scores = torch.tensor([[[0.9, 0.1], [0.2, 0.8]]])
    read = NamedRows(size=(10, 10), background=0)
    rows = read({"boxes": torch.tensor([[[0.0, 0, 1, 1], [0.2, 0.2, 0.4, 0.4]]]), "scores": scores})
    assert read.scores(rows)[0, :, 0].tolist() == pytest.approx([0.1, 0.8])
    assert read.objectness(rows)[0].tolist() == pytest.approx([0.1, 0.8])
    assert rows[0, 1, :4].tolist() == pytest.approx([2, 2, 4, 4])


def test_lists_of_any_length_become_rows_with_zeros_behind():
    one = {"boxes": torch.tensor([[1.0, 2, 3, 4]]), "labels": torch.tensor([2]), "scores": torch.tensor([0.7])}
    none = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.long), "scores": torch.zeros(0)}
    read = TorchvisionRows(classes=3, most=4)
    rows = read([one, none])
    assert rows.shape == (2, 4, 7)
    assert rows[0, 0].tolist() == pytest.approx([1, 2, 3, 4, 0, 0, 0.7])
    assert not rows[1].any() and not rows[0, 1:].any()
    assert read.found(rows[1:]) == ()


def test_a_yolo_head_old_and_new():
    new = torch.zeros(1, 6, 9)
    new[0, :, 4] = torch.tensor([50.0, 40, 20, 10, 0.1, 0.9])
    read = YoloRows()
    rows = read((new, "raw levels"))
    assert rows[0, 4].tolist() == pytest.approx([40, 35, 60, 45, 0.1, 0.9])
    old = torch.zeros(1, 9, 7)
    old[0, 4] = torch.tensor([50.0, 40, 20, 10, 0.8, 0.1, 0.9])
    read = YoloRows(objectness_first=True)
    rows = read(old)
    assert rows[0, 4, :4].tolist() == [40, 35, 60, 45]
    assert float(read.sureness(rows)[0, 4, 1]) == pytest.approx(0.72)
    assert float(read.objectness(rows)[0, 4]) == pytest.approx(0.8)


def test_plain_rows_in_both_orders():
    rows = PlainRows(classes=2, most=2)([torch.tensor([[1.0, 2, 3, 4, 0.7, 1]])])
    assert rows[0, 0].tolist() == pytest.approx([1, 2, 3, 4, 0, 0.7])
    turned = PlainRows(classes=2, most=2, order="class score")([torch.tensor([[1.0, 2, 3, 4, 1, 0.7]])])
    assert torch.equal(turned, rows)


@pytest.mark.parametrize(
    ("read", "output", "said"),
    [
        (DetrRows(), {"logits": LOGITS, "pred_boxes": CENTRES}, "size is not known"),
        (DetrRows(size=(9, 9)), {"logits": LOGITS}, "'pred_boxes'; there are 'logits'"),
        (DetrRows(size=(9, 9)), {"logits": LOGITS, "pred_boxes": 300 * CENTRES}, "unit='pixel'"),
        (DetrRows(size=(9, 9)), {"logits": LOGITS[:, :1], "pred_boxes": CENTRES}, "were wanted under"),
        (NamedRows(size=(9, 9), background=5), {"boxes": CENTRES, "scores": LOGITS}, "there are 3 scores"),
        (TorchvisionRows(classes=3), torch.zeros(1, 2, 6), "a list of a mapping"),
        (TorchvisionRows(classes=3), [{"boxes": torch.zeros(0, 4)}], "no tensor 'labels'"),
        (
            TorchvisionRows(classes=2),
            [{"boxes": torch.ones(1, 4), "labels": torch.tensor([2]), "scores": torch.ones(1)}],
            "classes=2",
        ),
        (
            TorchvisionRows(classes=3, most=1),
            [{"boxes": torch.ones(2, 4), "labels": torch.tensor([1, 1]), "scores": torch.ones(2)}],
            "most=1",
        ),
        (PlainRows(), [torch.zeros(2, 5)], "rows \\(n, 6\\)"),
        (YoloRows(), torch.zeros(1, 8400, 84), "objectness_first"),
    ],
)
def test_what_is_of_another_form_is_told(read, output, said):
    with pytest.raises(ModelError, match=said):
        read(output)


def test_a_file_of_settings_may_state_the_form():
    assert stated_rows({"form": "detr", "score": "sigmoid", "background": None}) == DetrRows(
        score="sigmoid", background=None
    )
    with pytest.raises(ConfigError, match="of a form"):
        stated_rows({"form": "ssd"})
    with pytest.raises(ConfigError, match="no setting 'box'"):
        stated_rows({"form": "yolo", "box": 3})


def yolos():
    transformers = pytest.importorskip("transformers")
    config = transformers.YolosConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=[32, 48],
        patch_size=8,
        num_detection_tokens=5,
        num_labels=3,
    )
    return transformers.YolosForObjectDetection(config), DetrRows(least=0.0), (32, 48)


def detr():
    transformers = pytest.importorskip("transformers")
    backbone = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 12, 16], depths=[1, 1, 1, 1], layer_type="basic", out_features=["stage4"]
    )
    config = transformers.DetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=backbone,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_queries=6,
        num_labels=3,
    )
    return transformers.DetrForObjectDetection(config), DetrRows(least=0.0), (64, 96)


def rt_detr():
    transformers = pytest.importorskip("transformers")
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 12, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = transformers.RTDetrConfig(
        backbone_config=backbone,
        encoder_hidden_dim=16,
        encoder_in_channels=[8, 12, 16],
        feat_strides=[8, 16, 32],
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        d_model=16,
        num_queries=6,
        decoder_in_channels=[16, 16, 16],
        decoder_ffn_dim=16,
        decoder_layers=1,
        decoder_attention_heads=2,
        num_denoising=0,
        num_labels=3,
    )
    rows = DetrRows(score="sigmoid", background=None, least=0.0)
    return transformers.RTDetrForObjectDetection(config), rows, (64, 96)


@pytest.mark.parametrize("build", [yolos, detr, rt_detr], ids=lambda build: build.__name__)
def test_detectors_of_transformers_by_gradient_layer_and_answers(build):
    torch.manual_seed(0)
    network, rows, size = build()
    model = seewhy.Model(network.eval(), size=size, mean=0, std=1, output=rows)
    inputs = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    with seewhy.Session(model) as session, torch.no_grad():
        answer = network(inputs)
        wanted = rows.for_input(size)({"logits": answer.logits, "pred_boxes": answer.pred_boxes})
        torch.testing.assert_close(session.predict(inputs), wanted, atol=1e-4, rtol=1e-4)
        first = [model.output.found(wanted[at : at + 1])[0] for at in range(2)]
        maps = session.explain(inputs, Box(0), methods=["saliency", "grad-cam", "hires-cam", "occlusion"])
        for made in maps:
            assert made.heatmap.shape[0] == 2 and made.heatmap.dim() == 3
        for at, one in enumerate(first):
            torch.testing.assert_close(maps[0].score[at], answer.logits[at, one.row, one.kind], atol=1e-4, rtol=1e-4)
        assert [made.unit for made in maps] == ["logit", "logit", "logit", "affinity"]
        assert maps[0].heatmap.shape[1:] == size and maps[3].heatmap.shape[1:] == size


def test_the_saliency_of_a_row_is_that_of_finite_differences():
    torch.manual_seed(0)
    network, rows, size = yolos()
    network = network.double().eval()
    model = seewhy.Model(network, size=size, mean=0, std=1, output=rows)
    inputs = torch.randn(1, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for target in (Box(0), Box(1, side="left"), Box(1, side="bottom")):
        with seewhy.Session(model) as session:
            gradient = session.explain(inputs, target, methods="input-x-gradient").heatmap[0] / 1.0
        bound = target.suited("gradients", model.output)
        from seewhy.core.trace import Reading

        with torch.no_grad():
            frozen = bound.bind(Reading(model.pick(network(inputs))), None)
            y, x = divmod(int(gradient.abs().flatten().argmax()), size[1])
            total = 0.0
            for channel in range(3):
                values = []
                for step in (1e-4, -1e-4):
                    moved = inputs.clone()
                    moved[0, channel, y, x] += step
                    values.append(float(frozen(Reading(model.pick(network(moved))))))
                total += (values[0] - values[1]) / 2e-4 * float(inputs[0, channel, y, x])
        assert total == pytest.approx(float(gradient[y, x]), rel=1e-4)


def test_a_model_without_rows_is_told_how_to_state_them():
    from networks import SmallCNN, seeded

    with (
        seewhy.Session(seewhy.Model(seeded(SmallCNN()), size=8, mean=0, std=1)) as session,
        pytest.raises(TargetError, match="does not say how it gives them"),
    ):
        session.explain(torch.rand(1, 3, 8, 8), Box(0), methods="saliency")
