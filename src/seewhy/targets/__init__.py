"""What can be asked of a network: every target gives one number per image.

ClassScore("tabby")                 the logit (or probability) of a class; the predicted one without a name
top(5)                              the five most likely classes, one target each
Margin()                            how far the predicted class is ahead of the next
Contrast("tabby", "tiger cat")      why this class and not that one
Label("pneumonia")                  one label of several that may hold at once
Regression()                        a number that the network puts out
Channel(layer, index), Neuron(layer, index, position)
Direction(layer, vector)            a direction among the channels of a layer
Likeness(layer, features)           how strongly a layer repeats what it gave on a photo
Distance(layer, features)           how far a layer is from what it gave on a photo
Box(2), Box("person")               an object that a detector found
MissedObject(box, "person")         an object that it did not find
Custom(function)                    anything else
"""

from seewhy.targets.boxes import Box, MissedObject
from seewhy.targets.classes import ClassScore, Contrast, Margin, Rank, top
from seewhy.targets.custom import Custom, as_target
from seewhy.targets.features import Direction, Distance, Likeness
from seewhy.targets.inside import Channel, Neuron
from seewhy.targets.values import Label, Regression

__all__ = [
    "Box",
    "Channel",
    "ClassScore",
    "Contrast",
    "Custom",
    "Direction",
    "Distance",
    "Label",
    "Likeness",
    "Margin",
    "MissedObject",
    "Neuron",
    "Rank",
    "Regression",
    "as_target",
    "top",
]
