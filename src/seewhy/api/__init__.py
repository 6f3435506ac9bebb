"""What users call: pictures and names in, explanations out."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

import seewhy.attribution  # noqa: F401 (enters every method in the registry)
from seewhy.adapters.load import load_model
from seewhy.choice import AUTO_METHOD, choose
from seewhy.contributions.channels import ChannelContribution, Normalization, channel_contribution
from seewhy.core import registry
from seewhy.core.clip import Clip
from seewhy.core.explanation import Explanation
from seewhy.core.method import AUTO, Method
from seewhy.core.needs import at
from seewhy.core.rules import Coverage, NotCovered
from seewhy.core.sample import Sample
from seewhy.core.target import Target
from seewhy.data.opening import is_pictures
from seewhy.data.source import sample
from seewhy.engine import session as engine
from seewhy.engine.block import Question
from seewhy.engine.fast import FIDELITY, Profile
from seewhy.engine.model import Fit, Model
from seewhy.engine.probe import NetworkProbe
from seewhy.errors import ConfigError, ModelError, ShapeError
from seewhy.targets import as_target

Source = str | Path | Image.Image | np.ndarray | Tensor | Clip | Sequence[Image.Image]
ModelLike = Model | nn.Module | Callable[[np.ndarray], Any] | str | None
TargetLike = Target | int | str | Callable[[Tensor], Tensor] | None
MethodLike = Method | str

DEFAULT_MODEL = "efficientnet-lite0"
DEFAULT_METHOD = "grad-cam"


def methods() -> Mapping[str, type[Method]]:
    """Return every method by its key, those of plugins included; the class holds the facts about it."""
    registry.load_plugins()
    return registry.registered()


def method(key: str, **settings: Any) -> Method:
    """Return a method with its settings: `seewhy.method("grad-cam", layer="blocks.10")`.

    Raises:
        ConfigError: no such method or setting; the nearest names are offered.
    """
    if key not in registry.registered():
        registry.load_plugins()
    return registry.make(key, **settings)


def as_method(given: MethodLike) -> Method:
    """Return a method from its key, or a method as it is."""
    if isinstance(given, Method):
        return given
    if isinstance(given, str):
        return method(given)
    raise ConfigError(f"a method is a key such as 'grad-cam' or one of seewhy.method(...), got {type(given).__name__}")


def as_model(given: ModelLike) -> Model:
    """Return a model: None is the built-in one, a text is loaded, a bare network or function has no preprocessing stated."""
    if isinstance(given, Model):
        return given
    if callable(given) and not isinstance(given, type):
        return Model(given)  # type: ignore[arg-type]  # a function of arrays becomes a black box there
    if given is None or isinstance(given, str):
        return load_model(given or DEFAULT_MODEL)
    raise ModelError(
        f"a model is a seewhy.Model, a torch.nn.Module, a function of arrays or a name that seewhy.load_model takes, got {type(given).__name__}"
    )


class Session(engine.Session):
    """A session that also takes pictures, names and single things; see `seewhy.engine.session.Session`.

    Example:
        >>> with seewhy.Session("efficientnet-lite0") as session:
        ...     cam, gradients = session.explain("photo.jpg", target="tabby", methods=["grad-cam", "saliency"])
    """

    def __init__(
        self,
        model: ModelLike = None,
        *,
        device: torch.device | str | None = None,
        seed: int = 0,
        rows: int | None = None,
        profile: Profile = "exact",
        fidelity: float = FIDELITY,
        progress: engine.Progress | None = None,
    ) -> None:
        super().__init__(
            as_model(model), device=device, seed=seed, rows=rows, profile=profile, fidelity=fidelity, progress=progress
        )

    def explain(
        self,
        inputs: Tensor | Source | Sample | Sequence[Source | Sample],
        target: TargetLike | Sequence[TargetLike] = None,
        methods: MethodLike | Sequence[MethodLike] = DEFAULT_METHOD,
        *,
        fit: Fit | None = None,
    ) -> Any:
        """Explain images: one explanation, or a list per method, or per target and method, as asked.

        Args:
            inputs: a tensor (b, c, h, w) that is the network's input as it stands, already normalized; or pictures: a path, a
                PIL picture, a uint8 array, a prepared sample, or a list of them. For a network for clips: a tensor (b, c, t, h, w), or
                clips as `seewhy.explain` takes them, or a list of those; a list of nothing but pictures in memory is one clip.
            target: what is asked; None is the predicted class. A list gives one answer each; all share the forward pass.
            methods: one key or method, or a list; those that look at the same layer share the backward pass. "auto" chooses one for the
                network and says why in the notes.
            fit: how pictures are fitted; the model's own way if None.

        Returns:
            An `Explanation` of all images; a list of them for a list of methods; a list of that for a list of targets.
        """
        samples = self.samples(inputs, fit)
        targets = target if isinstance(target, (list, tuple)) else [target]
        given = [methods] if isinstance(methods, (str, Method)) else list(methods)
        if not targets or not given:
            raise ConfigError(
                "the list of " + ("targets" if not targets else "methods") + " is empty; name at least one"
            )
        chosen = choose(self, self._batch(samples)) if AUTO_METHOD in given else None
        asked = [chosen.method if chosen and one == AUTO_METHOD else as_method(one) for one in given]
        answers: Any = self.answer(samples, [as_target(one) for one in targets], asked)
        if chosen:
            place = given.index(AUTO_METHOD)
            for row in answers:
                row[place] = row[place].noting(chosen.note)
        if isinstance(methods, (str, Method)):
            answers = [row[0] for row in answers]
        return answers if isinstance(target, (list, tuple)) else answers[0]

    def channels(
        self,
        inputs: Tensor | Source | Sample | Sequence[Source | Sample],
        target: TargetLike = None,
        layer: str = AUTO,
        *,
        normalize: Normalization = "positions",
        fit: Fit | None = None,
    ) -> ChannelContribution:
        """Return what each channel of a layer adds to the score; see `seewhy.contributions.channels.channel_contribution`.

        Args:
            inputs: as in `explain`; all images go through the network at once.
            target: what is asked; None is the predicted class.
            layer: a layer with a grid; "auto" is the one that methods look at.
            normalize: "positions" divides by the number of positions, "magnitude" by the sum of magnitudes over the channels.
            fit: how pictures are fitted.

        Example:
            >>> session.channels("photo.jpg", "tabby").strongest(3)
            tensor([[112, 795, 977]])
        """
        batch = self._batch(self.samples(inputs, fit))
        layer = self.network.target_layer(batch) if layer == AUTO else layer
        asked = as_target(target)
        block = self.block(batch, at(layer) | asked.needs())
        return channel_contribution(NetworkProbe(Question(block, asked), at(layer)), layer, normalize)

    def coverage(
        self,
        inputs: Tensor | Source | Sample | Sequence[Source | Sample],
        method: MethodLike,
        target: TargetLike = None,
    ) -> Coverage:
        """Return which operations a method with backward rules meets in this network, and what it does with each.

        Also where the method refuses the network, which the report then explains.

        Raises:
            ConfigError: the method has no backward rules.

        Example:
            >>> print(session.coverage("photo.jpg", "lrp"))
            exact rule: convolution x 49, add x 9, ...
        """
        asked = as_method(method)
        try:
            found: Explanation = self.explain(inputs, target, asked)
        except NotCovered as error:
            return error.coverage
        if found.coverage is None:
            raise ConfigError(f"{asked.key} has no rules for the way back, so there is nothing to report")
        return found.coverage

    def _batch(self, samples: Sequence[Sample]) -> Float[Tensor, "b c *spatial"]:
        return self.network.accept(torch.stack([sample.inputs for sample in samples]))

    def samples(self, inputs: Any, fit: Fit | None = None) -> list[Sample]:
        """Return prepared samples of pictures, or of a tensor that is the network's input as it stands."""
        if isinstance(inputs, Tensor) and inputs.dim() >= 4:
            return [Sample(row, name=f"image {index}") for index, row in enumerate(self.network.accept(inputs))]
        if isinstance(inputs, Tensor) and inputs.is_floating_point():
            raise ShapeError(
                f"Session.explain takes a batch (b, c, h, w), already normalized; got {tuple(inputs.shape)}. For one image add an axis: tensor[None]"
            )
        one_clip = self.model.for_clips and is_pictures(inputs)
        several = inputs if isinstance(inputs, (list, tuple)) and not one_clip else [inputs]
        return [item if isinstance(item, Sample) else sample(item, self.model, fit) for item in several]


@overload
def explain(
    source: Source,
    model: ModelLike = ...,
    target: TargetLike = ...,
    method: MethodLike = ...,
    *,
    fit: Fit | None = ...,
    device: str | None = ...,
    seed: int = ...,
    profile: Profile = ...,
) -> Explanation: ...
@overload
def explain(
    source: Source,
    model: ModelLike = ...,
    target: TargetLike = ...,
    method: Sequence[MethodLike] = ...,
    *,
    fit: Fit | None = ...,
    device: str | None = ...,
    seed: int = ...,
    profile: Profile = ...,
) -> list[Explanation]: ...
def explain(
    source: Source,
    model: ModelLike = None,
    target: TargetLike = None,
    method: MethodLike | Sequence[MethodLike] = DEFAULT_METHOD,
    *,
    fit: Fit | None = None,
    device: str | None = None,
    seed: int = 0,
    profile: Profile = "exact",
) -> Explanation | list[Explanation]:
    """Explain one picture, or one clip: where is the evidence for this answer?

    Args:
        source: a path, a PIL picture, a uint8 array (h, w, 3), or a float tensor (3, h, w) with values from 0 to 1. For a network for
            clips: the path of a video, of an animation (GIF, WebP, APNG) or of a folder of numbered pictures, a uint8 array (t, h, w, 3), a
            float tensor (t, 3, h, w) with values from 0 to 1, a list of PIL pictures, or a clip from `seewhy.data.clips.read_clip`. Of
            these the model's `frames` are taken, spread evenly, or every `stride`-th from the beginning on.
        model: a `seewhy.Model`, or a name for `seewhy.load_model`; the built-in network if None.
        target: a class by name or index, a function, or one of `seewhy.targets`; the predicted class if None.
        method: a key such as "grad-cam", a method, or a list of them; "auto" chooses one for the network.
        fit: "crop", "pad" or "squash"; the model's own way if None.
        device: where to run; where the network is, if None.
        seed: of everything that is drawn at random.
        profile: "fast" pays off for methods with hundreds of passes: half precision, where the map stays the same; see `Session`.

    Returns:
        An `Explanation`, or a list of them where a list of methods was given.

    Raises:
        SeewhyError: the picture, the model, the target or the method does not fit; the message says what to do.

    Example:
        >>> seewhy.explain("photo.jpg").overlay().save("why.png")
        >>> seewhy.explain("clip.mp4", seewhy.Model(network, frames=16, layout="btchw", size=112, mean=0.5, std=0.5))
    """
    with Session(model, device=device, seed=seed, profile=profile) as session:
        answer: Explanation | list[Explanation] = session.explain(session.samples([source], fit), target, method)
        return answer


def load(path: str | Path) -> Explanation:
    """Read an explanation that `Explanation.save` wrote to an `.npz` file."""
    return Explanation.load(path)
