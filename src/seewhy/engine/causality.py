"""What a network remembers from frame to frame, and whether it sees ahead."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from seewhy.engine.network import Network
from seewhy.engine.recording import first_of
from seewhy.ops.frames import even


@dataclass(frozen=True)
class Memory:
    """What was measured of a network and a clip by changing its first and its last frame.

    Attributes:
        carries: layers that give something for each frame which depends on an earlier one.
        foresees: those of them that also depend on a later one.
    """

    carries: tuple[str, ...]
    foresees: tuple[str, ...]

    @property
    def causal(self) -> bool:
        """Whether the network has a memory, and none that sees ahead."""
        return bool(self.carries) and not self.foresees


def memory_of(network: Network, clip: Float[Tensor, "c t h w"]) -> Memory:
    """Measure which layers carry something from frame to frame; six passes, which are counted as none.

    Looked at are recurrent layers, and whatever runs just once for each frame. A layer carries if another first frame changes what it gives for
    a later one, and foresees if another last frame changes what it gives for an earlier one: in this clip, or in one of an even colour, as a
    memory may be full of what this clip shows.
    """
    found = [_moved(network, base, clip) for base in (clip, even(clip))]
    carries, foresees = ({name for one in found for name in one[kind]} for kind in (0, 1))
    names = [name for name, _ in network.module.named_modules()]
    return Memory(tuple(n for n in names if n in carries), tuple(n for n in names if n in carries & foresees))


def _moved(
    network: Network, base: Float[Tensor, "c t h w"], clip: Float[Tensor, "c t h w"]
) -> tuple[list[str], list[str]]:
    """Return the layers that another first frame changes at later ones, and those that another last frame changes at earlier ones."""
    first, last = base.clone(), base.clone()
    first[:, 0], last[:, -1] = _other(clip, 0), _other(clip, -1)
    before, begun, ended = (_steps(network, one) for one in (base, first, last))
    shared = [name for name in before if name in begun and name in ended]
    return (
        [name for name in shared if _differ(before[name][1:], begun[name][1:])],
        [name for name in shared if _differ(before[name][:-1], ended[name][:-1])],
    )


def _other(clip: Float[Tensor, "c t h w"], frame: int) -> Float[Tensor, "c h w"]:
    """Return a frame as different from one of the clip's as its pixels allow: dark where it is bright, in coarse patches."""
    low, high = clip.amin(), clip.amax()
    coarse = torch.rand(1, 1, 4, 4, generator=torch.Generator().manual_seed(0)).to(clip)
    patches = low + (high - low) * interpolate(coarse, clip.shape[2:], mode="nearest")[0]
    return (low + high - clip[:, frame] + patches) / 2


def _differ(one: list[Tensor], other: list[Tensor]) -> bool:
    """Say whether two lists of tensors differ by more than rounding."""
    scale = max(float(step.abs().max()) for step in (*one, *other))
    return any(float((a - b).abs().max()) > 1e-5 * scale for a, b in zip(one, other, strict=True))


def _steps(network: Network, clip: Float[Tensor, "c t h w"]) -> dict[str, list[Tensor]]:
    """Return what each layer gives for each frame, of those that give something for each."""
    frames = clip.shape[1]
    with _calls(network.module) as calls, torch.no_grad():
        network.watched(clip[None], nullcontext())
    found = {name: made for name, made in calls.items() if len(made) == frames}
    for name, made in calls.items():
        layer = network.module.get_submodule(name)
        if isinstance(layer, nn.RNNBase) and len(made) == 1 and made[0].dim() == 3:
            axis = 1 if layer.batch_first else 0
            if made[0].shape[axis] == frames:
                found[name] = list(made[0].unbind(axis))
    return found


@contextmanager
def _calls(module: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """Keep what each layer gives, call by call, while the block runs."""
    calls: dict[str, list[Tensor]] = {}

    def keep(name: str, output: object) -> None:
        tensor = first_of(output)
        if tensor is not None and tensor.is_floating_point():
            calls.setdefault(name, []).append(tensor.detach().clone())

    with ExitStack() as stack:
        for name, layer in module.named_modules():
            if name:
                handle = layer.register_forward_hook(lambda _, __, output, name=name: keep(name, output))
                stack.callback(handle.remove)
        yield calls
