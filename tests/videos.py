"""Small videos whose frames say their own numbers, written by PyAV alone."""

from fractions import Fraction

import numpy as np

BITS, SIDE = 8, 16
HEIGHT, WIDTH = 3 * SIDE, BITS * SIDE
"""Size of a frame: its number stands in the middle row as white and black blocks."""

MARK = (200, 30, 60)
"""Colour of the block in the upper left corner, by which a turn shows."""


def numbered(number):
    """Return a frame (h, w, 3) that says its number."""
    frame = np.full((HEIGHT, WIDTH, 3), 90, dtype=np.uint8)
    for bit in range(BITS):
        frame[SIDE : 2 * SIDE, bit * SIDE : (bit + 1) * SIDE] = 235 if number >> bit & 1 else 20
    frame[:SIDE, :SIDE] = MARK
    return frame


def number_in(pixels):
    """Return the number that a frame says, at whatever size it is."""
    height, width = pixels.shape[:2]
    row = pixels[height // 2].mean(axis=-1)
    return sum(int(row[int((bit + 0.5) * width / BITS)] > 127) << bit for bit in range(BITS))


def write_video(
    path,
    count=20,
    *,
    ticks=None,
    codec="libx264",
    base=Fraction(1, 1000),
    rotation=None,
    frames=None,
    options=None,
    start=0,
    **more,
):
    """Write numbered frames that are shown at these ticks of `base` (every 40th by default); return the path."""
    import av

    ticks = range(0, 40 * count, 40) if ticks is None else ticks
    frames = [numbered(number) for number in range(count)] if frames is None else frames
    with av.open(str(path), "w", **more) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = stream.codec_context.codec.video_formats[0].name if codec != "libx264" else "yuv420p"
        stream.codec_context.time_base = base
        stream.codec_context.options = options or {}
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for pixels, tick in zip(frames, ticks, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = start + tick, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
