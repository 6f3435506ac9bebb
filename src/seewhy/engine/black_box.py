"""A network that only answers: any function from NumPy arrays to scores, without layers and without gradients."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from seewhy.errors import ConfigError, LayerError, ModelError

Precision = Literal["float32", "float16", "float64"]
Answer = Callable[[np.ndarray], Any]


class BlackBox(nn.Module):
    """Wraps a function, so that it is explained as a network is, by methods that ask for answers only.

    Args:
        answer: takes an array of images, prepared as the `Model` around it states (b, c, h, w, or b, h, w, c), and returns scores (b, k)
            as an array, a list or a tensor. Of several outputs (a tuple, or a mapping by name) the `Model` says which is meant; a detector
            may give a list with a mapping for each image, whose arrays have any length. The
            array is the function's own: it may write to it.
        rows: how many images it takes at once, where it takes only that many; the last ones are filled up. None is any number.
        precision: of the array.

    Attributes:
        stated_in: the file in which people state how pictures are prepared; empty where there is none.

    Raises:
        ConfigError: no function, or a setting that does not exist.

    Limits: the same images must get the same answer each time; a function that draws random numbers gets maps with its noise in them.

    Example:
        >>> model = seewhy.Model(seewhy.BlackBox(predict, rows=1), size=224, mean=0, std=1)
    """

    def __init__(self, answer: Answer, *, rows: int | None = None, precision: Precision = "float32") -> None:
        super().__init__()
        if not callable(answer) or isinstance(answer, (type, nn.Module)):
            raise ConfigError(
                f"a black box is a function from an array of images to scores, got {_named(answer)}; a torch.nn.Module goes to seewhy.Model as it is"
            )
        if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int) or rows < 1):
            raise ConfigError(f"rows is how many images the black box takes at once, at least 1; got {rows!r}")
        if precision not in get_args(Precision):
            raise ConfigError(f"precision is one of {', '.join(get_args(Precision))}, got {precision!r}")
        self.answer, self.rows, self.precision = answer, rows, precision
        self.stated_in = ""
        self.register_buffer("kind", torch.zeros((), dtype=getattr(torch, precision)), persistent=False)
        self.eval()

    def __deepcopy__(self, memo: dict[int, object]) -> "BlackBox":
        """Return a black box around the same function: it holds nothing that a pass changes, and often cannot be copied."""
        return BlackBox(self.answer, rows=self.rows, precision=self.precision)

    def forward(self, inputs: Float[Tensor, "b *axes"]) -> Any:
        """Return the function's answer: a tensor, or a tuple or mapping of them."""
        images = inputs.detach().cpu().numpy()
        size = self.rows or len(images)
        parts = [self._answered(images[start : start + size]) for start in range(0, len(images), size)]
        if _image_by_image(parts[0]):
            return [{name: value.to(inputs.device) for name, value in one.items()} for part in parts for one in part]
        return _each(lambda *tensors: torch.cat(tensors).to(inputs.device), *parts)

    def _answered(self, images: np.ndarray) -> Any:
        """Ask about as many images as the function takes at once, or fewer."""
        given, missing = len(images), (self.rows or 0) - len(images)
        filled = np.concatenate([images, np.repeat(images[-1:], missing, axis=0)]) if missing > 0 else images
        made = self.answer(np.array(filled, dtype=self.precision, order="C"))
        if _image_by_image(made):
            if len(made) != len(filled):
                raise ModelError(
                    f"the black box gave {len(made)} mappings for {len(filled)} images; one for each is needed"
                )
            return [{name: _tensor(value) for name, value in one.items()} for one in made[:given]]
        return _each(lambda answer: self._checked(answer, len(filled))[:given], made)

    def _checked(self, answer: Any, rows: int) -> Tensor:
        """Return an answer as a tensor in the precision of the images, at least float32; integers stay, and are refused by the engine."""
        tensor = _tensor(answer)
        if tensor.dim() == 0 or len(tensor) != rows:
            raise ModelError(
                f"the black box gave an answer of shape {tuple(tensor.shape)} for {rows} images; one row per image is needed"
            )
        if not tensor.is_floating_point():
            return tensor
        if tensor.isnan().any():
            bad = tensor.flatten(1).isnan().any(dim=1).nonzero()[:, 0].tolist()
            raise ModelError(f"the black box answers NaN for image {', '.join(map(str, bad))} of {rows}")
        return tensor.to(torch.float64 if self.precision == "float64" else torch.float32)


def is_black_box(network: nn.Module) -> bool:
    """Say whether a network, or a part of it, only answers."""
    return any(isinstance(part, BlackBox) for part in network.modules())


def refuse_black_box(network: nn.Module, title: str) -> None:
    """Raise `LayerError` where layers are asked of a network that only answers."""
    if is_black_box(network):
        raise LayerError(f"{title} is a black box: it answers, and has no layers to look at")


def _image_by_image(answer: Any) -> bool:
    """Say whether an answer is a list with a mapping for each image, as that of a detector."""
    return isinstance(answer, (list, tuple)) and bool(answer) and all(isinstance(one, Mapping) for one in answer)


def _each(change: Callable[..., Tensor], *answers: Any) -> Any:
    """Change an answer, or each of several outputs; the answers have one structure."""
    first = answers[0]
    if isinstance(first, Mapping):
        return {key: change(*(answer[key] for answer in answers)) for key in first}
    if isinstance(first, (tuple, list)) and any(getattr(item, "ndim", 0) >= 2 for item in first):
        return tuple(change(*items) for items in zip(*answers, strict=True))
    return change(*answers)


def _tensor(answer: Any) -> Tensor:
    if isinstance(answer, Tensor):
        return answer.detach().cpu()
    try:
        array = np.asarray(answer)
        return torch.from_numpy(np.array(array, order="C"))
    except (ValueError, TypeError) as error:
        raise ModelError(
            f"the black box gave {_named(answer)}; scores (b, k) as an array, a list or a tensor are wanted"
        ) from error


def _named(thing: Any) -> str:
    kind = type(thing).__name__
    return f"the class {thing.__name__}" if isinstance(thing, type) else kind
