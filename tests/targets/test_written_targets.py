"""Targets as the command line writes them."""

import pytest

from seewhy.errors import TargetError
from seewhy.targets import FrameClass, Instance, Keypoint, MapMean, Prompts, Region, as_target


@pytest.mark.parametrize(
    ("text", "kind", "fields"),
    [
        ("region:person", Region, {"index": "person", "cut": "whole", "component": None}),
        ("region:2", Region, {"index": 2}),
        ("region:person@120,80.5", Region, {"index": "person", "component": (120.0, 80.5)}),
        ("region:person#1", Region, {"index": "person", "component": 1}),
        ("region:border person", Region, {"index": "person", "cut": "border"}),
        ("instance:cat", Instance, {"which": "cat"}),
        ("keypoint:3", Keypoint, {"index": 3, "direction": None}),
        ("keypoint:left wrist@1,0", Keypoint, {"index": "left wrist", "direction": (1.0, 0.0)}),
        ("depth:10,20,30,40", MapMean, {"region": (10.0, 20.0, 30.0, 40.0), "sign": 1}),
        ("depth@10,20,30,40", MapMean, {"region": (10.0, 20.0, 30.0, 40.0), "channel": None}),
        ("near:1#10,20,30,40", MapMean, {"channel": 1, "sign": -1}),
        ("depth:", MapMean, {"region": None}),
        ("flow:1#1,2,3,4", MapMean, {"channel": 1, "region": (1.0, 2.0, 3.0, 4.0), "name": "flow"}),
        ("frame:run@12", FrameClass, {"index": "run", "at": 12}),
        ("frame:run@4-8", FrameClass, {"at": (4, 9)}),
        ("frame:run@onset", FrameClass, {"at": "onset"}),
        ("frame:run", FrameClass, {"at": "max"}),
        ("prompt:a dog|a cat", Prompts, {"names": ("a dog", "a cat"), "index": 0}),
        ("prompt:?a dog|a cat", Prompts, {"names": ("a dog", "a cat"), "index": None}),
    ],
)
def test_a_written_target(text, kind, fields):
    made = as_target(text)
    assert type(made) is kind
    assert {name: getattr(made, name) for name in fields} == fields


@pytest.mark.parametrize(
    "text", ["depth:1,2", "keypoint:", "region:person@5", "frame:run@x", "prompt:", "region:person#x"]
)
def test_what_is_not_understood_comes_with_an_example(text):
    with pytest.raises(TargetError, match=r"for instance|prompts are texts"):
        as_target(text)
