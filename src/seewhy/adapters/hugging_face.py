"""Networks in the format of Hugging Face transformers: `hf:folder` or `hf:owner/name` from the local cache."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from seewhy.adapters.transformers_tasks import CLASSIFIER, VIDEO_CLASSIFIER, Task, task_of
from seewhy.adapters.trial import Preprocessing, by_trial
from seewhy.adapters.video_network import frame_processor
from seewhy.engine.model import Model
from seewhy.errors import ModelError, optional


def from_transformers(place: str, checkpoint: str | Path | None = None) -> Model:
    """Return a network of a task that is known, prepared as its own image processor does it: classifiers of pictures and videos,
    segmenters, depth, CLIP.

    Nothing is downloaded, and code that comes with a model is never run.

    Args:
        place: a folder with config.json, weights and preprocessor_config.json; or the name of a model in the local cache.
        checkpoint: must be None: the folder holds the weights.

    Raises:
        MissingExtra: transformers is not installed.
        ModelError: no such model, none of these tasks, weights that do not cover the network (its head would be random), or
            a processor that cannot be reproduced.
    """
    transformers: Any = optional("transformers", "hub")
    if checkpoint is not None:
        raise ModelError(
            f"hf:{place} brings its own weights; leave the checkpoint out, or use a factory in a Python file"
        )
    _check_folder(place)
    options = {"local_files_only": True, "trust_remote_code": False}
    with _quiet(transformers):
        with _told(place, "has no config that can be read"):
            config = transformers.AutoConfig.from_pretrained(place, **options)
        task = task_of(config.architectures)
        with _told(place, f"has no {task.what} that can be loaded"):
            loader = getattr(transformers, task.loader)
            network, report = loader.from_pretrained(place, output_loading_info=True, **options)
        _check_weights(report, place)
    title = f"hf:{Path(place).name if Path(place).is_dir() else place}"
    labels = class_names(network.config.id2label) if task.named else None
    explained, more = task.rebuilt(network.eval(), place) if task.rebuilt else (network.eval(), {})
    fields = {**_link(network.config, task), **task.fields, **more}
    return preparation(place, title).model(explained, labels=labels, name=title, **fields)


def _link(config: Any, task: Task) -> dict[str, str]:
    """Return what makes probabilities of the answer, as the config of a classifier states it."""
    if task is not CLASSIFIER and task is not VIDEO_CLASSIFIER:
        return {}
    stated = {"multi_label_classification": "sigmoid", "regression": "none"}
    kind = stated.get(str(getattr(config, "problem_type", None)))
    return {} if kind is None else {"probability": kind}


def preparation(place: str, title: str) -> Preprocessing:
    """Return how the image processor in a folder, or of a model in the local cache, prepares pictures.

    Raises:
        MissingExtra: transformers is not installed.
        ModelError: there is none, or one that cannot be reproduced.
    """
    transformers: Any = optional("transformers", "hub")
    with _quiet(transformers), _told(place, "has no image processor that can be used"):
        processor = frame_processor(transformers, place) or transformers.AutoImageProcessor.from_pretrained(
            place, backend="pil", local_files_only=True, trust_remote_code=False
        )

    def prepared(picture: Image.Image) -> Tensor:
        """Return the input (c, h, w); of a processor of clips, the only frame's."""
        values: Tensor = processor(picture, return_tensors="pt")["pixel_values"]
        return values.flatten(0, -4)[0]

    return by_trial(prepared, title)


def _check_folder(place: str) -> None:
    """Raise `ModelError` for a path that is not a folder with a model in it."""
    path = Path(place)
    if path.is_dir() and not (path / "config.json").is_file():
        raise ModelError(f"{path} holds no config.json; a folder that save_pretrained wrote was wanted")
    if path.is_file() or (not path.is_dir() and place.startswith((".", "/", "~"))):
        raise ModelError(
            f"{path}: {'a file' if path.is_file() else 'no such folder'}; a folder that save_pretrained wrote was wanted"
        )


@contextmanager
def _told(place: str, what: str) -> Iterator[None]:
    """Turn whatever transformers raises into one `ModelError`."""
    try:
        yield
    except (
        Exception
    ) as error:  # OSError, ValueError, KeyError, RuntimeError and safetensors' own, each with its own words
        said = " ".join(str(error).split())
        if not Path(place).is_dir() and ("local" in said or "cache" in said or "offline" in said):
            raise ModelError(
                f"hf:{place} is neither a folder nor in the local cache, and seewhy downloads nothing; fetch it first: hf download {place}"
            ) from error
        if "trust_remote_code" in said:
            raise ModelError(f"hf:{place} brings code of its own, which seewhy does not run") from error
        raise ModelError(f"hf:{place} {what}: {type(error).__name__}: {said[:300]}") from error


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep progress bars and remarks off the terminal meanwhile."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _check_weights(report: dict[str, Any], place: str) -> None:
    """Raise `ModelError` where part of the network would have random weights."""
    missing = sorted(map(str, [*report.get("missing_keys", ()), *report.get("mismatched_keys", ())]))
    if missing:
        raise ModelError(
            f"hf:{place} has no weights for {len(missing)} tensors of the classifier ({', '.join(missing[:4])}{' …' if len(missing) > 4 else ''}); "
            "they would be random. Is it a backbone without a classifier?"
        )


def class_names(by_index: Mapping[Any, Any] | None) -> tuple[str, ...] | None:
    """Return the names of the classes; None where they are the placeholders LABEL_0, LABEL_1 and so on."""
    names = {int(index): str(name) for index, name in (by_index or {}).items()}
    if sorted(names) != list(range(len(names))) or all(re.fullmatch(r"LABEL_\d+", name) for name in names.values()):
        return None
    return tuple(names[index] for index in range(len(names)))
