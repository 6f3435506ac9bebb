"""Video classifiers of transformers (VideoMAE, TimeSformer, ViViT, V-JEPA 2): how many frames they take, and how these are prepared."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from seewhy.errors import ModelError

COUNTS = ("num_frames", "frames_per_clip")
"""Names under which configs state how many frames a clip has."""

SETTINGS = "video_preprocessor_config.json"
"""The file in which a folder holds the settings of a video processor, where it has no image processor."""

SHARED = (
    "crop_size", "do_center_crop", "do_normalize", "do_rescale", "do_resize", "image_mean", "image_std", "resample", "rescale_factor", "size",
)  # fmt: skip
"""Settings that video processors share with the image processor of VideoMAE, which prepares frame by frame."""


def video_network(network: Any, place: str) -> tuple[nn.Module, Mapping[str, Any]]:
    """Return the network as it is, and what a `Model` of it states: frames and the order of axes that all of transformers have.

    Raises:
        ModelError: its config does not say how many frames it takes.
    """
    stated = (getattr(network.config, name, None) for name in COUNTS)
    frames = next((count for count in stated if isinstance(count, int) and count > 0), None)
    if frames is None:
        raise ModelError(
            f"hf:{place} does not say how many frames it takes ({', '.join(COUNTS)} in config.json); load it in a Python file, and state "
            "seewhy.Model(network, frames=16, layout='btchw', size=..., mean=..., std=...)"
        )
    return network, {"frames": frames, "layout": "btchw"}


def frame_processor(transformers: Any, place: str) -> Any | None:
    """Return what prepares the frames of a folder that has only the settings of a video processor, whose own code needs torchvision.

    None where the folder has an image processor, or neither.
    """
    folder = Path(place)
    if (folder / "preprocessor_config.json").is_file() or not (folder / SETTINGS).is_file():
        return None
    stated = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    return transformers.VideoMAEImageProcessorPil(
        **{name: stated[name] for name in SHARED if stated.get(name) is not None}
    )
