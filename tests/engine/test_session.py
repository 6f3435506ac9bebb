"""A session shares passes, counts them, and says what it cannot do."""

import threading

import pytest
import torch
from torch import nn

import seewhy
from networks import SmallCNN, seeded
from seewhy.targets import ClassScore, Contrast, Margin, top


@pytest.fixture
def model(cnn):
    return seewhy.Model(cnn, mean=0.5, std=0.5, labels=["ant", "bee", "cat", "dog"])


EIGHT = [
    "grad-cam",
    "grad-cam-pp",
    "xgrad-cam",
    "hires-cam",
    "elementwise-grad-cam",
    "layer-cam",
    "eigen-cam",
    "eigen-grad-cam",
]


def test_eight_cams_share_one_forward_and_one_backward(model, images):
    session = seewhy.Session(model)
    maps = session.explain(images, methods=EIGHT)
    assert len(maps) == 8
    assert session.cost == seewhy.Cost(forwards=3, backwards=3)  # three images
    assert maps[0].cost == seewhy.Cost(1, 1)
    assert maps[EIGHT.index("eigen-cam")].cost == seewhy.Cost(1, 0)


def test_the_top_classes_share_one_forward(model, images):
    session = seewhy.Session(model)
    rows = session.explain(images, top(4), ["grad-cam", "layer-cam"])
    assert session.cost == seewhy.Cost(forwards=3, backwards=12)
    order = session.predict(images).argsort(dim=1, descending=True)
    assert [row[0].classes for row in rows] == [tuple(column) for column in order.T.tolist()]


def test_shared_passes_give_what_single_ones_give(model, images):
    together = seewhy.Session(model).explain(images, top(2), ["grad-cam", "saliency", "hires-cam"])
    for rank, row in enumerate(together):
        for explanation in row:
            alone = seewhy.Session(model).explain(images, top(2)[rank], explanation.method.key)
            torch.testing.assert_close(alone.heatmap, explanation.heatmap, rtol=1e-9, atol=1e-12)


def test_only_what_follows_the_layer_is_differentiated(cnn, images):
    seen = []

    class Spy(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            seen.append(torch.is_grad_enabled())
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            seen.append("backward")
            return gradient

    class Watched(nn.Module):
        def forward(self, x):
            return Spy.apply(x)

    cnn.stem.append(Watched())
    seewhy.Session(seewhy.Model(cnn, layer="down")).explain(images, 0, "grad-cam")
    assert "backward" not in seen


def test_weights_are_shared_not_copied(cnn):
    session = seewhy.Session(cnn)
    for mine, yours in zip(session.network.module.parameters(), cnn.parameters(), strict=True):
        assert mine.data_ptr() == yours.data_ptr()
        assert mine is not yours
        assert not mine.requires_grad


def test_a_network_in_train_mode_is_explained_in_eval_mode_and_that_is_said(cnn, images):
    expected = seewhy.Session(cnn).explain(images, 0).heatmap
    cnn.train()
    explanation = seewhy.Session(cnn).explain(images, 0)
    assert torch.equal(expected, explanation.heatmap)
    assert any("train mode" in note for note in explanation.notes[0])
    assert cnn.training


def test_rows_that_influence_each_other_are_refused(images):
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4, track_running_stats=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    with pytest.raises(seewhy.ModelError, match=r"1 \(BatchNorm2d\) keeps no running statistics"):
        seewhy.Session(network)


def test_a_compiled_network_is_explained_as_what_it_was_compiled_from(cnn, images):
    expected = seewhy.Session(cnn).explain(images, 0).heatmap
    compiled = torch.compile(cnn, backend="eager")
    compiled(images)
    assert torch.equal(expected, seewhy.Session(compiled).explain(images, 0).heatmap)
    cnn.body = torch.compile(cnn.body, backend="eager")
    assert torch.equal(expected, seewhy.Session(cnn).explain(images, 0).heatmap)


def test_a_network_compiled_in_place(images):
    network = seeded(SmallCNN())
    expected = seewhy.Session(network).explain(images, 0).heatmap
    network.compile(backend="eager")
    assert torch.equal(expected, seewhy.Session(network).explain(images, 0).heatmap)


def test_autocast_of_the_caller_works(images):
    network = seeded(SmallCNN()).float()
    expected = seewhy.Session(network).explain(images.float(), 0).heatmap
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = seewhy.Session(network).explain(images.float(), 0).heatmap
    assert torch.nn.functional.cosine_similarity(expected.flatten(1), found.flatten(1)).min() > 0.98


@pytest.mark.parametrize(
    ("wrap", "kind"),
    [
        (lambda y: (y, y * 2), "tuple"),
        (lambda y: {"logits": y, "loss": y.sum()}, "dict"),
        (lambda y: {"answer": y}, "dict with one tensor"),
    ],
)
def test_answers_in_containers(cnn, images, wrap, kind):
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = cnn

        def forward(self, x):
            return wrap(self.inner(x))

    expected = seewhy.Session(cnn).explain(images, 1).heatmap
    assert torch.equal(expected, seewhy.Session(Wrapped()).explain(images, 1).heatmap), kind


def test_an_answer_that_is_not_found_says_where_to_look(cnn, images):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = cnn

        def forward(self, x):
            return {"a": self.inner(x), "b": x}

    with pytest.raises(seewhy.ModelError, match=r"'a', 'b'.*output="):
        seewhy.Session(Odd()).explain(images, 0)
    expected = seewhy.Session(cnn).explain(images, 0).heatmap
    assert torch.equal(expected, seewhy.Session(seewhy.Model(Odd(), output="a")).explain(images, 0).heatmap)


def test_a_network_that_cannot_be_copied_is_borrowed_and_put_back(cnn, images):
    expected = seewhy.Session(cnn).explain(images, 0).heatmap

    class Stubborn(SmallCNN):
        def __deepcopy__(self, memo):
            raise RuntimeError("only one of me")

    network = seeded(Stubborn()).train()
    network.body.eval()
    explanation = seewhy.Session(network).explain(images, 0)
    torch.testing.assert_close(expected, explanation.heatmap)
    assert network.training and not network.body.training
    assert any("cannot be copied" in note for note in explanation.notes[0])


def test_a_network_that_draws_random_numbers_gives_one_map_and_leaves_the_global_state(cnn, images):
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = cnn

        def forward(self, x):
            return self.inner(nn.functional.dropout(x, 0.5, training=True))

    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    session = seewhy.Session(seewhy.Model(Noisy(), layer="inner.down"), rows=3)
    first = session.explain(images, 0)
    second = session.explain(images, 0)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(first.heatmap, second.heatmap)
    assert any("draws random numbers" in note for note in first.notes[0])


def test_buffers_that_a_forward_writes_to_stay_the_users_own(images):
    class Counting(SmallCNN):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, x):
            self.calls += 1
            return super().forward(x)

    network = seeded(Counting())
    network.calls.zero_()
    seewhy.Session(network).explain(images, 0)
    assert network.calls.item() == 0


def test_a_layer_that_runs_twice_must_be_named_with_its_call(images):
    class Twice(SmallCNN):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU(inplace=True)

        def forward(self, x):
            x = self.act(self.stem(x))
            return self.head(self.act(self.down(x)).mean(dim=(2, 3)))

    network = seeded(Twice())
    with pytest.raises(seewhy.LayerError, match="runs 2 times per pass; name one call: act#0 to act#1"):
        seewhy.Session(network).explain(images, 0, seewhy.method("grad-cam", layer="act"))
    early, late = (
        seewhy.Session(network).explain(images, 0, seewhy.method("grad-cam", layer=f"act#{n}")) for n in (0, 1)
    )
    assert (early.heatmap.shape[1:], late.heatmap.shape[1:]) == ((8, 8), (4, 4))
    with pytest.raises(seewhy.LayerError, match="there is no call 2"):
        seewhy.Session(network).explain(images, 0, seewhy.method("grad-cam", layer="act#2"))


@pytest.mark.parametrize(
    ("layer", "words"),
    [("dwon", "nearest: 'down'"), ("head", "no spatial grid"), ("", "no layer ''")],
)
def test_a_wrong_layer_says_what_to_do(model, images, layer, words):
    with pytest.raises(seewhy.LayerError, match=words):
        seewhy.Session(model).explain(images, 0, seewhy.method("grad-cam", layer=layer))


def test_a_layer_that_never_runs(images):
    network = seeded(SmallCNN())
    network.spare = nn.Conv2d(3, 3, 1)
    with pytest.raises(seewhy.LayerError, match="'spare' does not run"):
        seewhy.Session(network).explain(images, 0, seewhy.method("grad-cam", layer="spare"))


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (torch.zeros(0, 3, 8, 8), "no images"),
        (torch.full((1, 3, 8, 8), float("nan")), "NaN or infinity"),
        (torch.zeros(3, 8, 8), "takes a batch"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int64), "floating-point"),
    ],
)
def test_a_wrong_input_says_what_is_wanted(model, inputs, words):
    with pytest.raises(seewhy.ShapeError, match=words):
        seewhy.Session(model).explain(inputs, 0)


def test_a_network_that_answers_nan_is_not_explained(cnn, images):
    cnn.head.bias.data[1] = float("nan")
    with pytest.raises(seewhy.ModelError, match="NaN or infinity for image 0"):
        seewhy.Session(seewhy.Model(cnn, layer="act")).explain(images, lambda output: output[:, 1])
    with pytest.raises(seewhy.ModelError, match="a random input with NaN"):
        seewhy.Session(cnn).explain(images, 0)
    with pytest.raises(seewhy.TargetError, match="NaN or infinity"):
        seewhy.Session(seewhy.Model(cnn, layer="act")).explain(images)


def test_an_all_zero_map_is_said(cnn, images):
    cnn.head.weight.data[0] = -cnn.head.weight.data[0].abs()
    explanation = seewhy.Session(cnn).explain(images, 0, "grad-cam")
    assert not explanation.heatmap.any()
    assert explanation.notes[0] == ("the map is zero everywhere: Grad-CAM finds nothing here that speaks for class 0",)


def test_a_target_that_does_not_depend_on_the_layer(cnn, images):
    with pytest.raises(seewhy.GradientError, match="does not depend"):
        seewhy.Session(cnn).explain(images, lambda output: output.detach()[:, 0], "grad-cam")


def test_a_forward_without_gradients_inside_the_network_is_said(images):
    class Cut(SmallCNN):
        def forward(self, x):
            with torch.no_grad():
                return super().forward(x)

    with pytest.raises(seewhy.GradientError, match="cuts the graph"):
        seewhy.Session(seewhy.Model(seeded(Cut()), layer="stem")).explain(images, 0, "saliency")


def test_context_of_an_error_names_the_method(model, images):
    with pytest.raises(seewhy.SeewhyError, match=r"^grad-cam: "):
        seewhy.Session(model).explain(images, "cow", "grad-cam")


def test_ctrl_c_leaves_the_network_as_it_was(cnn, images):
    class Interrupted(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = cnn

        def forward(self, x):
            self.inner(x)
            raise KeyboardInterrupt

    network = Interrupted().train()
    with pytest.raises(KeyboardInterrupt):
        seewhy.Session(seewhy.Model(network, layer="inner.down")).explain(images, 0)
    assert network.training
    assert not any(part._forward_hooks for part in network.modules())


def test_channels_last_inputs_of_a_model_are_laid_out(cnn, images):
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = cnn

        def forward(self, x):
            assert x.shape[-1] == 3
            return self.inner(x.movedim(-1, 1))

    expected = seewhy.Session(cnn).explain(images, 0, "saliency").heatmap
    assert torch.allclose(
        expected, seewhy.Session(seewhy.Model(Last(), layout="bhwc")).explain(images, 0, "saliency").heatmap
    )


def test_a_network_that_calls_view_is_given_the_usual_order(images):
    class Viewing(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, padding=1)
            self.head = nn.Linear(4 * 64, 2)

        def forward(self, x):
            x = self.conv(x)
            return self.head(x.view(len(x), -1))

    network = seeded(Viewing())
    explanation = seewhy.Session(network).explain(images, 0, "saliency")
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(leaf)[:, 0].sum(), leaf)
    torch.testing.assert_close(explanation.heatmap, gradient.abs().amax(dim=1))


def test_margin_names_the_rival(model, images):
    explanation = seewhy.Session(model).explain(images, Margin(), "grad-cam")
    order = seewhy.Session(model).predict(images).argsort(dim=1, descending=True)
    names = ["ant", "bee", "cat", "dog"]
    assert explanation.targets == tuple(f"{names[a]} over {names[b]}" for a, b in order[:, :2].tolist())


def test_the_predicted_class_is_bound_on_the_unperturbed_image(model, images):
    explanation = seewhy.Session(model).explain(images, ClassScore(), "smooth-grad")
    assert explanation.classes == tuple(seewhy.Session(model).predict(images).argmax(dim=1).tolist())


@pytest.mark.parametrize("rows", [1, 2, None])
@pytest.mark.parametrize(
    "target",
    [ClassScore((0, "cat", 1)), Margin((3, 1, 0)), Contrast((0, 1, 2), 3), 2 * ClassScore((0, 1, 2)) - ClassScore(3)],
)
def test_a_class_for_each_image_stays_with_its_image_in_blocks_of_any_size(model, images, target, rows):
    session = seewhy.Session(model, rows=rows)
    for _ in range(3):  # while the number of rows is still being found out
        found = session.explain(images, target)
    whole = seewhy.Session(model, rows=3).explain(images, target)
    assert found.targets == whole.targets
    torch.testing.assert_close(found.heatmap, whole.heatmap, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 3])
def test_classes_for_another_number_of_images(model, images, rows):
    with pytest.raises(seewhy.TargetError, match="4 classes for 3 images"):
        seewhy.Session(model, rows=rows).explain(images, ClassScore((0, 1, 2, 3)))


def test_a_part_whose_first_output_is_not_what_the_answer_comes_by(cnn, images):
    class Trunk(nn.Module):
        """Gives the map, and beside it the pooled map that the classifier takes, as networks of transformers do."""

        def __init__(self):
            super().__init__()
            self.inner = cnn

        def forward(self, x):
            x = self.inner.stem(x)
            x = self.inner.act(self.inner.down(x + self.inner.body(x)))
            return x, x.mean(dim=(2, 3))

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = Trunk()

        def forward(self, x):
            return self.trunk.inner.head(self.trunk(x)[1])

    session = seewhy.Session(Whole())
    explanation = session.explain(images, 0)
    assert explanation.method.layer == "trunk.inner.act"
    assert session.cost == seewhy.Cost(3, 3)
    torch.testing.assert_close(explanation.heatmap, seewhy.Session(cnn).explain(images, 0).heatmap)


def test_weights_are_laid_out_for_the_passes_and_the_user_s_stay(cnn, images):
    before = {name: value.stride() for name, value in cnn.named_parameters()}
    session = seewhy.Session(cnn)
    session.explain(images, 0)
    assert session.network.module.down.weight.is_contiguous(memory_format=torch.channels_last)
    assert {name: value.stride() for name, value in cnn.named_parameters()} == before


def test_a_kernel_of_one_pixel_is_laid_out_without_a_copy():
    network = nn.Sequential(nn.Conv2d(3, 5, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    session = seewhy.Session(network)
    session.explain(torch.randn(1, 3, 4, 4), 0)
    assert session.network.module[0].weight.data_ptr() == network[0].weight.data_ptr()


def test_a_network_that_cannot_take_channels_last_gets_its_weights_back(images):
    class Viewing(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 5, 3)
            self.pool = nn.AdaptiveAvgPool2d(2)
            self.line = nn.Linear(20, 2)

        def forward(self, x):
            return self.line(self.pool(self.conv(x)).view(len(x), -1))

    network = seeded(Viewing())
    session = seewhy.Session(network)
    session.explain(images, 0)
    assert session.network.module.conv.weight.data_ptr() == network.conv.weight.data_ptr()


def test_an_error_in_a_later_block_names_its_images(cnn, images):
    class Picky(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = cnn

        def forward(self, x):
            if (x > 50).any():
                raise RuntimeError("too bright")
            return self.inner(x)

    batch = images.clone()
    batch[2, 0, 0, 0] = 99.0
    with pytest.raises(seewhy.ModelError, match=r"too bright \(in the block of image 2\)"):
        seewhy.Session(seewhy.Model(Picky(), layer="inner.act"), rows=1).explain(batch, 0)


def hungry(cnn, most):
    class Hungry(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = cnn
            self.seen = []

        def forward(self, x):
            self.seen.append(len(x))
            if len(x) > most:
                raise torch.OutOfMemoryError("out of memory")
            return self.inner(x)

    return seewhy.Model(Hungry(), mean=0.5, std=0.5, layer="inner.act")


@pytest.mark.parametrize("key", ["grad-cam", "integrated-gradients"])
def test_a_pass_that_does_not_fit_into_memory_is_halved_until_it_does(cnn, images, key):
    expected = seewhy.Session(seewhy.Model(cnn, mean=0.5, std=0.5)).explain(images, 0, key)
    session = seewhy.Session(hungry(cnn, most=2), rows=8)
    found = session.explain(images, 0, key)
    torch.testing.assert_close(found.heatmap, expected.heatmap)
    assert found.cost == expected.cost
    assert session.network.module.seen[0] == 3  # tried, and not again
    assert max(session.network.module.seen[1:]) <= 8


def test_a_single_image_that_does_not_fit_is_said(cnn, images):
    with pytest.raises(seewhy.ModelError, match=r"\(1, 3, 8, 8\) does not fit into the memory of cpu"):
        seewhy.Session(hungry(cnn, most=0)).explain(images, 0)


def test_a_map_that_holds_nan_is_named_and_not_drawn(cnn, images, monkeypatch):
    from seewhy.attribution.grad_cam import GradCAM

    def broken(self, probe):
        heatmap = probe.inputs.sum(dim=1)
        heatmap[1, 0, 0] = torch.nan
        return heatmap

    monkeypatch.setattr(GradCAM, "attribute", broken)
    with pytest.raises(
        seewhy.MethodError, match="grad-cam: the map of image 1 holds NaN or infinity, and is not drawn"
    ):
        seewhy.Session(cnn, rows=3).explain(images, 0, "grad-cam")


def test_an_all_negative_map_is_said(cnn, images):
    cnn.head.weight.data[0] = -cnn.head.weight.data[0].abs()
    explanation = seewhy.Session(cnn).explain(images, 0, "hires-cam")
    assert explanation.heatmap.max() <= 0
    assert explanation.notes[0] == ("the whole map is negative: everything in it speaks against class 0",)


def test_another_thread_that_draws_does_not_make_a_network_random(cnn, images):
    """The global state changes during the first pass, but the answer does not: the network is not what drew."""

    class Disturbed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = cnn

        def forward(self, x):
            thread = threading.Thread(target=torch.rand, args=(1,))
            thread.start()
            thread.join()
            return self.inner(x)

    explanation = seewhy.Session(seewhy.Model(Disturbed(), layer="inner.down")).explain(images, 0)
    assert not any("random" in note for note in explanation.notes[0])
