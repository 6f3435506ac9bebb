"""Ask a vision model why: heatmaps that say how far to trust them.

    import seewhy

    explanation = seewhy.explain("photo.jpg")               # the built-in network, its predicted class, Grad-CAM
    explanation.overlay().save("why.png")

    with seewhy.Session(seewhy.Model(network, size=224, mean=..., std=..., labels=...)) as session:
        cam, gradient = session.explain(pictures, target="tabby", methods=["grad-cam", "integrated-gradients"])

Names are loaded when they are first used: `import seewhy` alone loads neither torch nor any optional package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seewhy.errors import (
    ConfigError,
    DataError,
    GradientError,
    LayerError,
    MethodError,
    MissingExtra,
    ModelError,
    SeewhyError,
    ShapeError,
    TargetError,
)
from seewhy.version import __version__

if TYPE_CHECKING:
    from seewhy import targets
    from seewhy.adapters.load import load_model
    from seewhy.api import Session, explain, load, method, methods
    from seewhy.api.activating import activations
    from seewhy.api.concept_mapping import concept_map
    from seewhy.api.discovering import discover
    from seewhy.api.distilling import distill
    from seewhy.api.examining import examine
    from seewhy.api.examining_clips import examine_clip
    from seewhy.api.examining_scans import examine_scan
    from seewhy.api.labels import labels_above
    from seewhy.api.localizing import local
    from seewhy.api.objects import objects
    from seewhy.api.pairing import similarity
    from seewhy.api.probing import tcav
    from seewhy.api.searching import examples
    from seewhy.api.surveying import atlas
    from seewhy.api.timing import time_tests, timeline
    from seewhy.api.units import unit
    from seewhy.api.visualizing import accentuate, caricature, invert, visualize
    from seewhy.api.weighing import importance
    from seewhy.core.clip import Clip
    from seewhy.core.cost import Cost
    from seewhy.core.explanation import Explanation
    from seewhy.core.method import Method
    from seewhy.core.sample import Sample
    from seewhy.core.target import Target
    from seewhy.core.volume import Volume
    from seewhy.data.clips import read_clip
    from seewhy.data.medical import read_scan
    from seewhy.engine.black_box import BlackBox
    from seewhy.engine.model import Model
    from seewhy.render.movie import write_movie
    from seewhy.surrogates.student_file import load_student

_HOMES = {
    "atlas": "seewhy.api.surveying",
    "BlackBox": "seewhy.engine.black_box",
    "Clip": "seewhy.core.clip",
    "Cost": "seewhy.core.cost",
    "Explanation": "seewhy.api",
    "Method": "seewhy.core.method",
    "Model": "seewhy.engine.model",
    "Sample": "seewhy.core.sample",
    "Session": "seewhy.api",
    "Target": "seewhy.core.target",
    "accentuate": "seewhy.api.visualizing",
    "activations": "seewhy.api.activating",
    "caricature": "seewhy.api.visualizing",
    "concept_map": "seewhy.api.concept_mapping",
    "discover": "seewhy.api.discovering",
    "distill": "seewhy.api.distilling",
    "examine": "seewhy.api.examining",
    "examine_clip": "seewhy.api.examining_clips",
    "examples": "seewhy.api.searching",
    "explain": "seewhy.api",
    "importance": "seewhy.api.weighing",
    "invert": "seewhy.api.visualizing",
    "labels_above": "seewhy.api.labels",
    "load": "seewhy.api",
    "load_model": "seewhy.adapters.load",
    "local": "seewhy.api.localizing",
    "load_student": "seewhy.surrogates.student_file",
    "method": "seewhy.api",
    "methods": "seewhy.api",
    "objects": "seewhy.api.objects",
    "read_clip": "seewhy.data.clips",
    "similarity": "seewhy.api.pairing",
    "tcav": "seewhy.api.probing",
    "time_tests": "seewhy.api.timing",
    "timeline": "seewhy.api.timing",
    "unit": "seewhy.api.units",
    "visualize": "seewhy.api.visualizing",
    "write_movie": "seewhy.render.movie",
    "read_scan": "seewhy.data.medical",
    "examine_scan": "seewhy.api.examining_scans",
    "Volume": "seewhy.core.volume",
}

__all__ = [
    "BlackBox",
    "Clip",
    "ConfigError",
    "Cost",
    "DataError",
    "Explanation",
    "GradientError",
    "LayerError",
    "Method",
    "MethodError",
    "MissingExtra",
    "Model",
    "ModelError",
    "Sample",
    "SeewhyError",
    "Session",
    "ShapeError",
    "Target",
    "TargetError",
    "Volume",
    "__version__",
    "accentuate",
    "activations",
    "atlas",
    "caricature",
    "concept_map",
    "discover",
    "distill",
    "examine",
    "examine_clip",
    "examine_scan",
    "examples",
    "explain",
    "importance",
    "invert",
    "labels_above",
    "load",
    "load_model",
    "load_student",
    "local",
    "method",
    "methods",
    "objects",
    "read_clip",
    "read_scan",
    "similarity",
    "targets",
    "tcav",
    "time_tests",
    "timeline",
    "unit",
    "visualize",
    "write_movie",
]


def __getattr__(name: str) -> Any:
    if name == "targets":
        return import_module("seewhy.targets")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'seewhy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
