"""What a method sees of the network: a few images, and questions about them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.core.needs import Needs
from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Trace


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

    @abstractmethod
    def between(self, layer: str, start: Trace, end: Trace, places: Iterable[float]) -> Iterator[Trace]:
        """Yield one trace for each place on the line between what a layer gave in two traces, 0 at the start and 1 at the end.

        The layer gives that point on instead of its own output; the trace has its activation and gradient there. Branches that
        do not pass through the layer see the images themselves.
        """

    @abstractmethod
    def toward(self, target: Target) -> "Probe":
        """Return a probe of the same images for another target; it shares the forward pass."""

    @abstractmethod
    def stand_in(self, kind: str) -> Float[Tensor, "b c *spatial"]:
        """Return images that stand for "nothing": "black", "white", "zero", "mean", "blur" or "noise"."""

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
