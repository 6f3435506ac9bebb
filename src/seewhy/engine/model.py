"""A network together with what is needed to use it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from jaxtyping import Float
from torch import Tensor, nn

from seewhy.core.target import Probability
from seewhy.core.volume import SHOWN, checked_directions
from seewhy.engine.black_box import BlackBox
from seewhy.errors import ConfigError, ModelError

Fit = Literal["crop", "pad", "squash"]
Layout = Literal["bchw", "bhwc", "bcthw", "btchw", "bthwc", "bcdhw", "bdhwc"]
Channels = Literal["rgb", "bgr", "grey"]
Interpolation = Literal["bicubic", "bilinear", "lanczos", "nearest"]
ScanWindow = tuple[float, float] | Literal["percentiles", "standard"]
Picker = str | int | Callable[[Any], Tensor]
if TYPE_CHECKING:
    Given = nn.Module  # what a reader of the field finds: a function is wrapped at once
else:
    Given = nn.Module | Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Model:
    """A network and how a picture becomes its input. Nothing here is guessed: what is not stated is an error when needed.

    Args:
        module: the network; it is never changed. A function of arrays in its place becomes a black box: see
            `seewhy.engine.black_box.BlackBox`.
        size: height and width of the input in pixels, or one number for a square.
        mean, std: per channel, for pixel values from 0 to 1: the network sees (pixel - mean) / std. A network that takes
            0 to 255 has mean 0 and std 1/255; one that takes -1 to 1 has mean 0.5 and std 0.5.
        labels: class names, by index.
        layout: order of the axes of the input: "bchw" (default) or "bhwc" for pictures, "bcthw", "btchw" or "bthwc" for clips,
            "bcdhw" or "bdhwc" for volumes.
        frames: how many frames of a clip the network takes; stating it makes it a network for clips.
        stride: how many frames of a video lie from one frame of the clip to the next; None spreads the frames over the whole video.
        depth: how many voxels the network takes along the first axis of a volume; stating it makes it a network for volumes, which
            takes one channel.
        orientation: of a network for volumes, to which side of the patient each axis (d, h, w) of its input increases: "SPL" (default)
            for slices from the feet up, rows to the back, columns to the patient's left, as axial slices are shown; "RAS" for networks
            that were trained on NIfTI files in that orientation.
        spacing: of a network for volumes, millimetres from voxel to voxel along (d, h, w): so much of the scan's centre is taken as the
            input holds. None stretches the whole scan onto the input.
        window: how values of a scan become values from 0 to 1, to which mean and std then apply: (center, width) in the scan's unit,
            such as (40, 400) for soft tissue in HU; "percentiles" for the range from its 0.5th to its 99.5th percentile; "standard" for
            (value - mean of the scan) / its deviation; None for the values as they are.
        channels: "rgb" (default), "bgr", or "grey" for one channel.
        fit: how a picture is fitted: "crop" (resize, cut the centre out), "pad" (letterbox, whole picture) or "squash".
        crop: share of the resized shorter side that the centre crop keeps: 224 of 256 is 0.875. Also after "squash".
        crop_first: cut the centre out of the source, then resize it, as TensorFlow's networks were trained; by default the picture is
            resized to whole pixels first, as torchvision and transformers do.
        interpolation: "bicubic", "bilinear", "lanczos" or "nearest".
        output: where the answer is if the network returns several things: a key, an index, or a function. For detectors: see
            `seewhy.adapters.detections`; one that has a method `for_input` is told the size.
        probability: what makes probabilities of the answer: "softmax" (default: exactly one class holds), "sigmoid" (each label holds or
            not, as in findings of an X-ray), "given" (the answer is probabilities already), or "none" (numbers, embeddings, maps).
        operating_points: for "sigmoid": the probability from which a label counts as found, one for all or one for each; NaN for a label
            that the network has never learned. Used where all found labels are asked about.
        layer: the layer that methods look at; found by itself if None.
        name: for people and files.
        notes: what a reader of its explanations must know, such as where its preprocessing was taken from.
        concept_layer: of a concept-bottleneck network, the layer whose numbers are concepts; a module may say it itself: see
            `seewhy.concepts.stated`.
        concept_names: names of these concepts, in the order of the layer's channels.
    """

    module: Given
    size: int | tuple[int, int] | None = None
    mean: float | Sequence[float] | None = None
    std: float | Sequence[float] | None = None
    labels: Sequence[str] | None = None
    layout: Layout = "bchw"
    frames: int | None = None
    stride: int | None = None
    depth: int | None = None
    orientation: str = SHOWN
    spacing: tuple[float, float, float] | None = None
    window: ScanWindow | None = None
    channels: Channels = "rgb"
    fit: Fit = "crop"
    crop: float = 1.0
    crop_first: bool = False
    interpolation: Interpolation = "bicubic"
    output: Picker | None = None
    probability: Probability = "softmax"
    operating_points: float | Sequence[float] | None = None
    layer: str | None = None
    name: str = ""
    notes: tuple[str, ...] = ()
    concept_layer: str | None = None
    concept_names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.module, nn.Module):
            if not callable(self.module) or isinstance(self.module, type):
                raise ModelError(
                    f"Model wants a torch.nn.Module, or a function from an array of images to scores; got {type(self.module).__name__}"
                )
            object.__setattr__(self, "module", BlackBox(self.module))
        told = getattr(self.output, "for_input", None)
        if told is not None and self.input_size is not None:  # what reads shares of the input must know its size
            object.__setattr__(self, "output", told(self.input_size))
        if not 0 < self.crop <= 1:
            raise ConfigError(f"crop is a share between 0 and 1, got {self.crop}")
        _check_frames(self)
        _check_depth(self)
        if self.fit not in ("crop", "pad", "squash"):
            raise ConfigError(f"fit is 'crop', 'pad' or 'squash', got {self.fit!r}")
        for name, kinds in (
            ("layout", Layout),
            ("channels", Channels),
            ("interpolation", Interpolation),
            ("probability", Probability),
        ):
            if getattr(self, name) not in get_args(kinds):
                raise ConfigError(f"{name} is one of {', '.join(get_args(kinds))}, got {getattr(self, name)!r}")
        if any(value <= 0 for value in per_channel(self.std if self.std is not None else 1.0)):
            raise ConfigError(f"std must be positive, got {self.std}")

    @property
    def for_clips(self) -> bool:
        """Whether the network takes clips."""
        return self.frames is not None

    @property
    def for_volumes(self) -> bool:
        """Whether the network takes volumes."""
        return self.depth is not None

    @property
    def title(self) -> str:
        """The network's name for people."""
        return self.name or type(self.module).__name__

    @property
    def input_size(self) -> tuple[int, int] | None:
        """Height and width of the input, if stated."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def needs_preprocessing(self) -> tuple[tuple[int, int], tuple[float, ...], tuple[float, ...]]:
        """Return size, mean and std, or raise `ModelError` that says which are not stated and how to state them."""
        missing = [name for name in ("size", "mean", "std") if getattr(self, name) is None]
        if self.input_size is None or self.mean is None or self.std is None:
            raise ModelError(
                f"{self.title}: a picture cannot be prepared, because {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} not stated. Say how the network was trained, for instance {self._stating()}; "
                "`seewhy doctor` helps to find out. A tensor that is normalized already goes to seewhy.Session(network).explain(tensor)"
            )
        return self.input_size, per_channel(self.mean), per_channel(self.std)

    def _stating(self) -> str:
        """Return an example of stating how pictures are prepared, where this model wants it."""
        if isinstance(self.module, BlackBox) and self.module.stated_in:
            return f'{{"size": 224, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}} in {self.module.stated_in}'
        return "seewhy.Model(network, size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), labels=[...])"

    def pick(self, output: Any) -> Tensor:
        """Return the tensor that is the network's answer, out of whatever its forward returned."""
        if self.output is not None:
            return _picked(output, self.output)
        found = _first_tensor(output)
        if found is None:
            raise ModelError(
                f"{self.title} returned {_describe(output)}, in which no answer is found; "
                "say where it is: seewhy.Model(..., output='key' | index | function)"
            )
        return found


def _check_frames(model: Model) -> None:
    """Raise `ConfigError` where what is stated of clips is no number of frames, or does not go with the order of the axes."""
    for name in ("frames", "stride"):
        value = getattr(model, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ConfigError(f"{name} is a whole number of at least 1, or None; got {value!r}")
    if model.for_clips and model.layout == "bhwc":
        raise ConfigError("a network for clips has the layout 'bcthw', 'btchw' or 'bthwc', got 'bhwc'")
    if not model.for_clips and "t" in model.layout:
        raise ConfigError(
            f"layout {model.layout!r} is that of clips; say how many frames the network takes: seewhy.Model(..., frames=16)"
        )


def _check_depth(model: Model) -> None:
    """Raise `ConfigError` where what is stated of volumes does not hold together."""
    if not model.for_volumes:
        if "d" in model.layout or model.spacing is not None:
            raise ConfigError(
                "layout 'bcdhw' and spacing are those of networks for volumes; say how deep the input is: seewhy.Model(..., depth=32)"
            )
    elif isinstance(model.depth, bool) or not isinstance(model.depth, int) or model.depth < 1:
        raise ConfigError(f"depth is a whole number of at least 1, or None; got {model.depth!r}")
    elif model.for_clips or model.layout not in ("bchw", "bcdhw", "bdhwc"):
        raise ConfigError(
            f"a network for volumes has the layout 'bcdhw' or 'bdhwc' and no frames; got {model.layout!r}, frames {model.frames}"
        )
    checked_directions(model.orientation)
    if model.spacing is not None and (len(model.spacing) != 3 or min(model.spacing) <= 0):
        raise ConfigError(f"spacing is three numbers of millimetres above 0, got {model.spacing}")
    _check_window(model.window)


def _check_window(window: ScanWindow | None) -> None:
    if window is None or window in ("percentiles", "standard"):
        return
    if isinstance(window, str) or len(window) != 2 or not window[1] > 0:
        raise ConfigError(
            f"window is (center, width) with a width above 0, 'percentiles', 'standard' or None; got {window!r}"
        )


def per_channel(value: float | Sequence[float]) -> tuple[float, ...]:
    """Return one number or several as a tuple."""
    return (float(value),) if isinstance(value, (int, float)) else tuple(float(v) for v in value)


def _picked(output: Any, where: Picker) -> Tensor:
    try:
        found = where(output) if callable(where) else output[where]
    except (KeyError, IndexError, TypeError) as error:
        raise ModelError(f"output={where!r} is not in what the network returned ({_describe(output)})") from error
    if not isinstance(found, Tensor):
        raise ModelError(f"output={where!r} gives {type(found).__name__}; a tensor was wanted")
    return found


def _first_tensor(output: Any) -> Tensor | None:
    """Find the answer: a tensor itself, `logits` of a mapping, the only tensor of a mapping, the first of a sequence."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        named = [output[key] for key in ("logits", "out", "output") if isinstance(output.get(key), Tensor)]
        tensors = [value for value in output.values() if isinstance(value, Tensor)]
        return named[0] if named else tensors[0] if len(tensors) == 1 else None
    if isinstance(output, (tuple, list)) and output and isinstance(output[0], Tensor):
        return output[0]
    logits = getattr(output, "logits", None)
    return logits if isinstance(logits, Tensor) else None


def _describe(output: Any) -> str:
    """Say in words what a forward returned."""
    if isinstance(output, Mapping):
        return f"{type(output).__name__} with {', '.join(map(repr, output))}"
    if isinstance(output, (tuple, list)):
        return f"{type(output).__name__} of {', '.join(type(item).__name__ for item in output[:4]) or 'nothing'}"
    return type(output).__name__


def laid_out(inputs: Float[Tensor, "b c *spatial"], layout: Layout) -> Tensor:
    """Return inputs in the order of axes that the network takes."""
    if layout == "btchw":
        return inputs.transpose(1, 2)
    return inputs if layout in ("bchw", "bcthw", "bcdhw") else inputs.movedim(1, -1)
