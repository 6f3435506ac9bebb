"""`seewhy.examples`: the natural pictures that the channels of a layer like best and least."""

from collections.abc import Sequence
from pathlib import Path

import torch

from seewhy.api import ModelLike, Session
from seewhy.data.dataset import dataset
from seewhy.engine.model import Fit
from seewhy.visualization.examples import Examples
from seewhy.visualization.search import Progress, Search, search


def examples(
    model: ModelLike,
    data: object,
    layers: str | Sequence[str],
    *,
    top: int = 9,
    rungs: int = 9,
    sample: int = 256,
    distinct: bool = True,
    fit: Fit | None = None,
    rows: int = 8,
    seed: int = 0,
    device: torch.device | str | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Examples:
    """Find, for every channel of some layers, the pictures that it likes best and least, and a sample of everything between.

    One pass over the pictures, whatever the number of layers and channels; the network runs only as far as the last layer. What a channel gives for a
    picture is its largest value over all positions (the smallest, for the bottom), before or after the rectifier as the layer has it.

    The strongest pictures alone mislead: a unit with several meanings shows one of them, and even a unit without meaning has nine
    pictures that it likes best. The strip over the quantiles shows how far the best ones stand out.

    Args:
        model: a `seewhy.Model`, a network, or a name for `seewhy.load_model`; the built-in network if None.
        data: a folder, a list of files and folders, ready inputs (inputs (n, c, h, w), labels (n,)), or a `Dataset`.
        layers: names of layers; see `seewhy layers`.
        top: how many pictures are kept at either end.
        rungs: how many quantiles are shown between.
        sample: how many pictures the random sample for the quantiles holds.
        distinct: leave out pictures that are nearly the same as an earlier one.
        fit: "crop", "pad" or "squash"; the model's own way if None.
        rows: pictures per pass.
        seed: of the random sample, which is drawn from the contents of the pictures: their order plays no part.
        device: where to run.
        cache: folder to put the search away in, so that one that was killed goes on, and one that is done is not made again; see
            `seewhy.visualization.search.search`.
        progress: is told how many pictures are done, of how many.

    Returns:
        An `Examples`: `.of(layer, channel)`, `.crop(example)`, `.sheet(channels)`, `.save(path)`.

    Raises:
        LayerError: no such layer, or one that is not made of channels.
        DataError: none of the pictures can be read; single broken ones are left out, and named in `.broken`.

    Example:
        >>> found = seewhy.examples(None, "photos", "blocks.9")
        >>> found.of("blocks.9", 67).top[0]
        Example(name='photos/corgi.jpg', picture=3, value=25.0, position=(6, 4), quantile=1.0, label=263)
    """
    how = Search(top, rungs, sample, distinct, fit, rows, seed)
    names = [layers] if isinstance(layers, str) else list(layers)
    with Session(model, device=device, seed=seed) as session:
        given = dataset(data, session.model)
        return search(session, given, names, how, None if cache is None else Path(cache), progress)
