"""The fast profile: what it says of its maps is so, and where they would change, it runs the network as it is."""

import threading
from dataclasses import fields

import pytest
import torch
from torch import Tensor, nn

import seewhy
from networks import SmallBCos, SmallCNN, SmallViT, seeded
from seewhy.core.cost import Cost
from seewhy.engine.fast import shortened

SMALL = {"samples": 4, "steps": 6, "window": 4, "stride": 2, "count": 4}
COSINE = "cosine to float64"


def made(key: str) -> seewhy.Method:
    names = {field.name for field in fields(seewhy.methods()[key])}
    return seewhy.method(key, **{name: value for name, value in SMALL.items() if name in names})


def both(
    network: nn.Module, images: Tensor, method, target=0, **settings
) -> tuple[seewhy.Explanation, seewhy.Explanation]:
    """Return what the exact and the fast profile say."""
    model = seewhy.Model(network, mean=0.5, std=0.5)
    exact = seewhy.Session(model, rows=3).explain(images, target, method)
    return exact, seewhy.Session(model, rows=3, profile="fast", **settings).explain(images, target, method)


def cosines(exact: seewhy.Explanation, fast: seewhy.Explanation) -> Tensor:
    return torch.cosine_similarity(exact.heatmap.flatten(1), fast.heatmap.flatten(1))


def state(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("key", sorted(seewhy.methods()))
def test_every_method_keeps_to_what_it_says(key, images):
    """On the images that were tried the map is as near to the exact one as the figure says; the laws of all maps hold."""
    for kind in (SmallCNN, SmallViT, SmallBCos):
        network = seeded(kind())
        before = state(network)
        try:
            exact, fast = both(network, images[:2], made(key))
        except (seewhy.MethodError, seewhy.LayerError):
            continue
        break
    assert fast.heatmap.dtype == torch.float64
    assert fast.heatmap.shape == exact.heatmap.shape
    assert fast.targets == exact.targets
    assert seewhy.methods()[key].signed or fast.heatmap.min() >= 0
    least = min(
        float(cosine) if one.any() and other.any() else float(not one.any() and not other.any())
        for cosine, one, other in zip(cosines(exact, fast), exact.heatmap, fast.heatmap, strict=True)
    )
    if shortened(made(key)) == made(key):
        assert fast.figures[COSINE] == pytest.approx((least, least), abs=1e-9)
    assert least > 0.98
    assert fast.provenance["profile"] == "fast"
    assert all(notes[-1].startswith("fast profile: ") for notes in fast.notes)
    after = state(network)
    assert all(torch.equal(before[name], after[name]) for name in before)


class TestWhatRuns:
    def test_half_precision_where_the_map_stays(self, cnn, images):
        exact, fast = both(cnn, images, seewhy.method("grad-cam"))
        assert fast.provenance["precision"] == "bfloat16"
        assert exact.provenance["precision"] == "float64" and "profile" not in exact.provenance
        assert 0.99 <= fast.figures[COSINE][0] < 1 - 1e-9
        assert fast.notes[0][-1].startswith("fast profile: bfloat16 with merged norms, cosine 0.99")
        assert fast.notes[0][-1].endswith("to the exact map of image 0 and image 1")

    def test_merged_norms_where_half_precision_changes_the_map(self, cnn, images):
        exact, fast = both(cnn, images, seewhy.method("saliency"), fidelity=0.9999999)
        assert fast.provenance["precision"] == "float64"
        torch.testing.assert_close(fast.heatmap, exact.heatmap, rtol=1e-9, atol=1e-11)
        assert "fast profile: merged norms, cosine 1 " in fast.notes[0][-1]
        assert "refused: bfloat16 with merged norms (cosine 0.9" in fast.notes[0][-1]

    def test_the_network_as_it_is_where_nothing_else_will_do(self, images):
        class Unmerged(nn.Module):  # no norms, so that only half precision is left to try
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 4)

            def forward(self, x):
                return self.head(self.conv(x).relu().mean((2, 3)))

        exact, fast = both(seeded(Unmerged()), images, seewhy.method("saliency"), fidelity=1.0)
        assert torch.equal(fast.heatmap, exact.heatmap)
        assert fast.figures[COSINE] == (1.0, 1.0, 1.0)
        assert "the network as it is; refused: bfloat16 (cosine" in fast.notes[0][-1]

    def test_a_network_that_half_precision_breaks(self, cnn, images):
        class Strict(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = cnn

            def forward(self, x):
                if x.dtype == torch.bfloat16:
                    raise RuntimeError("no halves here")
                return self.inner(x)

        exact, fast = both(Strict().eval(), images, seewhy.method("saliency"))
        torch.testing.assert_close(fast.heatmap, exact.heatmap, rtol=1e-9, atol=1e-11)
        assert "no halves here" in fast.notes[0][-1] and "fast profile: merged norms" in fast.notes[0][-1]

    def test_another_class_is_another_map(self, images):
        """In half precision the two logits are equal, so that the other class is predicted."""

        class Close(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.weight = nn.Parameter(torch.ones(1))

            def forward(self, x):
                score = x.sum((1, 2, 3)) * 1e-3 * self.weight
                return torch.stack([1.0 + score, 1.0001 + score], dim=1)

        exact, fast = both(Close().double().eval(), images, seewhy.method("saliency"), None)
        assert fast.targets == exact.targets == ("class 1",) * 3
        assert "refused: bfloat16 (cosine 0 " in fast.notes[0][-1]

    def test_a_layer_that_merging_would_change_is_left(self, cnn, images):
        method = seewhy.method("grad-cam", layer="stem.0")  # a norm follows
        exact, fast = both(cnn, images, method)
        assert cosines(exact, fast).min() > 0.99
        assert "merged" not in fast.notes[0][-1]

    def test_a_black_box_runs_as_it_is(self, images):
        def answer(array):
            return array.mean((2, 3))

        model = seewhy.Model(answer, mean=0, std=1)
        method = seewhy.method("occlusion", window=4, stride=2)
        found = seewhy.Session(model, profile="fast").explain(images, 0, method)
        assert torch.equal(found.heatmap, seewhy.Session(model).explain(images, 0, method).heatmap)
        assert "the network as it is; nothing about it can be made faster" in found.notes[0][-1]

    def test_a_network_that_cannot_be_copied_runs_as_it_is(self, cnn, images):
        cnn.lock = threading.Lock()
        exact, fast = both(cnn, images, seewhy.method("saliency"))
        assert torch.equal(exact.heatmap, fast.heatmap)
        assert "nothing about it can be made faster" in fast.notes[0][-1]


class TestTrying:
    def test_each_method_is_tried_once_and_counted(self, cnn, images):
        session = seewhy.Session(seewhy.Model(cnn, mean=0.5, std=0.5), profile="fast")
        first = session.explain(images, 0, "grad-cam")
        assert first.cost == Cost(1, 1)
        assert session.cost == Cost(5, 5)  # two images exactly, two of the three in half precision; then the third
        assert session.explain(images, 0, "grad-cam").cost == Cost(1, 1)
        assert session.cost == Cost(8, 8)

    def test_other_settings_sizes_and_kinds_of_target_are_tried_anew(self, cnn, images):
        session = seewhy.Session(seewhy.Model(cnn, mean=0.5, std=0.5), profile="fast")
        spent = []
        for inputs, target, method in (
            (images[:1], 0, seewhy.method("smooth-grad", samples=2)),
            (images[:1], 1, seewhy.method("smooth-grad", samples=2)),
            (images[:1], 0, seewhy.method("smooth-grad", samples=3)),
            (images[:1, :, :6], 0, seewhy.method("smooth-grad", samples=2)),
            (images[:1], seewhy.targets.Contrast(0, 1), seewhy.method("smooth-grad", samples=2)),
        ):
            before = session.cost
            session.explain(inputs, target, method)
            spent.append((session.cost - before).backwards)
        assert spent[1] == 2
        assert spent[0] >= 4 and spent[2] >= 6 and spent[3] >= 4 and spent[4] >= 4

    def test_many_samples_are_tried_with_few(self, cnn, images):
        method = seewhy.method("rise", samples=300)
        exact, fast = both(cnn, images, method)
        assert fast.method == method and fast.cost == exact.cost
        assert cosines(exact, fast).min() > 0.98
        assert fast.notes[0][-1].endswith("(tried with samples=64)")

    def test_what_is_shortened(self):
        assert shortened(seewhy.method("rise", samples=257)).samples == 64
        assert shortened(seewhy.method("rise", samples=256)).samples == 256
        assert shortened(seewhy.method("score-cam")).channels == 64
        assert shortened(seewhy.method("score-cam", channels=10)).channels == 10
        assert shortened(seewhy.method("grad-cam")) == seewhy.method("grad-cam")

    def test_methods_and_targets_come_back_in_their_order(self, cnn, images):
        model, keys = seewhy.Model(cnn, mean=0.5, std=0.5), ["saliency", "grad-cam", "saliency", "eigen-cam"]
        session = seewhy.Session(model, profile="fast")
        rows = session.explain(images, [0, 1], keys)
        exact = seewhy.Session(model).explain(images, [0, 1], keys)
        for found, wanted in zip(rows, exact, strict=True):
            assert [one.method.key for one in found] == keys
            for one, other in zip(found, wanted, strict=True):
                assert one.targets == other.targets
                assert cosines(other, one).min() > 0.98

    def test_a_target_for_each_image(self, cnn, images):
        exact, fast = both(cnn, images, seewhy.method("grad-cam"), seewhy.targets.ClassScore((2, 0, 1)))
        assert fast.targets == exact.targets == ("class 2", "class 0", "class 1")
        assert cosines(exact, fast).min() > 0.98

    def test_a_batch_gives_what_one_by_one_gives(self, cnn, images):
        session = seewhy.Session(seewhy.Model(cnn, mean=0.5, std=0.5), profile="fast")
        together = session.explain(images, 0, "integrated-gradients").heatmap
        apart = torch.cat([session.explain(image[None], 0, "integrated-gradients").heatmap for image in images])
        assert torch.cosine_similarity(together.flatten(1), apart.flatten(1)).min() > 0.999

    def test_threads_make_one_choice(self, cnn, images):
        session = seewhy.Session(seewhy.Model(cnn, mean=0.5, std=0.5), rows=3, profile="fast")
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(session.explain(images, 0, "saliency"))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({one.notes[0][-1] for one in found}) == 1 and len(found) == 4

    def test_it_is_kept_in_the_file(self, cnn, images, tmp_path):
        _, fast = both(cnn, images, seewhy.method("grad-cam"))
        again = seewhy.load(fast.save(tmp_path / "map.npz"))
        assert (again.figures, again.notes, again.provenance) == (fast.figures, fast.notes, fast.provenance)

    def test_an_error_is_the_exact_ones(self, cnn, images):
        with pytest.raises(seewhy.LayerError, match="no layer 'nowhere'"):
            both(cnn, images, seewhy.method("grad-cam", layer="nowhere"))


@pytest.mark.parametrize("settings", [{"fidelity": 0.0}, {"fidelity": 1.1}])
def test_bad_fidelity(cnn, settings):
    with pytest.raises(seewhy.ConfigError, match="above 0 and at most 1"):
        seewhy.Session(seewhy.Model(cnn), profile="fast", **settings)


@pytest.mark.door
def test_bad_profile(cnn):
    with pytest.raises(seewhy.ConfigError, match="profile is 'exact' or 'fast', got 'quick'"):
        seewhy.Session(seewhy.Model(cnn), profile="quick")


def test_one_call_may_be_fast_too(cnn, photo):
    model = seewhy.Model(cnn, size=8, mean=0.5, std=0.5)
    method = seewhy.method("rise", samples=300)
    fast, exact = (seewhy.explain(str(photo), model, 0, method, profile=profile) for profile in ("fast", "exact"))
    assert fast.provenance["precision"] == "bfloat16"
    assert cosines(exact, fast)[0] > 0.98


def test_the_built_in_network(data):
    """Grad-CAM bears half precision, the plain gradient does not."""
    picture = str(next((data / "imagenet60").iterdir()))
    with seewhy.Session(profile="fast") as fast, seewhy.Session() as exact:
        cam, gradient = fast.explain(picture, methods=["grad-cam", "saliency"])
        wanted = exact.explain(picture, methods=["grad-cam", "saliency"])
    assert (cam.provenance["precision"], gradient.provenance["precision"]) == ("bfloat16", "float32")
    assert cosines(wanted[0], cam)[0] > 0.99 and cosines(wanted[1], gradient)[0] > 0.9999
