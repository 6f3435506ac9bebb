"""What other libraries do for the same case. Each function returns something to run, or raises ImportError.

A run gives maps by method and number of target, (b, *spatial), at the resolution at which the library computes them, so that
comparing does not depend on how anybody resizes and rescales. What hangs hooks on the network is built anew in each run, which costs
next to nothing, so that none is left there for the others.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from benchmarks.models import Case, prepare_torchvision

Maps = dict[tuple[str, int], Tensor]
Run = Callable[[], Maps]


@dataclass(frozen=True)
class Peer:
    """A library, used in one way.

    Attributes:
        name: what the table calls it.
        make: case and keys of methods to something to run.
        keys: methods that it has, by our keys.
        again: the same computation as another entry, so its maps are not compared once more.
    """

    name: str
    make: Callable[[Case, Sequence[str]], Run]
    keys: frozenset[str]
    again: bool = False


GRAD_CAM_CLASSES = {
    "grad-cam": "GradCAM",
    "grad-cam-pp": "GradCAMPlusPlus",
    "xgrad-cam": "XGradCAM",
    "hires-cam": "HiResCAM",
    "elementwise-grad-cam": "GradCAMElementWise",
    "layer-cam": "LayerCAM",
    "eigen-cam": "EigenCAM",
    "eigen-grad-cam": "EigenGradCAM",
    "score-cam": "ScoreCAM",
    "ablation-cam": "AblationCAM",
}
TORCHCAM_CLASSES = {"grad-cam": "GradCAM", "grad-cam-pp": "GradCAMpp", "xgrad-cam": "XGradCAM", "layer-cam": "LayerCAM"}
EIGEN = frozenset({"eigen-cam", "eigen-grad-cam"})


def grad_cam(case: Case, keys: Sequence[str]) -> Run:
    """The package grad-cam: one object per method, one call per method and target."""
    prepare_torchvision()
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    targets = [[ClassifierOutputTarget(index) for index in row] for row in case.classes]

    def run() -> Maps:
        maps: Maps = {}
        for key in keys:
            with getattr(pytorch_grad_cam, GRAD_CAM_CLASSES[key])(case.network, [case.module]) as cam:
                raw = _recorded(cam)
                for number, asked in enumerate(targets):
                    cam(case.images, asked)
                    maps[key, number] = torch.from_numpy(raw[-1])
        return maps

    return run


def _recorded(cam) -> list:
    """Keep the maps of a grad-cam object as they are before it cuts, scales and resizes them."""
    kept, compute = [], cam.get_cam_image

    def keep(*args):
        kept.append(compute(*args))
        return kept[-1]

    cam.get_cam_image = keep
    return kept


def torchcam(case: Case, keys: Sequence[str]) -> Run:
    """torchcam at its best: all extractors watch one forward, and each goes back once per target."""
    prepare_torchvision()
    from torchcam import methods

    def run() -> Maps:
        maps: Maps = {}
        with ExitStack() as stack:
            cams = {key: stack.enter_context(_extractor(methods, key, case)) for key in keys}
            scores = case.network(case.images)
            for key, cam in cams.items():
                for number, classes in enumerate(case.classes):
                    made = cam(list(classes), scores, normalized=False, retain_graph=True)
                    maps[key, number] = made[0].detach()
        return maps

    return run


def _extractor(methods: ModuleType, key: str, case: Case):
    return getattr(methods, TORCHCAM_CLASSES[key])(case.network, case.layer)


def captum_grad_cam(case: Case, keys: Sequence[str]) -> Run:
    from captum.attr import LayerGradCam

    method = LayerGradCam(case.network, case.module)

    def run() -> Maps:
        made = [method.attribute(case.images, target=list(row), relu_attributions=True) for row in case.classes]
        return {("grad-cam", number): maps[:, 0].detach() for number, maps in enumerate(made)}

    return run


def captum_saliency(case: Case, keys: Sequence[str]) -> Run:
    from captum.attr import Saliency

    method = Saliency(case.network)

    def run() -> Maps:
        made = [method.attribute(case.images, target=list(row)) for row in case.classes]
        return {("saliency", number): maps.amax(dim=1) for number, maps in enumerate(made)}

    return run


def captum_integrated_gradients(rows: int | None) -> Callable[[Case, Sequence[str]], Run]:
    """Return the maker for `rows` rows per pass; None is captum's default, all steps at once."""

    def make(case: Case, keys: Sequence[str]) -> Run:
        from captum.attr import IntegratedGradients

        method = IntegratedGradients(case.network)

        def run() -> Maps:
            made = method.attribute(case.images, target=list(case.classes[0]), n_steps=50, internal_batch_size=rows)
            return {("integrated-gradients", 0): made.sum(dim=1).detach()}

        return run

    return make


def captum_smooth_grad(rows: int | None) -> Callable[[Case, Sequence[str]], Run]:
    """Return the maker for `rows` samples per pass; None is captum's default. The draws differ from ours, so no map is given."""

    def make(case: Case, keys: Sequence[str]) -> Run:
        from captum.attr import NoiseTunnel, Saliency

        method = NoiseTunnel(Saliency(case.network))
        settings = {"nt_type": "smoothgrad", "nt_samples": 50, "nt_samples_batch_size": rows, "abs": False}

        def run() -> Maps:
            spread = 0.15 * float(case.images.max() - case.images.min())
            method.attribute(case.images, target=list(case.classes[0]), stdevs=spread, **settings)
            return {}

        return run

    return make


def captum_kernel_shap(case: Case, keys: Sequence[str]) -> Run:
    """Kernel SHAP of captum, one row a pass, which is its fastest setting on a processor; 96 samples over 49 boxes. Other draws, so no map."""
    from captum.attr import KernelShap

    method = KernelShap(case.network)
    side = torch.arange(case.images.shape[-1]) * 7 // case.images.shape[-1]
    boxes = (side[:, None] * 7 + side)[None, None]

    def run() -> Maps:
        method.attribute(
            case.images,
            target=list(case.classes[0]),
            feature_mask=boxes,
            n_samples=96,
            perturbations_per_eval=1,
        )
        return {}

    return run


def reference_rise(case: Case, keys: Sequence[str]) -> Run:
    """RISE as its authors' code goes about it: all masks are made beforehand, and run in batches of 32. Other draws, so no map."""
    size = case.images.shape[-1]
    cell = -(-size // 8)

    def run() -> Maps:
        generator = torch.Generator().manual_seed(0)
        grids = (torch.rand(128, 1, 8, 8, generator=generator) < 0.5).float()
        large = torch.nn.functional.interpolate(grids, size=(9 * cell, 9 * cell), mode="bilinear")
        shifts = torch.randint(cell, (128, 2), generator=generator).tolist()
        masks = torch.stack([one[:, y : y + size, x : x + size] for one, (y, x) in zip(large, shifts, strict=True)])
        with torch.no_grad():
            scores = torch.cat([case.network(case.images * part) for part in masks.split(32)])
        (scores[:, case.classes[0][0], None, None] * masks[:, 0]).mean(dim=0)
        return {}

    return run


GRAD_CAM = Peer("grad-cam", grad_cam, frozenset(GRAD_CAM_CLASSES) - {"score-cam", "ablation-cam"})
ABLATION_PEERS = (Peer("grad-cam", grad_cam, frozenset({"ablation-cam"})),)
LONG_ABLATION_PEERS = (Peer("grad-cam", grad_cam, frozenset({"ablation-cam"}), again=True),)
SCORE_PEERS = (Peer("grad-cam", grad_cam, frozenset({"score-cam"})),)
SHAP_PEERS = (Peer("captum, 1 row a pass", captum_kernel_shap, frozenset({"kernel-shap"}), again=True),)
RISE_PEERS = (Peer("reference style", reference_rise, frozenset({"rise"}), again=True),)
CAM_PEERS = (
    GRAD_CAM,
    Peer("torchcam", torchcam, frozenset(TORCHCAM_CLASSES)),
    Peer("captum", captum_grad_cam, frozenset({"grad-cam"})),
)
EIGHT_PEERS = (
    GRAD_CAM,
    Peer("grad-cam, Eigen methods left out", grad_cam, GRAD_CAM.keys - EIGEN, again=True),
    *CAM_PEERS[1:],
)
SALIENCY_PEERS = (Peer("captum", captum_saliency, frozenset({"saliency"})),)
IG_PEERS = (
    Peer("captum, as it comes", captum_integrated_gradients(None), frozenset({"integrated-gradients"}), again=True),
    Peer("captum, 10 rows a pass", captum_integrated_gradients(10), frozenset({"integrated-gradients"})),
)
SMOOTH_PEERS = (
    Peer("captum, as it comes", captum_smooth_grad(None), frozenset({"smooth-grad"}), again=True),
    Peer("captum, 10 samples a pass", captum_smooth_grad(10), frozenset({"smooth-grad"})),
)

WHY_APART = {
    (
        "grad-cam",
        "grad-cam-pp",
    ): "it adds 1e-6 to a denominator of squared gradients, which here are about 1e-6 themselves",
    ("torchcam", "grad-cam-pp"): "it divides a copy (`alpha[mask].div_`), so its weights stay undivided",
    (
        "grad-cam",
        "ablation-cam",
    ): "it puts min - 1e7 in the place of a channel where activations may be negative, as here; ours is 0. At a rectified layer both agree to 3e-6",
    (
        "grad-cam",
        "score-cam",
    ): "it enlarges masks with aligned corners, ours with aligned cells; with its enlarging in ours both agree to 5e-6",
    (
        "captum",
        "saliency",
    ): "float32 of the usual layout: ReLUs near zero flip; ours, channels last, is the nearer one to float64",
}
"""Known reasons for maps that differ, by library and method."""
