"""Peak memory against the number of samples, each in a fresh process: `python -m benchmarks.memory TASK SAMPLES`."""

import sys
from collections.abc import Callable

import torch

import seewhy
from benchmarks.measure import Peak, child
from benchmarks.models import Case, case


def own(key: str, setting: str, **more: object) -> Callable[[Case, int], object]:
    def run(asked: Case, samples: int) -> object:
        method = seewhy.method(key, **{setting: samples}, **more)
        return seewhy.Session(asked.model).explain(asked.images, target=asked.classes[0][0], methods=method)

    return run


def captum_ten_at_a_time(asked: Case, samples: int) -> object:
    from captum.attr import IntegratedGradients

    method = IntegratedGradients(asked.network)
    return method.attribute(asked.images, target=asked.classes[0][0], n_steps=samples, internal_batch_size=10)


TASKS = {
    "integrated-gradients": own("integrated-gradients", "steps", baseline="zero"),
    "smooth-grad": own("smooth-grad", "samples"),
    "rise": own("rise", "samples"),
    "kernel-shap": own("kernel-shap", "samples", segments="grid"),
    "captum integrated gradients, 10 rows a pass": captum_ten_at_a_time,
}
COUNTS = (10, 200)


def measured() -> dict[str, list[float] | None]:
    """Return for each task how many MiB it needs beyond what the process holds after one gradient, for 10 and for 200 samples."""
    found: dict[str, list[float] | None] = {}
    for task in TASKS:
        try:
            found[task] = [float(child(["-m", "benchmarks.memory", task, str(count)]).printed) for count in COUNTS]
        except ModuleNotFoundError:
            found[task] = None
    return found


def main(task: str, samples: str) -> None:
    torch.set_num_threads(1)
    asked = case("Lite0", 1)
    seewhy.Session(asked.model).explain(asked.images, methods="saliency")
    with Peak() as peak:
        TASKS[task](asked, int(samples))
    print(peak.growth)


if __name__ == "__main__":
    main(*sys.argv[1:])
