"""What the packets of a video file tell without being decoded, and the time of each decoded frame."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seewhy.errors import DataError


@dataclass(frozen=True)
class Walk:
    """What the packets of a file tell, and its header.

    Attributes:
        times: when frames are shown, in seconds from the first one.
        stated: frames that the header promises; 0 where it does not say.
        rate: frames per second that the header states.
        codec, pixel: as in `VideoFacts`.
        cut: what is said where the end seems to be missing.
        lasting: seconds for which the last frame is shown; 0 where it does not say.
        ticks: the times in the container's own units; () where they do not tell frames apart, so that none can be found by its time.
        keys: those of frames from which decoding can begin.
        unit: seconds of a tick.
    """

    times: tuple[float, ...]
    stated: int
    rate: float
    codec: str
    pixel: float
    cut: str
    lasting: float
    ticks: tuple[int, ...]
    keys: tuple[int, ...]
    unit: float


def walked(container: Any, stream: Any, packets: Iterator[Any], path: Path) -> Walk:
    """Return what the packets of a stream tell, without decoding any."""
    by_order = by_order_of(container)
    ticks, blank, keys, lasting = _listed(packets, stream.codec_context.name, by_order)
    if not ticks:
        raise DataError(f"{path}: there are no frames in it; it is empty or cut short")
    rate = rate_of(stream)
    step = 1 / (rate * stream.time_base)
    known = sorted(tick for tick in ticks if tick is not None)
    told_apart = not by_order and len(set(known)) == len(ticks)
    known += [round((known[-1] if known else 0) + step * (extra + 1)) for extra in range(len(ticks) - len(known))]
    if blank[:1] == [1] and known[1:2] == [known[0] + 2]:
        known[0] += 1  # a stream of which packets hold two frames begins with a chunk that holds none
    times = tuple(float((tick - known[0]) * stream.time_base) for tick in known)
    pixel = stream.codec_context.sample_aspect_ratio
    stated = max(0, stream.frames - len(blank))
    if by_order and known[-1] + 1 > 2 * len(known):  # most chunks are empty, and the header counts those too
        stated = round(len(known) * stream.frames / (known[-1] + 1))
    return Walk(
        times=times,
        stated=stated,
        rate=rate,
        codec=stream.codec_context.name,
        pixel=float(pixel) if pixel else 1.0,
        cut=_cut(container, stream, (times[-1], float(known[-1] * stream.time_base)), rate),
        lasting=float(lasting * stream.time_base),
        ticks=tuple(known) if told_apart else (),
        keys=tuple(sorted(keys)),
        unit=float(stream.time_base),
    )


def _listed(packets: Iterator[Any], codec: str, by_order: int) -> tuple[list[int | None], list[int], list[int], int]:
    """Return the tick of each frame, the places of chunks that hold none, the ticks of key frames, and how long the last frame lasts."""
    ticks: list[int | None] = []
    blank: list[int] = []
    keys: list[int] = []
    lasting = 0
    for packet in packets:
        if packet is None or not packet.size or packet.is_discard or _hidden(packet, codec):
            continue
        if packet.size == by_order:
            blank.append(len(ticks))
        else:
            ticks.append(packet.dts if by_order or packet.pts is None else packet.pts)
            lasting = packet.duration or 0
            if packet.is_keyframe and packet.pts is not None:
                keys.append(packet.pts)
    return ticks, blank, keys, lasting


def _hidden(packet: Any, codec: str) -> bool:
    """Say whether a packet of VP8 holds a frame that is never shown (RFC 6386, 9.1: the fourth bit of the first byte)."""
    return codec == "vp8" and not bytes(packet)[0] & 0x10


def by_order_of(container: Any) -> int:
    """Say (1 or 0) whether a container has no times of its own, so that frames are shown in the order of its chunks; one of one byte shows nothing new."""
    return int(container.format.name == "avi")


def rate_of(stream: Any) -> float:
    """Return frames per second as the header says; 25 where it says nothing that can be."""
    for stated in (stream.average_rate, stream.guessed_rate):
        if stated and 0 < stated <= 1000:
            return float(stated)
    return 25.0


def _cut(container: Any, stream: Any, last: tuple[float, float], rate: float) -> str:
    """Say where frames end well before the length that the header states; empty where they do not.

    `last` is when the last frame comes, from the first one and from zero: containers count in the one way or the other.
    """
    if stream.duration:
        stated = float(stream.duration * stream.time_base)
    elif container.duration and len(container.streams) == 1:
        stated = container.duration / 1_000_000
    else:
        return ""
    if stated - max(last) <= max(0.5, 3 / rate):
        return ""
    return f"frames end at {last[0]:.1f} of {stated:.1f} seconds that the header states; it may be cut short"


class Clock:
    """Gives each decoded frame its time, in seconds from the first one; times always grow."""

    def __init__(self, stream: Any, by_order: int) -> None:
        self._unit, self._by_order = float(stream.time_base), by_order
        self._step = max(1, round(1 / (rate_of(stream) * self._unit)))
        self._first: int | None = None
        self._last: int | None = None

    def seconds(self, frame: Any) -> float:
        """Return when a frame is shown."""
        stamps = (frame.dts, frame.pts) if self._by_order else (frame.pts, frame.dts)
        tick = next((stamp for stamp in stamps if stamp is not None), None)
        if self._last is not None and (tick is None or tick <= self._last):
            tick = self._last + self._step
        self._last = tick or 0
        self._first = self._last if self._first is None else self._first
        return (self._last - self._first) * self._unit
