"""`seewhy.similarity`: how alike two pictures are to a network, and where in each that lies."""

import torch

from seewhy.api import DEFAULT_METHOD, MethodLike, ModelLike, Session, Source, as_method
from seewhy.core.sample import Sample
from seewhy.data.source import sample
from seewhy.engine import session as engine
from seewhy.engine.model import Fit
from seewhy.evaluation.pair import compare_pair
from seewhy.report.pair import SimilarityReport
from seewhy.targets.similarity import Measure

ANSWER = "answer"


def similarity(
    first: Source | Sample,
    second: Source | Sample,
    model: ModelLike | engine.Session = None,
    *,
    method: MethodLike = DEFAULT_METHOD,
    measure: Measure = "cosine",
    threshold: float | None = None,
    layer: str | None = None,
    fit: Fit | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    command: str = "",
) -> SimilarityReport:
    """Compare two pictures: the score of their embeddings, and a map of each that shows where the likeness lies.

    Each picture is explained with the other's embedding held fixed, so a map says what in this picture is like the other as a whole. Where
    the embedding is a mean over places, with at most a linear layer behind, the score is also split exactly over pairs of places.

    Args:
        first, second: pictures, as `seewhy.explain` takes them.
        model: an embedder: a `seewhy.Model`, a network, a name for `seewhy.load_model`; the built-in network if None; or an open session.
        method: how the maps are made.
        measure: "cosine", "dot" or "distance".
        threshold: from which score two pictures count as the same.
        layer: the mean over places of this layer is the embedding; "answer" for the network's answer. If None, that is the answer, except for
            classifiers (networks with labels), whose last layer with places is taken.
        fit: how pictures are fitted.
        seed: of everything that is drawn at random.
        device: where to run.
        command: makes it again; written on the page.

    Returns:
        A `SimilarityReport`: `.score`, `.same`, `.maps` (an explanation of both), `.found.pairs`, `.numbers()`, `.save("pair.html")`.

    Raises:
        SeewhyError: of any kind; the message says what to do.

    Example:
        >>> seewhy.similarity("a.jpg", "b.jpg", threshold=0.6).save("pair.html")
    """
    session = model if isinstance(model, engine.Session) else Session(model, seed=seed, device=device)
    samples = [one if isinstance(one, Sample) else sample(one, session.model, fit) for one in (first, second)]
    if layer is None and session.model.labels is not None:
        layer = session.network.target_layer(session.network.accept(samples[0].inputs[None]))
    found = compare_pair(
        session,
        samples,
        as_method(method),
        measure=measure,
        threshold=threshold,
        layer=None if layer == ANSWER else layer,
    )
    return SimilarityReport(found, command)
