"""A network in an ONNX file, run by onnxruntime: `net.onnx`, or `net.onnx:OUTPUT`. It answers, and shows no layers: a black box."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from seewhy.adapters.detections import stated_rows
from seewhy.adapters.hugging_face import class_names, preparation
from seewhy.engine.black_box import BlackBox
from seewhy.engine.model import Channels, Fit, Interpolation, Layout, Model
from seewhy.errors import ConfigError, ModelError, nearest, optional

ENDING = ".onnx"
MOST_BYTES = 2**31
"""The largest file that the format can be; weights beyond that lie in files beside it."""

MOST_STATED = 2**24
"""The largest file of settings that is read."""

PRECISIONS = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}
COLOURS = (1, 3)
CHOICES = {
    "layout": get_args(Layout),
    "channels": get_args(Channels),
    "fit": get_args(Fit),
    "interpolation": get_args(Interpolation),
}
STATED = tuple(field.name for field in fields(Model) if field.name not in ("module", "layer", "notes"))
"""What the file of settings beside the network may state: the fields of `Model`."""


def is_onnx(spec: str) -> bool:
    """Say whether a text names an ONNX file, with or without one of its outputs."""
    return _split(spec) is not None


def from_onnx(spec: str, checkpoint: str | Path | None = None) -> Model:
    """Return the network in an ONNX file as a black box.

    Size, layout, channels and precision are those of the file's input where it states them. What it cannot state stands in a file of the
    same name that ends in .json, such as net.json beside net.onnx: {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
    "labels": ["ant", "bee"]}; any field of `seewhy.Model` may stand there, and "labels" may name a text file with one class a line. The output of
    a detector is stated as what reads its rows, {"output": {"form": "named", "boxes_at": "boxes", "scores_at": "scores", "unit": "share"}}: see
    `seewhy.adapters.detections`; forms that read one output name it as "of". Without
    it, the image processor of transformers in the same folder (preprocessor_config.json, config.json) is asked.
    Nothing in the file is run but the operators that onnxruntime brings.

    Args:
        spec: path of the file; a colon and the name or number of the output that is the answer, where there are several.
        checkpoint: must be None: the file holds the weights.

    Raises:
        MissingExtra: onnxruntime is not installed.
        ModelError: no such file, not a network, several inputs, an output that is not decided, or settings that do not fit.
    """
    path, output = _split(spec) or (Path(spec), None)
    if checkpoint is not None:
        raise ModelError(f"{path} brings its own weights; leave the checkpoint out")
    if not path.is_file():
        raise ModelError(f"{path}: {'a folder' if path.is_dir() else 'no such file'}; an ONNX file was wanted")
    if not 0 < path.stat().st_size <= MOST_BYTES:
        raise ModelError(f"{path} has {path.stat().st_size} bytes; an ONNX file has at least one and at most 2 GiB")
    runtime = _opened(path)
    stated = _stated(path.with_suffix(".json")) or _of_processor(path)
    taken = _Input(runtime, path.name)
    wanted = output if output is not None else stated.pop("output", None)
    stated.pop("output", None)
    names = None
    if isinstance(wanted, dict):
        stated, names, wanted = _detector(wanted, stated, runtime, path)
    answer = _Run(runtime, taken, names or _output(runtime, wanted, path.name))
    settings = _agreeing(taken.states(stated.get("layout")), stated, path)
    try:
        box = BlackBox(answer, rows=taken.rows, precision=taken.precision)
        box.stated_in = str(path.with_suffix(".json"))
        return Model(box, **({"name": path.name} | settings))
    except ConfigError as error:
        raise ModelError(f"{path.with_suffix('.json')}: {error}") from error


def _split(spec: str) -> tuple[Path, str | None] | None:
    found = re.fullmatch(rf"(.*{re.escape(ENDING)})(?::(.+))?", spec, re.IGNORECASE | re.DOTALL)
    return (Path(found[1]), found[2]) if found else None


def _opened(path: Path) -> Any:
    """Return an onnxruntime session: on the processor, with torch's number of threads, silent."""
    onnxruntime: Any = optional("onnxruntime", "onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    options.log_severity_level = 4
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # waiting threads leave the cores to others
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # each of onnxruntime's own errors derives from Exception alone
        raise ModelError(f"{path} is not an ONNX network that onnxruntime can run: {_first_line(error)}") from error


def _detector(
    wanted: dict[str, Any], stated: dict[str, Any], runtime: Any, path: Path
) -> tuple[dict[str, Any], tuple[str, ...] | None, str | int | None]:
    """Return the settings with what reads a detector's rows, and the outputs that it reads: all by their names, or one."""
    one = wanted.get("of")
    try:
        rows = stated_rows({name: _settled(value) for name, value in wanted.items() if name != "of"})
    except (ConfigError, TypeError) as error:
        raise ModelError(f"{path.with_suffix('.json')}: output: {error}") from error
    names = None if one is not None else tuple(made.name for made in runtime.get_outputs())
    return stated | {"output": rows}, names, one


def _settled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class _Input:
    """The one input of a network, as its file states it.

    Attributes:
        name: of the input.
        axes: length of each axis; None where any length will do.
        rows: images that it takes at once; None is any number.
        precision: of its values.
    """

    def __init__(self, runtime: Any, title: str) -> None:
        inputs = runtime.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(repr(one.name) for one in inputs) or "none"
            raise ModelError(f"{title} has {len(inputs)} inputs ({names}); one that takes images is needed")
        self.title, self.name = title, inputs[0].name
        self.axes = tuple(axis if isinstance(axis, int) and axis > 0 else None for axis in inputs[0].shape)
        if len(self.axes) < 3:
            raise ModelError(f"{title} takes an input {inputs[0].shape}, which is no batch of images (b, c, h, w)")
        if inputs[0].type not in PRECISIONS:
            raise ModelError(
                f"{title} takes {inputs[0].type}; float32, float16 or float64 is needed. A function that converts is a black box, too: "
                "seewhy.Model(lambda images: run(...), size=..., mean=..., std=...)"
            )
        self.rows: int | None = self.axes[0]
        self.precision: Any = PRECISIONS[inputs[0].type]

    def states(self, layout: Layout | None) -> dict[str, Any]:
        """Return the fields of `Model` that follow from the axes; channels last are told by a last axis of 1 or 3 alone."""
        if len(self.axes) != 4:
            return {}
        last = self.axes[3] in COLOURS and self.axes[1] not in COLOURS
        layout = layout or ("bhwc" if last else "bchw")
        channels, height, width = (self.axes[axis] for axis in ((1, 2, 3) if layout == "bchw" else (3, 1, 2)))
        found: dict[str, Any] = {"layout": layout}
        found |= {"channels": "grey"} if channels == 1 else {}
        return found | ({"size": (height, width)} if height and width else {})

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise `ModelError` where an array does not fit the axes."""
        fits = len(shape) == len(self.axes)
        if not fits or any(axis not in (None, length) for axis, length in zip(self.axes, shape, strict=True)):
            wanted = " x ".join("any" if axis is None else str(axis) for axis in self.axes)
            raise ModelError(f"{self.title} takes {wanted}, got {' x '.join(map(str, shape))}")


class _Run:
    """Calls the network with an array; returns its answer."""

    def __init__(self, runtime: Any, taken: _Input, output: str | tuple[str, ...]) -> None:
        self._runtime, self._input, self._output = runtime, taken, output

    def __call__(self, images: np.ndarray) -> Any:
        """Return the output, or several by name."""
        self._input.check(images.shape)
        names = [self._output] if isinstance(self._output, str) else list(self._output)
        try:
            answers = self._runtime.run(names, {self._input.name: images})
        except Exception as error:  # as above
            raise ModelError(f"{self._input.title}: onnxruntime fails: {_first_line(error)}") from error
        return answers[0] if isinstance(self._output, str) else dict(zip(names, answers, strict=True))


def _output(runtime: Any, wanted: str | int | None, title: str) -> str:
    """Return the name of the output that is the answer: the one that was named, or the only one of floating point."""
    outputs: dict[str, str] = {one.name: one.type for one in runtime.get_outputs()}
    names = list(outputs)
    if wanted is None:
        able = [name for name in names if outputs[name] in PRECISIONS]
        if len(able) == 1:
            return able[0]
        said = ", ".join(f"{name!r} ({kind})" for name, kind in outputs.items())
        which = f"say which is the answer: {title}:{able[0]}" if able else "one of floating point is needed"
        raise ModelError(f"{title} has {len(names)} outputs, {said}; {which}")
    if wanted in outputs:
        return str(wanted)
    if str(wanted).isdigit() and int(wanted) < len(names):
        return names[int(wanted)]
    raise ModelError(f"{title} has no output {wanted!r}; it has {', '.join(map(repr, names))}")


def _stated(path: Path) -> dict[str, Any]:
    """Return what the file of settings states; nothing where there is none."""
    if not path.is_file():
        return {}
    if path.stat().st_size > MOST_STATED:
        raise ModelError(f"{path} has {path.stat().st_size} bytes; settings of a model take far fewer")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON: {_first_line(error)}") from error
    if not isinstance(found, Mapping):
        raise ModelError(f"{path} holds {type(found).__name__}; an object with fields of seewhy.Model was wanted")
    for key in found:
        if key not in STATED:
            near = nearest(key, STATED)
            raise ModelError(
                f"{path} states {key!r}, which is no field of seewhy.Model"
                + (f"; nearest: {near}" if near else f"; fields are {', '.join(STATED)}")
            )
    return {key: _value(key, value, path) for key, value in found.items()}


def _of_processor(path: Path) -> dict[str, Any]:
    """Return what the image processor beside an exported model of transformers states; nothing where there is none."""
    if not (path.parent / "preprocessor_config.json").is_file():
        return {}
    stated = dict(vars(preparation(str(path.parent), path.name)))
    config = path.parent / "config.json"
    try:
        found = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
        labels = class_names(found.get("id2label"))
    except (ValueError, AttributeError, RecursionError) as error:
        raise ModelError(f"{config} is no configuration of a model: {_first_line(error)}") from error
    return stated | ({"labels": labels} if labels else {})


def _value(key: str, value: Any, path: Path) -> Any:
    """Return one setting as `Model` takes it; raise `ModelError` for one of another kind."""
    if key == "labels":
        return _labels(value, path)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    numbers = isinstance(value, list) and bool(value) and all(type(item) in (int, float) for item in value)
    right = {
        "size": type(value) is int or (numbers and len(value) == 2 and all(type(item) is int for item in value)),
        "mean": number or numbers,
        "std": number or numbers,
        "crop": number,
        "crop_first": isinstance(value, bool),
        "output": isinstance(value, (str, dict)) or type(value) is int,
    }.get(key, isinstance(value, str) and value in CHOICES.get(key, (value,)))
    if not right or (key == "size" and min(value if isinstance(value, list) else [value]) < 1):
        raise ModelError(f"{path}: {key} is {json.dumps(value)[:60]}, which seewhy.Model does not take")
    return tuple(value) if isinstance(value, list) else value


def _labels(value: Any, path: Path) -> tuple[str, ...]:
    if isinstance(value, str):
        place = path.parent / value
        try:
            return tuple(place.read_text(encoding="utf-8").splitlines())
        except (OSError, ValueError) as error:
            raise ModelError(f"{path}: the labels in {value} cannot be read: {_first_line(error)}") from error
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ModelError(f"{path}: labels is a list of names, or the name of a text file with one a line")
    return tuple(value)


def _agreeing(found: dict[str, Any], stated: dict[str, Any], path: Path) -> dict[str, Any]:
    """Unite what the axes of the input say with what the settings say; raise `ModelError` where the two contradict each other."""
    size = stated.get("size")
    square = (size, size) if isinstance(size, int) else size
    if size is not None and found.get("size", square) != square:
        height, width = found["size"]
        raise ModelError(f"{path.with_suffix('.json')} states size {size}, and {path.name} takes {height} x {width}")
    if found.get("channels") == "grey" and stated.get("channels", "grey") != "grey":
        raise ModelError(
            f"{path.with_suffix('.json')} states channels {stated['channels']!r}, and {path.name} takes one channel"
        )
    return found | stated


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
