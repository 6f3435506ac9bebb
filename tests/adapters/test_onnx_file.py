"""A network in an ONNX file gets the maps of the torch network that it was made from; what does not fit is one clear line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch import Tensor, nn

import seewhy
from seewhy.adapters.load import available

FLOATS = {np.float32: TensorProto.FLOAT, np.float16: TensorProto.FLOAT16, np.float64: TensorProto.DOUBLE}


def network(channels: int = 3) -> nn.Module:
    """Return a small seeded network that `written` can write."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
    ).eval()


def written(
    path: Path, torch_network: nn.Module, shape: list, kind: type = np.float32, *, outputs=("y",), inputs=("x",)
):
    """Write such a network as ONNX; more outputs are copies of the answer, more inputs are added to it."""
    conv, linear = torch_network[0], torch_network[4]
    parts = {"w": conv.weight, "b": conv.bias, "v": linear.weight, "c": linear.bias}
    weights = [numpy_helper.from_array(value.detach().numpy().astype(kind), name) for name, value in parts.items()]
    last = shape[3] in (1, 3)
    nodes = [
        *([helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])] if last else []),
        helper.make_node("Conv", ["t" if last else "x", "w", "b"], ["f"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["f"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["q"]),
        helper.make_node("Gemm", ["q", "v", "c"], [outputs[0]], transB=1),
        *(helper.make_node("Neg", [outputs[0]], [name]) for name in outputs[1:]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, FLOATS[kind], shape) for name in inputs],
        [helper.make_tensor_value_info(name, FLOATS[kind], [shape[0], 4]) for name in outputs],
        weights,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(made.SerializeToString())
    return str(path)


def images(channels: int = 3, rows: int = 3) -> Tensor:
    return torch.randn(rows, channels, 8, 10, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("key", ["occlusion", "rise"])
@pytest.mark.parametrize("shape", [["b", 3, "h", "w"], [1, 3, 8, 10], [2, 3, 8, 10]], ids=["any", "one row", "two"])
def test_the_map_is_that_of_the_torch_network(tmp_path, key, shape):
    method = seewhy.method(key, **({"samples": 6} if key == "rise" else {"window": 3, "stride": 2}))
    torch_network = network()
    expected = seewhy.Session(seewhy.Model(torch_network, mean=0.5, std=0.5)).explain(images(), 1, method)
    model = seewhy.load_model(written(tmp_path / "net.onnx", torch_network, shape))
    assert model.module.rows == (None if shape[0] == "b" else shape[0])
    model = seewhy.Model(model.module, mean=0.5, std=0.5)
    found = seewhy.Session(model).explain(images(), 1, method)
    torch.testing.assert_close(found.heatmap, expected.heatmap, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.score, expected.score, rtol=1e-5, atol=1e-6)
    assert found.heatmap.std() > 1e-3


@pytest.mark.parametrize(
    ("shape", "size", "layout", "channels"),
    [
        (["b", 3, 8, 10], (8, 10), "bchw", "rgb"),
        (["b", 3, "h", "w"], None, "bchw", "rgb"),
        ([1, 8, 10, 3], (8, 10), "bhwc", "rgb"),
        (["b", 1, 8, 10], (8, 10), "bchw", "grey"),
    ],
)
def test_what_the_file_states_of_its_input(tmp_path, shape, size, layout, channels):
    count = 1 if channels == "grey" else 3
    torch_network = network(count)
    model = seewhy.load_model(written(tmp_path / "net.onnx", torch_network, shape))
    assert (model.input_size, model.layout, model.channels, model.title) == (size, layout, channels, "net.onnx")
    with torch.no_grad():
        expected = torch_network(images(count))
    torch.testing.assert_close(seewhy.Session(model).predict(images(count)), expected, rtol=1e-5, atol=1e-6)


def test_half_precision_is_what_the_file_says(tmp_path):
    torch_network = network()
    model = seewhy.load_model(written(tmp_path / "net.onnx", torch_network, ["b", 3, "h", "w"], np.float16))
    with torch.no_grad():
        expected = torch_network(images())
    torch.testing.assert_close(seewhy.Session(model).predict(images()), expected, rtol=1e-2, atol=1e-2)


def test_double_precision_is_what_the_file_says(tmp_path):
    mean = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)]
    spec = of_nodes(tmp_path / "net.onnx", mean, TensorProto.DOUBLE, ["b", 3, "h", "w"], TensorProto.DOUBLE)
    found = seewhy.Session(seewhy.load_model(spec)).predict(images().double())
    torch.testing.assert_close(found, images().double().mean((2, 3)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("which", "sign"), [(":y", 1), (":z", -1), (":0", 1), (":1", -1)])
def test_one_of_several_outputs(tmp_path, which, sign):
    torch_network = network()
    spec = written(tmp_path / "net.onnx", torch_network, ["b", 3, "h", "w"], outputs=("y", "z"))
    with torch.no_grad():
        expected = sign * torch_network(images())
    found = seewhy.Session(seewhy.load_model(spec + which)).predict(images())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_settings_stand_beside_the_network(tmp_path):
    torch_network = network()
    spec = written(tmp_path / "net.onnx", torch_network, ["b", 3, "h", "w"], outputs=("y", "z"))
    (tmp_path / "classes.txt").write_text("ant\nbee\ncat\ndog\n")
    stated = {
        "size": [8, 10],
        "mean": [0.1, 0.2, 0.3],
        "std": 0.5,
        "labels": "classes.txt",
        "output": "z",
        "fit": "squash",
    }
    (tmp_path / "net.json").write_text(json.dumps(stated))
    model = seewhy.load_model(spec)
    assert (model.input_size, model.mean, model.std, model.fit) == ((8, 10), (0.1, 0.2, 0.3), 0.5, "squash")
    assert model.labels == ("ant", "bee", "cat", "dog")
    with torch.no_grad():
        expected = -torch_network(images())
    torch.testing.assert_close(seewhy.Session(model).predict(images()), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(seewhy.Session(seewhy.load_model(f"{spec}:y")).predict(images()), -expected)


def test_an_image_processor_of_transformers_in_the_folder_is_asked(tmp_path):
    transformers = pytest.importorskip("transformers")
    mean, std = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]
    transformers.ViTImageProcessor(size={"height": 8, "width": 10}, image_mean=mean, image_std=std).save_pretrained(
        tmp_path
    )
    names = {"id2label": {"0": "ant", "1": "bee", "2": "cat", "3": "dog"}, "model_type": "vit"}
    (tmp_path / "config.json").write_text(json.dumps(names))
    spec = written(tmp_path / "model.onnx", network(), ["b", 3, "h", "w"])
    model = seewhy.load_model(spec)
    assert (model.input_size, model.fit, model.labels) == ((8, 10), "squash", ("ant", "bee", "cat", "dog"))
    assert model.mean == pytest.approx(mean) and model.std == pytest.approx(std)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(seewhy.ModelError):
        seewhy.load_model(spec)
    (tmp_path / "model.json").write_text('{"mean": 0.5, "std": 0.5}')  # what is stated for this very file comes first
    assert seewhy.load_model(spec).mean == 0.5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[1]", "holds list"),
        ('{"maen": 0.5}', "states 'maen', .*nearest: 'mean'"),
        ('{"mean": "half"}', 'mean is "half"'),
        ('{"mean": [true]}', r"mean is \[true\]"),
        ('{"size": 0}', "size is 0"),
        ('{"size": [8]}', "size is"),
        ('{"size": 224}', "states size 224, and net.onnx takes 8 x 10"),
        ('{"std": 0}', "net.json: std must be positive"),
        ('{"fit": "stretch"}', "net.json: fit is"),
        ('{"labels": "nowhere.txt"}', "nowhere.txt cannot be read"),
        ('{"labels": [1, 2]}', "labels is a list of names"),
        ('{"output": "q"}', "has no output 'q'; it has 'y'"),
    ],
)
def test_settings_that_do_not_fit(tmp_path, text, words):
    spec = written(tmp_path / "net.onnx", network(), ["b", 3, 8, 10])
    (tmp_path / "net.json").write_text(text)
    with pytest.raises(seewhy.ModelError, match=words) as caught:
        seewhy.load_model(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"inputs": ("x", "mask")}, r"has 2 inputs \('x', 'mask'\)"),
        ({"outputs": ("y", "z")}, "has 2 outputs, .* say which is the answer: net.onnx:y"),
    ],
)
def test_networks_that_do_not_fit(tmp_path, settings, words):
    with pytest.raises(seewhy.ModelError, match=words):
        seewhy.load_model(written(tmp_path / "net.onnx", network(), ["b", 3, 8, 10], **settings))


def of_nodes(path: Path, nodes: list, kind: int, shape: list, out: int) -> str:
    graph = helper.make_graph(
        nodes,
        "odd",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", out, None)],
    )
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
    return str(path)


def test_integers_are_refused_as_input_and_as_answer(tmp_path):
    same = [helper.make_node("Identity", ["x"], ["y"])]
    with pytest.raises(seewhy.ModelError, match=r"takes tensor\(uint8\); float32, float16 or float64"):
        seewhy.load_model(of_nodes(tmp_path / "a.onnx", same, TensorProto.UINT8, ["b", 3, 8, 8], TensorProto.UINT8))
    chosen = [helper.make_node("ArgMax", ["x"], ["y"], axis=1)]
    spec = of_nodes(tmp_path / "b.onnx", chosen, TensorProto.FLOAT, ["b", 3, 8, 8], TensorProto.INT64)
    with pytest.raises(seewhy.ModelError, match="one of floating point is needed"):
        seewhy.load_model(spec)


def test_a_vector_is_no_image(tmp_path):
    same = [helper.make_node("Identity", ["x"], ["y"])]
    with pytest.raises(seewhy.ModelError, match="no batch of images"):
        seewhy.load_model(of_nodes(tmp_path / "a.onnx", same, TensorProto.FLOAT, ["b", 3], TensorProto.FLOAT))


def test_an_input_of_another_size(tmp_path):
    model = seewhy.load_model(written(tmp_path / "net.onnx", network(), ["b", 3, 8, 10]))
    with pytest.raises(seewhy.ModelError, match=r"net\.onnx takes any x 3 x 8 x 10, got 1 x 3 x 9 x 10"):
        seewhy.Session(model).predict(torch.zeros(1, 3, 9, 10))


def test_what_onnxruntime_refuses_on_the_way_is_one_line(tmp_path):
    nodes = [helper.make_node("Reshape", ["x", "s"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "odd",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array([7, 7]), "s")],
    )
    path = tmp_path / "net.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
    with pytest.raises(seewhy.ModelError, match=r"net\.onnx: onnxruntime fails: ") as caught:
        seewhy.Session(seewhy.load_model(str(path))).predict(images())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "has 0 bytes"), (b"not a network " * 9, "is not an ONNX network that onnxruntime can run")],
)
def test_what_is_no_network(tmp_path, content, words):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(seewhy.ModelError, match=words) as caught:
        seewhy.load_model(str(path))
    assert "\n" not in str(caught.value)


def test_a_cut_file_is_no_network(tmp_path):
    spec = written(tmp_path / "net.onnx", network(), ["b", 3, 8, 10])
    Path(spec).write_bytes(Path(spec).read_bytes()[:-200])
    with pytest.raises(seewhy.ModelError, match="is not an ONNX network"):
        seewhy.load_model(spec)


def test_places_where_there_is_no_file(tmp_path):
    (tmp_path / "folder.onnx").mkdir()
    for place, words in (("folder.onnx", "a folder"), ("none.onnx", "no such file"), ("none.onnx:y", "no such file")):
        with pytest.raises(seewhy.ModelError, match=words):
            seewhy.load_model(str(tmp_path / place))
    spec = written(tmp_path / "net.onnx", network(), ["b", 3, 8, 10])
    with pytest.raises(seewhy.ModelError, match="brings its own weights"):
        seewhy.load_model(spec, "weights.pt")


@pytest.mark.parametrize("location", ["../secret.bin", "link.bin", "{}/secret.bin"])
def test_weights_outside_of_the_folder_are_not_read(tmp_path, location):
    inside = tmp_path / "inside"
    inside.mkdir()
    np.arange(12, dtype=np.float32).tofile(tmp_path / "secret.bin")
    (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    spec = written(inside / "net.onnx", network(), ["b", 3, 8, 10])
    made = onnx.load(spec)
    weight = next(one for one in made.graph.initializer if one.name == "v")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location.format(tmp_path)), ("offset", "0"), ("length", "96")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    Path(spec).write_bytes(made.SerializeToString())
    with pytest.raises(seewhy.ModelError, match="is not an ONNX network that onnxruntime can run"):
        seewhy.load_model(spec)


def test_without_onnxruntime_the_line_that_installs_it(tmp_path, monkeypatch):
    spec = written(tmp_path / "net.onnx", network(), ["b", 3, 8, 10])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(seewhy.MissingExtra, match=r"seewhy\[onnx\]"):
        seewhy.load_model(spec)
    assert any(one.spec == "path/net.onnx" and "seewhy[onnx]" in one.why_not for one in available())


def test_it_is_refused_where_a_method_looks_inside(tmp_path):
    spec = written(tmp_path / "net.onnx", network(), ["b", 3, 8, 10])
    with pytest.raises(seewhy.MethodError, match=r"net.onnx is a black box.*occlusion"):
        seewhy.Session(spec).explain(images(), methods="grad-cam")


def command(*words: str) -> subprocess.CompletedProcess:
    code = "import torch; torch.set_num_threads(1); from seewhy.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)


def test_end_to_end_on_the_command_line(tmp_path, photo):
    spec = written(tmp_path / "net.onnx", network(), [1, 3, 32, 48])
    words = ("explain", str(photo), "--model", spec, "--method", "rise", "--set", "samples=20", "--out", str(tmp_path))
    asked = command(*words)
    assert asked.returncode == 2
    assert "mean, std are not stated" in asked.stderr and "net.json" in asked.stderr.replace("\n", "")
    stated = {"mean": 0.5, "std": 0.25, "labels": ["ant", "bee", "cat", "dog"]}
    (tmp_path / "net.json").write_text(json.dumps(stated))
    asked = command(*words)
    assert asked.returncode == 0, asked.stderr
    found = json.loads((tmp_path / "disc.why.json").read_text())
    expected = seewhy.Session(seewhy.Model(network(), size=(32, 48), **stated)).explain(
        Image.open(photo), methods=seewhy.method("rise", samples=20)
    )
    heatmap = seewhy.load(tmp_path / "disc.why.npz").heatmap
    torch.testing.assert_close(heatmap, expected.heatmap, rtol=1e-4, atol=1e-5)
    assert expected.targets[0] in json.dumps(found)


def test_layers_and_doctor_on_the_command_line(tmp_path, photo):
    spec = written(tmp_path / "net.onnx", network(), [1, 3, 32, 48])
    asked = command("layers", spec)
    assert asked.returncode == 2
    assert "net.onnx is a black box" in " ".join(asked.stderr.split())
    (tmp_path / "net.json").write_text(json.dumps({"mean": 0.5, "std": 0.25}))
    assert command("doctor", spec, str(photo.parent)).returncode == 0


def test_a_real_face_detector(data):
    """What speaks most for a face is the face: that of the man in the picture, left of the middle and above it."""
    network = seewhy.load_model(str(data / "weights" / "version-RFB-320.onnx") + ":scores")
    assert (network.input_size, network.module.rows) == ((240, 320), 1)
    model = seewhy.Model(network.module, size=(240, 320), mean=127 / 255, std=128 / 255, fit="pad")
    with seewhy.Session(model) as session:
        asked = session.explain(
            str(data / "coco128" / "images" / "000000000294.jpg"),
            lambda scores: scores[:, :, 1].amax(dim=1),
            seewhy.method("rise", samples=200),
        )
    assert asked.score[0] > 0.99
    heatmap = asked.in_source()
    row, column = np.unravel_index(int(heatmap.nan_to_num(-1).argmax()), heatmap.shape)
    assert 0.15 < row / heatmap.shape[0] < 0.45
    assert 0.14 < column / heatmap.shape[1] < 0.31
