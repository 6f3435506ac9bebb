"""A function that only answers gets the maps that the network behind it gets; what it does wrong is one clear line."""

import threading
from dataclasses import dataclass, fields

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import seewhy
from networks import SmallCNN, seeded
from seewhy.core.budget import Allowance
from seewhy.core.cost import Cost
from seewhy.core.method import Attribution, Method, Source
from seewhy.core.needs import Needs
from seewhy.engine.black_box import BlackBox


@dataclass(frozen=True)
class Quarters(Method):
    """How far the score falls when one quarter of the image is made black, on that quarter."""

    key = "quarters"
    title = "Quarters"
    family = "perturbation"
    access = "answers"
    signed = True
    resolution = "input"
    source = Source("a test")
    caution = "it is a test"

    def needs(self) -> Needs:
        return Needs()

    def cost(self) -> Cost:
        return Cost(5)

    def attribute(self, probe) -> Attribution:
        height, width = (size // 2 for size in probe.inputs.shape[2:])
        masks = []
        for top, left in ((0, 0), (0, width), (height, 0), (height, width)):
            mask = torch.ones(1, 2 * height, 2 * width, dtype=probe.inputs.dtype)
            mask[:, top : top + height, left : left + width] = 0
            masks.append(mask)
        scores = probe.masked(Allowance.of(None).spend(masks), probe.stand_in("black"))
        falls = zip(scores, masks, strict=True)
        return Attribution(sum((probe.score() - score)[:, None, None] * (1 - mask) for score, mask in falls))


def answering(network: nn.Module):
    """Return a function of arrays that gives a torch network's answers, with graphs, and spoils the array that it was given."""
    dtype = next(network.parameters()).dtype

    def answer(images: np.ndarray) -> Tensor:
        made = network(torch.from_numpy(images.copy()).to(dtype))
        images[:] = np.nan
        return made

    return answer


def session(answer, **settings) -> seewhy.Session:
    return seewhy.Session(seewhy.Model(BlackBox(answer, **settings), mean=0.5, std=0.5, labels=["a", "b", "c", "d"]))


def test_the_map_is_that_of_the_network_itself(cnn, images):
    expected = seewhy.Session(seewhy.Model(cnn, mean=0.5, std=0.5)).explain(images, 1, Quarters())
    found = session(answering(cnn), precision="float64").explain(images, "b", Quarters())
    torch.testing.assert_close(found.heatmap, expected.heatmap, rtol=1e-12, atol=1e-12)
    assert (found.score - expected.score).abs().max() < 1e-12
    assert found.cost == Cost(5)
    assert found.heatmap.abs().max() > 0.01


ANSWERS = sorted(key for key, kind in seewhy.methods().items() if kind.access == "answers")
SMALL = {"samples": 8, "steps": 6, "window": 4, "stride": 2, "count": 4}


@pytest.mark.parametrize("key", ANSWERS)
def test_each_method_that_asks_for_answers_draws_the_map_of_the_network(key, cnn, images):
    names = {field.name for field in fields(seewhy.methods()[key])}
    method = seewhy.method(key, **{name: value for name, value in SMALL.items() if name in names})
    expected = seewhy.Session(seewhy.Model(cnn, mean=0.5, std=0.5)).explain(images, 1, method)
    found = session(answering(cnn), precision="float64").explain(images, "b", method)
    torch.testing.assert_close(found.heatmap, expected.heatmap, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(found.score, expected.score)


def test_a_bare_function_is_a_model_and_gets_float32(images):
    network, seen = seeded(SmallCNN()).float(), []

    def answer(array):
        seen.append((array.dtype, array.flags.c_contiguous))
        return answering(network)(array)

    expected = seewhy.Session(seewhy.Model(network, mean=0.5, std=0.5)).explain(images, methods=Quarters())
    found = seewhy.Session(seewhy.Model(answer, mean=0.5, std=0.5)).explain(images, methods=Quarters())
    torch.testing.assert_close(found.heatmap, expected.heatmap, rtol=1e-5, atol=1e-6)
    assert set(seen) == {(np.dtype("float32"), True)}
    assert found.heatmap.dtype == torch.float32
    with seewhy.Session(answer) as bare:
        torch.testing.assert_close(bare.predict(images), expected_answers(network, images))


def expected_answers(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return network(images.float())


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_fixed_number_of_rows_is_filled_up_and_changes_nothing(cnn, images, rows):
    sizes = set()

    def answer(array):
        sizes.add(len(array))
        return answering(cnn)(array)

    expected = session(answering(cnn), precision="float64").explain(images, methods=Quarters())
    found = session(answer, precision="float64", rows=rows).explain(images, methods=Quarters())
    torch.testing.assert_close(found.heatmap, expected.heatmap, rtol=1e-12, atol=1e-12)
    assert sizes == {rows}


@pytest.mark.parametrize(
    "shaped",
    [
        lambda made: made.detach().numpy(),
        lambda made: made.tolist(),
        lambda made: [row.detach().numpy() for row in made],
        lambda made: [made.detach().numpy()],  # as a runtime gives the list of its outputs
        lambda made: (made.detach().numpy(), made.sum(dim=1).detach().numpy()),
        lambda made: {"logits": made.detach().numpy(), "features": made.detach().numpy() * 2},
        lambda made: made.detach().double().numpy()[:, ::-1][:, ::-1],
    ],
    ids=["array", "numbers", "rows", "outputs", "pair", "mapping", "strided"],
)
def test_answers_come_as_arrays_lists_or_tensors(images, shaped):
    network = seeded(SmallCNN()).float()
    found = session(lambda array: shaped(answering(network)(array)), rows=2).predict(images)
    torch.testing.assert_close(found, expected_answers(network, images))


def test_the_model_says_which_of_several_outputs(images):
    model = seewhy.Model(lambda array: {"a": array.sum((2, 3)), "b": array.mean((2, 3))}, mean=0, std=1, output="b")
    torch.testing.assert_close(seewhy.Session(model).predict(images), images.float().mean((2, 3)))


def test_the_layout_is_the_models(images):
    shapes = set()

    def answer(array):
        shapes.add(array.shape[1:])
        return array.mean((1, 2))

    model = seewhy.Model(answer, size=8, mean=0, std=1, layout="bhwc")
    wide = torch.cat([images, images], dim=3)
    torch.testing.assert_close(seewhy.Session(model).predict(wide), wide.float().mean((2, 3)))
    assert shapes == {(8, 16, 3)}


def test_half_precision_gets_a_map_in_float32(images):
    def answer(array):
        assert array.dtype == np.float16
        return array.mean((2, 3))

    found = session(answer, precision="float16").explain(images, 0, Quarters())
    assert found.heatmap.dtype == torch.float32
    torch.testing.assert_close(found.score, images.half().mean((2, 3))[:, 0].float(), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda array: np.zeros((7, 4), np.float32), r"shape \(7, 4\) for \d images"),
        (lambda array: np.float32(3), r"shape \(\) for \d images"),
        (lambda array: np.zeros((len(array), 4), int), "before any arg-max"),
        (lambda array: np.full((len(array), 4), np.nan), "NaN for image 0"),
        (lambda array: None, "gave NoneType"),
        (lambda array: "cat", "gave str"),
        (lambda array: [[1.0, 2.0], [3.0]], "gave list"),
        (lambda array: {}["x"], "KeyError: 'x'"),
        (lambda array: 1 / 0, "ZeroDivisionError"),
        (lambda array, more: array, "missing 1 required positional argument"),
        (lambda array: {"a": np.zeros((len(array), 2)), "b": np.zeros((len(array), 2))}, "say where it is"),
    ],
    ids=["rows", "number", "integers", "nan", "none", "text", "ragged", "key", "error", "arguments", "outputs"],
)
def test_what_is_wrong_with_an_answer_is_one_line(answer, words, images):
    with pytest.raises(seewhy.ModelError, match=words) as caught:
        session(answer).explain(images, 0, Quarters())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["grad-cam", "saliency", "eigen-cam", "integrated-gradients"])
def test_methods_that_look_inside_are_refused_and_others_named(key, cnn, images):
    words = rf"{key}: it looks inside the network, and BlackBox is a black box, .* methods that ask for no more: .*(rise|lime|occlusion)"
    with pytest.raises(seewhy.MethodError, match=words):
        session(answering(cnn), precision="float64").explain(images, methods=key)


def test_targets_inside_are_refused(cnn, images):
    with pytest.raises(seewhy.TargetError, match="looks at 'down', and BlackBox is a black box without layers"):
        session(answering(cnn)).explain(images, seewhy.targets.Channel("down", 0), Quarters())


def test_there_are_no_layers(cnn, images):
    asked = session(answering(cnn))
    for look in (lambda: asked.network.layers((8, 8)), lambda: asked.channels(images)):
        with pytest.raises(seewhy.LayerError, match="BlackBox is a black box: it answers, and has no layers"):
            look()


@pytest.mark.parametrize(
    ("made", "words"),
    [
        pytest.param(lambda: BlackBox(3), "to scores, got int", marks=pytest.mark.door),
        (lambda: BlackBox(nn.Linear), "got the class Linear"),
        (lambda: BlackBox(nn.Linear(1, 1)), "goes to seewhy.Model as it is"),
        (lambda: BlackBox(len, rows=0), "at least 1; got 0"),
        (lambda: BlackBox(len, rows=True), "at least 1; got True"),
        pytest.param(lambda: BlackBox(len, precision="int8"), "got 'int8'", marks=pytest.mark.door),
    ],
)
def test_bad_settings(made, words):
    with pytest.raises(seewhy.ConfigError, match=words):
        made()


def test_a_class_is_no_model():
    with pytest.raises(seewhy.ModelError, match="got type"):
        seewhy.Model(SmallCNN)
    with pytest.raises(seewhy.ModelError, match="a function of arrays"):
        seewhy.Session(SmallCNN)


def test_what_cannot_be_copied_is_shared_and_runs_on_its_own_thread_too(images):
    lock = threading.Lock()  # cannot be deep-copied

    class Predictor:
        def __init__(self) -> None:
            self.lock = lock

        def __call__(self, array):
            with self.lock:
                return array.mean((2, 3))

    model = seewhy.Model(Predictor(), mean=0, std=1)
    made = seewhy.Session(model)
    assert not made.network.notes
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(made.explain(images, 0, Quarters()).heatmap)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(torch.equal(found[0], other) for other in found)
    assert torch.equal(found[0][0, :4, :4], found[0][0, :1, :1].expand(4, 4))
