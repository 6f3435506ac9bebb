"""Which targets fit an answer, by its shape: what is said where another kind was asked."""

from collections.abc import Sequence

_BY_AXES = {
    1: "seewhy.targets.Regression() or more:0 (a number)",
    2: "a class by name or index; label:NAME (one of several labels); more:0 or less:0 (a number); prompt:TEXT|TEXT (a network with a text side)",
    3: "frame:NAME@12 (a class at one frame), depth:X,Y,W,H (a map's mean over a rectangle), keypoint:3, box:0 (a detector)",
    4: "region:NAME (a class of a segmenter), keypoint:3 (a heat map), depth:X,Y,W,H (a map's mean over a rectangle)",
    5: "seewhy.targets.Region(NAME) (a class of a segmenter)",
}


def fitting(shape: Sequence[int]) -> str:
    """Return a sentence on which targets fit an answer of this shape."""
    fits = _BY_AXES.get(len(shape))
    custom = "seewhy.targets.Custom(function) for anything else"
    return f"what fits an answer of {len(shape)} axes: {fits}; {custom}" if fits else custom


def shape_words(shape: Sequence[int]) -> str:
    """Return a shape as people write it."""
    return str(tuple(int(n) for n in shape))
