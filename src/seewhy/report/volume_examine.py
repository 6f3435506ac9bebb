"""Ask everything about one scan: the answer, the map in the patient, its regions, and how far to trust it."""

import numpy as np
from jaxtyping import Bool
from torch import Tensor

from seewhy.core.explanation import Explanation
from seewhy.core.sample import Sample
from seewhy.core.volume import SHOWN, Volume
from seewhy.engine.probe import NetworkProbe
from seewhy.errors import DataError
from seewhy.evaluation.area import SHARE, concentration, evidence, evidence_area
from seewhy.evaluation.hide_test import HideTest as Test
from seewhy.evaluation.hide_test import HideTestResult
from seewhy.evaluation.scan_regions import LEVEL, scan_regions
from seewhy.report.examine import (
    Asked,
    cautions,
    estimate_figures,
    hide_test_told,
    layers_of,
    probability_of,
    top_classes,
)
from seewhy.report.photo import HideTest
from seewhy.report.volume import VolumeReport


def examine_volume(asked: Asked, command: str = "") -> VolumeReport:
    """Return everything about one scan that belongs beside its map.

    Args:
        asked: the scan, explained; see `seewhy.report.examine.ask`.
        command: the command that makes the same report again.

    Raises:
        DataError: it is no volume.
    """
    main, sample, method = asked.explanation, asked.sample, asked.method
    volume = volume_of(sample)
    tested = _tested(asked)
    regions = scan_regions(main)
    turn = volume.turn(SHOWN)
    held, sureness = float(concentration(main)[0]), probability_of(asked, main)
    return VolumeReport(
        name=sample.name,
        volume=volume.turned(SHOWN),
        heatmap=turn.apply(main.in_source().cpu().numpy()),
        area=turn.apply(regions.area),
        regions=regions,
        model=asked.session.model.title,
        method=method.title,
        layer=", ".join(layers_of(method)),
        source=str(method.source),
        answer=main.targets[0],
        score=float(main.score[0]),
        score_unit=main.unit,
        probability=sureness,
        top=top_classes(asked, main),
        signed=method.signed,
        unit=main.map_unit,
        limit=main.scale_end(),
        normalization=f"{main.scale_words} of this map",
        shapes=tuple(main.heatmap.shape[1:]),
        seen=tuple(sample.inputs.shape[1:]),
        source_shape=volume.shape,
        directions=volume.directions,
        hide_test=_hide_test(main, tested),
        concentration=None if np.isnan(held) else held,
        figures=estimate_figures(main),
        covered=str(main.coverage or ""),
        cost=_costs(asked, tested),
        cautions=cautions(asked, main, sureness, tested),
        command=command,
        provenance=main.provenance
        | {"method": method.key, "settings": method.settings(), "level": LEVEL, "area": SHARE},
    )


def volume_of(sample: Sample) -> Volume:
    """Return the scan of a sample that is a volume."""
    if sample.volume is None or sample.placement is None:
        raise DataError(f"{sample.name or 'the image'} is no volume")
    return sample.volume


def hidden_area(main: Explanation) -> Bool[Tensor, "1 d h w"]:
    """Return what the hide test blurs, on the input's grid: the map above half of its maximum, but not more than a fifth of the input."""
    heat = evidence(main)
    area: Bool[Tensor, "1 d h w"] = (heat >= LEVEL * heat.max()) & (heat > 0)
    return area if float(area.float().mean()) <= SHARE else evidence_area(main)


def _tested(asked: Asked) -> HideTestResult | None:
    if not asked.wanted.hide_test:
        return None
    probe = NetworkProbe(asked.question, asked.method.needs())
    return Test().run(probe, asked.explanation, hidden_area(asked.explanation))[0]


def _hide_test(main: Explanation, tested: HideTestResult | None) -> HideTest | None:
    return None if tested is None else hide_test_told(main, tested, tested.area.any(dim=0).numpy())


def _costs(asked: Asked, tested: HideTestResult | None) -> tuple[str, ...]:
    test = (f"hide test: {tested.cost}",) if tested is not None else ()
    return (f"map: {asked.explanation.cost}", *test, f"in all: {asked.session.cost - asked.begun}")
