"""What a method sees of the network: a few images, and questions about them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from seewhy.core.attention import AttentionTrace, Pool
from seewhy.core.needs import Needs
from seewhy.core.rules import Propagation, Rules
from seewhy.core.swap import Swap
from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Trace
from seewhy.core.values import Array


class Probe(ABC):
    """A block of images, one target and the network behind them; lives for one call.

    Whatever a method asks is counted, cut into batches that fit and run on a private twin of the network.
    """

    @property
    @abstractmethod
    def inputs(self) -> Float[Tensor, "b c *spatial"]:
        """The images, as the network takes them."""

    @property
    @abstractmethod
    def bound(self) -> BoundTarget:
        """The target, bound on these images."""

    @abstractmethod
    def trace(self) -> Trace:
        """Return the pass over the images themselves, made once for all that ask."""

    @abstractmethod
    def score(self) -> Float[Tensor, " b"]:
        """Return the target's value on the images themselves; no backward is made."""

    @abstractmethod
    def traces(self, variants: Iterable[Float[Tensor, "b c *spatial"]], needs: Needs) -> Iterator[Trace]:
        """Yield one trace for each variant of the images; variants are taken ahead, a micro-batch at a time."""

    @abstractmethod
    def gradients(self, variants: Iterable[Float[Tensor, "b c *spatial"]]) -> Iterator[Float[Tensor, "b c *spatial"]]:
        """Yield the gradient of the score at the input, for each variant of the images."""

    @abstractmethod
    def scores(self, variants: Iterable[Float[Tensor, "b c *spatial"]]) -> Iterator[Float[Tensor, " b"]]:
        """Yield the scores of each variant of the images; no gradient is made."""

    def masked(
        self, masks: Iterable[Float[Tensor, "#b *spatial"]], fill: Float[Tensor, "b c *spatial"]
    ) -> Iterator[Float[Tensor, " b"]]:
        """Yield the scores of the images seen through each mask: where it is 1 the image, where it is 0 the fill."""
        return self.scores(torch.lerp(fill, self.inputs, mask[:, None].to(self.inputs)) for mask in masks)

    @abstractmethod
    def windows(
        self, corners: Iterable[tuple[int, ...]], size: tuple[int, ...], fill: Float[Tensor, "b c *spatial"]
    ) -> Iterator[Float[Tensor, " b"]]:
        """Yield the scores of the images with one window each time replaced by the fill.

        Only what a window touches is computed again where the network allows it, exactly; else the whole network runs.

        Args:
            corners: the first cell of each window, per axis; a window ends at the border of the image.
            size: of the windows, per axis.
            fill: what stands in the window.
        """

    @abstractmethod
    def replayed(self, layer: str, variants: Iterable[Float[Tensor, "b c *spatial"]]) -> Iterator[Float[Tensor, " b"]]:
        """Yield the scores where a layer gives each variant on its grid instead of its own output.

        Only what comes after the layer runs where the network can be cut there, which is checked; else the whole network. Tokens
        without a place (class, registers) stay as they are. Variants are computed from `trace().activation[layer]`.
        """

    @abstractmethod
    def answers(self, layer: str, variants: Iterable[Float[Tensor, "b c *spatial"]]) -> Iterator[Float[Tensor, "b k"]]:
        """Yield the network's answers, as `replayed` yields scores; a layer without a grid gives variants in its own layout."""

    @abstractmethod
    def swapped(self, swaps: Iterable[Mapping[str, Swap]]) -> Iterator[Float[Tensor, "b k"]]:
        """Yield the network's answers where layers hand on something else in the place of a part of what they make, time after time.

        Only what comes after the first of the layers runs where the network can be cut there, which is checked; else the whole network.

        Args:
            swaps: by layer ("encoder:in" is what a layer is given), in the order in which the layers run; nothing is swapped where there is
                none. They are taken ahead, a pack at a time. Each layer must be among the needs, and "layer:in" beside it, where a swap
                hands on what the layer was given.
        """

    @abstractmethod
    def with_tokens(self, layer: str, kept: Iterable[Int[Tensor, "#b k"]]) -> Iterator[Float[Tensor, " b"]]:
        """Yield the scores where a layer hands on only some of its patch tokens; class and register tokens always stay.

        Args:
            layer: a layer that puts out tokens, such as the embeddings of a vision transformer.
            kept: positions on the layer's grid, counted row by row.

        Raises:
            MethodError: the layer puts out no tokens, or what follows wants all of them.
        """

    @abstractmethod
    def propagated(
        self, rules: Rules, needs: Needs, beside: Float[Tensor, "b c *spatial"] | None = None
    ) -> Propagation:
        """Make one pass over the images, and go back through it under rules.

        Args:
            rules: what is put in the place of which operation.
            needs: where activations and the rules' gradients are wanted.
            beside: images that run in the same pass, behind the images themselves (rows b to 2b), for rules that compare the two.

        Raises:
            MethodError: the rules do not fit what was met.
        """

    @abstractmethod
    def attention(self, *, gradients: bool = False, layerwise: Pool | None = None) -> tuple[AttentionTrace, ...]:
        """Return the attention weights of each layer of a transformer, from one pass over the images, first layer first.

        Args:
            gradients: also the derivative of the score at the weights.
            layerwise: also, for each layer, the derivative at its weights of the score that the network's head gives to that layer's own
                output: to its tokens as they are ("head"), or to the mean of all in the place of each ("mean").

        Raises:
            MethodError: the network has no self-attention over places of the picture.
        """

    @abstractmethod
    def between(self, layer: str, start: Trace, end: Trace, places: Iterable[float]) -> Iterator[Trace]:
        """Yield one trace for each place on the line between what a layer gave in two traces, 0 at the start and 1 at the end.

        The layer gives that point on instead of its own output; the trace has its activation and gradient there. Branches that
        do not pass through the layer see the images themselves.
        """

    @abstractmethod
    def one_by_one(self) -> Iterator["Probe"]:
        """Yield a probe for each image alone, for methods whose questions differ from image to image.

        Such a probe answers about scores and activations, not about gradients of the shared pass.
        """

    @abstractmethod
    def toward(self, target: Target) -> "Probe":
        """Return a probe of the same images for another target; it shares the forward pass."""

    @abstractmethod
    def stand_in(self, kind: str | Array) -> Float[Tensor, "b c *spatial"]:
        """Return images that stand for "nothing": "black", "white", "zero", "mean", "blur" or "noise", or one given image (c, *spatial)."""

    @abstractmethod
    def constants(self, layers: Iterable[str]) -> Iterator[Tensor]:
        """Yield, for each layer, the constant that it adds in the pass over the images themselves: bias, shift or ceiling.

        The layers are among those whose gradients the method needs; the constant broadcasts to that gradient.
        """

    @abstractmethod
    def generator(self) -> Generator:
        """Return a fresh random generator on the CPU, seeded by the session.

        Draw shapes of one image and let them broadcast: that keeps the law that a batch of n gives what n batches of 1 give.
        """
