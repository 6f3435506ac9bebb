"""What can be asked of a network: every target gives one number per image.

ClassScore("tabby")                 the logit (or probability) of a class; the predicted one without a name
top(5)                              the five most likely classes, one target each
Margin()                            how far the predicted class is ahead of the next
Contrast("tabby", "tiger cat")      why this class and not that one
Label("pneumonia")                  one label of several that may hold at once
FoundLabels(0.5)                    every label whose probability reaches its operating point
Regression()                        a number that the network puts out
Channel(layer, index), Neuron(layer, index, position)
Direction(layer, vector)            a direction among the channels of a layer
Likeness(layer, features)           how strongly a layer repeats what it gave on a photo
Distance(layer, features)           how far a layer is from what it gave on a photo
Box(2), Box("person")               an object that a detector found
MissedObject(box, "person")         an object that it did not find
Region("person")                    a class of a segmenter over a region: predicted, given, missed, one piece, its border
Instance(0)                         an instance that was found with its mask
MapMean((x, y, w, h))               the mean of a map of numbers (depth, flow) over a region
Keypoint(3)                         a joint or landmark
FrameClass("run", 12)               a class at one frame, where a network answers frame by frame
Expectation(), Near(2.0)            the expected value of ordered classes; why a number is what it is
Similarity(vector), Triplet(a, b)   how near an embedding lies to others
Prompts(("a dog", "a cat"))         how well a picture fits a text
Custom(function)                    anything else
"""

from seewhy.targets.boxes import Box, MissedObject
from seewhy.targets.classes import ClassScore, Contrast, Margin, Rank, top
from seewhy.targets.custom import Custom, as_target
from seewhy.targets.features import Direction, Distance, Likeness
from seewhy.targets.frames import FrameClass
from seewhy.targets.inside import Channel, Neuron
from seewhy.targets.instances import Instance
from seewhy.targets.keypoints import Keypoint
from seewhy.targets.labels import FoundLabels
from seewhy.targets.maps import MapMean
from seewhy.targets.masks import Region
from seewhy.targets.prompts import Prompts
from seewhy.targets.similarity import Similarity, Triplet
from seewhy.targets.values import Expectation, Label, Near, Regression

__all__ = [
    "Box",
    "Channel",
    "ClassScore",
    "Contrast",
    "Custom",
    "Direction",
    "Distance",
    "Expectation",
    "FoundLabels",
    "FrameClass",
    "Instance",
    "Keypoint",
    "Label",
    "Likeness",
    "MapMean",
    "Margin",
    "MissedObject",
    "Near",
    "Neuron",
    "Prompts",
    "Rank",
    "Region",
    "Regression",
    "Similarity",
    "Triplet",
    "as_target",
    "top",
]
