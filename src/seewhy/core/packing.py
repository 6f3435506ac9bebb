"""The file that holds an explanation: maps, sources, and everything else as JSON; nothing in it is executed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from seewhy.core.clip import Clip
from seewhy.core.sample import Geometry, Sample
from seewhy.core.volume import Placement, Turn, Volume, Window
from seewhy.errors import DataError

FORMAT = 4
"""Version of the file that is written."""


def packed(summary: Mapping[str, Any], heatmap: Tensor, error: Tensor | None, samples: Sequence[Sample]) -> bytes:
    """Return the bytes of the `.npz` file."""
    about = {**summary, "format": FORMAT, "sources": [_about(sample) for sample in samples]}
    arrays = {
        "about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
        "heatmap": heatmap.cpu().numpy(),
        "inputs": np.stack([sample.inputs.detach().float().cpu().numpy() for sample in samples]),
    }
    if error is not None:
        arrays["error"] = error.cpu().numpy()
    for index, sample in enumerate(samples):
        arrays |= {f"{name}{index}": values for name, values in _pixels(sample).items()}
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpacked(path: str | Path) -> tuple[dict[str, Any], Tensor, Tensor | None, tuple[Sample, ...]]:
    """Return what the file says, its maps, their standard errors where there are any, and the samples.

    Raises:
        DataError: no such file, another kind of file, or another version.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            if about.get("format") != FORMAT:
                raise DataError(f"{path}: written in format {about.get('format')}, this version reads {FORMAT}")
            heatmap = torch.from_numpy(arrays["heatmap"])
            error = torch.from_numpy(arrays["error"]) if "error" in arrays else None
            samples = tuple(_sample(arrays, about, index) for index in range(len(heatmap)))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except DataError:
        raise
    except (ValueError, KeyError, OSError, EOFError) as cause:
        raise DataError(f"{path}: not an explanation saved by seewhy ({cause})") from cause
    return about, heatmap, error, samples


def _about(sample: Sample) -> dict[str, Any]:
    """Return what is known of a source beside its pixels."""
    geometry, clip = sample.geometry, sample.clip
    return {
        "geometry": None if geometry is None else [list(geometry.source), list(geometry.window), list(geometry.size)],
        "clip": None if clip is None else {"seconds": clip.seconds, "numbers": clip.numbers, "rate": clip.rate},
        "volume": None if sample.volume is None else _about_volume(sample.volume),
        "placement": None if sample.placement is None else asdict(sample.placement),
        "notes": list(sample.notes),
    }


def _about_volume(volume: Volume) -> dict[str, Any]:
    return {
        "affine": volume.affine.tolist(),
        "window": None if volume.window is None else asdict(volume.window),
    } | {name: getattr(volume, name) for name in _SAID}


_SAID = ("unit", "kind", "name", "oriented", "measured", "inverted")


def _volume(values: np.ndarray, about: Mapping[str, Any]) -> Volume:
    window = None if about["window"] is None else Window(**about["window"])
    return Volume(values, np.array(about["affine"]), window=window, **{name: about[name] for name in _SAID})


def _placement(about: Mapping[str, Any]) -> Placement:
    (first, second, third), turn = (tuple(edges) for edges in about["window"]), about["turn"]
    return Placement(
        tuple(about["source"]),
        Turn(tuple(turn["axes"]), tuple(turn["flips"])),
        (first, second, third),
        tuple(about["size"]),
    )


def _pixels(sample: Sample) -> dict[str, np.ndarray]:
    """Return the pixels of a source."""
    found = {} if sample.picture is None else {"picture": np.asarray(sample.picture)}
    found |= {} if sample.clip is None else {"frames": sample.clip.frames}
    return found | ({} if sample.volume is None else {"voxels": np.ascontiguousarray(sample.volume.values)})


def _sample(arrays: Any, about: dict[str, Any], index: int) -> Sample:
    """Rebuild one sample."""
    source = about["sources"][index]
    geometry, clip = source["geometry"], source["clip"]
    return Sample(
        inputs=torch.from_numpy(arrays["inputs"][index]),
        picture=Image.fromarray(arrays[f"picture{index}"]) if f"picture{index}" in arrays else None,
        geometry=None if geometry is None else Geometry(*(tuple(part) for part in geometry)),
        name=about["names"][index],
        clip=None
        if clip is None
        else Clip(arrays[f"frames{index}"], tuple(clip["seconds"]), tuple(clip["numbers"]), clip["rate"]),
        volume=None if source["volume"] is None else _volume(arrays[f"voxels{index}"], source["volume"]),
        placement=None if source["placement"] is None else _placement(source["placement"]),
        notes=tuple(source["notes"]),
    )
