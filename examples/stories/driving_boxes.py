"""A small detector of people and vehicles: why this box, why was that one missed, and does taking away what the map blames help?

    python examples/stories/driving_boxes.py PICTURES BOXES OUT [STEPS] [MASKS]

PICTURES holds photos, BOXES for each a .txt of YOLO with COCO's class numbers. A head of 0.3 million weights is trained on top of the first fifteen
blocks of the built-in ImageNet network, which stay as they are. Every fifth photo is held out; what is explained is found or missed there.
Without folders, drawn streets take the place of photos.
"""

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from safetensors.torch import load_model, save_model
from torch import Tensor, nn

import seewhy
from seewhy.adapters.detections import NamedRows
from seewhy.core.detection import to_input
from seewhy.core.sample import Geometry
from seewhy.core.trace import Reading
from seewhy.data.picture import sample
from seewhy.data.truth import Truth
from seewhy.data.yolo import read_yolo
from seewhy.ops.boxes import covered
from seewhy.render.boxes import Marked, with_boxes
from seewhy.report.examine import viewed
from seewhy.report.objects import FoundObjects, ObjectFinding
from seewhy.targets import Box, MissedObject

SIDE, STRIDE = 320, 8
CELLS = SIDE // STRIDE
KINDS = ("person", "vehicle", "traffic light")
COCO = {0: "person", 2: "vehicle", 5: "vehicle", 7: "vehicle", 9: "traffic light"}
NAMES = tuple(COCO.get(number, "other") for number in range(80))
SMALLEST = 12.0
"""Objects whose shorter side is below this, in pixels of the input, are neither learned nor asked about."""

HIDDEN = 0.04
"""Share of the picture that is blurred to see whether the map is right about it."""


@dataclass(frozen=True)
class Street:
    """A photo and what is marked in it."""

    name: str
    photo: Image.Image
    truths: tuple[Truth, ...]


class Detector(nn.Module):
    """For each of 40 x 40 places: whether the centre of an object of each kind lies there, and how far its four edges are away."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.early = nn.Sequential(backbone.stem, *backbone.blocks[:5])
        self.late = nn.Sequential(*backbone.blocks[5:11])
        self.last = nn.Sequential(*backbone.blocks[11:15])
        self.mix = nn.Sequential(nn.Conv2d(40 + 112 + 192, 96, 1), nn.GroupNorm(8, 96), nn.ReLU())
        self.head = nn.Sequential(
            *(layer for _ in range(3) for layer in (nn.Conv2d(96, 96, 3, padding=1), nn.GroupNorm(8, 96), nn.ReLU()))
        )
        self.kinds, self.edges = nn.Conv2d(96, len(KINDS), 1), nn.Conv2d(96, 4, 1)
        nn.init.constant_(self.kinds.bias, -4.0)

    def features(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the network that is not trained sees, at strides 8, 16 and 32."""
        early = self.early(pixels)
        late = self.late(early)
        return early, late, self.last(late)

    def answer(self, early: Tensor, late: Tensor, last: Tensor) -> dict[str, Tensor]:
        """Return logits (b, 1600, kinds) and boxes (b, 1600, 4) in pixels of the input."""
        larger = [nn.functional.interpolate(one, size=early.shape[2:], mode="bilinear") for one in (late, last)]
        seen = self.head(self.mix(torch.cat([early, *larger], dim=1)))
        far = self.edges(seen).clamp(-3, 3.5).exp() * STRIDE  # left, top, right, bottom
        y, x = torch.meshgrid(*(torch.arange(size) + 0.5 for size in seen.shape[2:]), indexing="ij")
        x, y = x * STRIDE, y * STRIDE
        boxes = torch.stack([x - far[:, 0], y - far[:, 1], x + far[:, 2], y + far[:, 3]], dim=-1)
        return {"scores": self.kinds(seen).flatten(2).transpose(1, 2), "boxes": boxes.flatten(1, 2)}

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """Return what `answer` does."""
        return self.answer(*self.features(pixels))


def streets(pictures: Path, boxes: Path) -> list[Street]:
    """Return the photos in which something of the kinds is marked."""
    found = []
    for path in sorted(pictures.glob("*.jpg")):
        photo = Image.open(path).convert("RGB")
        if not (boxes / f"{path.stem}.txt").exists():
            continue
        truths = read_yolo(boxes / f"{path.stem}.txt", NAMES, (photo.height, photo.width))
        if any(one.name in KINDS for one in truths):
            found.append(Street(path.name, photo, tuple(one for one in truths if one.name in KINDS)))
    return found


def drawn_streets(count: int) -> list[Street]:
    """Return drawn streets: grey ground, vehicles as boxes on wheels, people as a head on a body; some are half hidden by posts."""
    draws = np.random.default_rng(0)
    made = []
    for number in range(count):
        pixels = draws.normal(0, 12, (240, 320, 3)) + np.linspace(190, 90, 240)[:, None, None]
        photo = Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))
        pen, truths = ImageDraw.Draw(photo), []
        for place in draws.permutation(4)[: draws.integers(2, 4)]:
            left, top = 8 + 78 * int(place) + int(draws.integers(12)), int(draws.integers(60, 150))
            colour = tuple(int(value) for value in draws.integers(0, 255, 3))
            if draws.integers(2):
                pen.rectangle((left, top + 14, left + 60, top + 40), fill=colour)
                pen.rectangle((left + 12, top, left + 46, top + 16), fill=colour)
                for wheel in (left + 6, left + 40):
                    pen.ellipse((wheel, top + 32, wheel + 14, top + 46), fill=(15, 15, 15))
                truths.append(Truth("vehicle", (left, top, left + 60, top + 46)))
            else:
                pen.ellipse((left + 8, top, left + 22, top + 15), fill=(224, 180, 150))
                pen.rectangle((left + 3, top + 15, left + 27, top + 48), fill=colour)
                pen.rectangle((left + 6, top + 48, left + 24, top + 82), fill=(30, 30, 60))
                truths.append(Truth("person", (left + 3, top, left + 27, top + 82)))
        if number % 2:
            x = int(draws.integers(20, 300))
            pen.rectangle((x, 0, x + 18, 240), fill=(70, 60, 55))
        made.append(Street(f"street-{number}", photo, tuple(truths)))
    return made


def wanted(boxes: Tensor, kinds: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return for each place how much of a centre it is (kinds, 40, 40), the edges (4, 40, 40) in strides, and where these count."""
    heat, edges = torch.zeros(len(KINDS), CELLS, CELLS), torch.ones(4, CELLS, CELLS)
    counts = torch.zeros(CELLS, CELLS, dtype=torch.bool)
    y, x = torch.meshgrid(torch.arange(CELLS) + 0.5, torch.arange(CELLS) + 0.5, indexing="ij")
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for at in areas.argsort(descending=True).tolist():  # smaller objects last, as they lie in front
        x1, y1, x2, y2 = (boxes[at] / STRIDE).tolist()
        cx, cy, w, h = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
        spread = ((x - cx) / max(w, 2)) ** 2 + ((y - cy) / max(h, 2)) ** 2
        heat[kinds[at]] = torch.maximum(heat[kinds[at]], (-spread * 40).exp())
        middle = ((x - cx).abs() <= max(0.6, w / 6)) & ((y - cy).abs() <= max(0.6, h / 6))
        heat[kinds[at], int(min(cy, CELLS - 1)), int(min(cx, CELLS - 1))] = 1
        near = torch.stack([x - x1, y - y1, x2 - x, y2 - y])
        edges[:, middle] = near[:, middle].clamp_min(0.05)
        counts |= middle
    return heat, edges, counts


def views(street: Street, model: seewhy.Model, *, more: bool) -> list[tuple[Tensor, Tensor, list[int]]]:
    """Return a photo as the network takes it, with the boxes and kinds in it: itself, mirrored, and two parts of it, each twice."""
    whole = (0, 0, street.photo.width, street.photo.height)
    width, height = street.photo.size
    parts = [whole]
    if more:
        parts += [
            (0, 0, int(0.7 * width), int(0.8 * height)),
            (int(0.3 * width), int(0.2 * height), width, height),
            (int(0.15 * width), 0, int(0.85 * width), height),
        ]
    made = []
    for part in parts:
        seen = sample(street.photo.crop(part), model)
        boxes, kinds = within(street.truths, part, seen.geometry)
        made.append((seen.inputs, boxes, kinds))
        flipped = boxes.clone()
        flipped[:, 0], flipped[:, 2] = SIDE - boxes[:, 2], SIDE - boxes[:, 0]
        made.append((seen.inputs.flip(2), flipped, kinds))
    return made


def detector() -> seewhy.Model:
    """Return the detector as `seewhy objects PHOTO --model examples/stories/driving_boxes.py:detector --checkpoint OUT/detector.safetensors` uses it."""
    backbone = seewhy.load_model("efficientnet-lite0")
    rows = NamedRows(unit="pixel", score="sigmoid", least=0.3, overlap=0.5)
    return seewhy.Model(
        Detector(backbone.module).eval(),
        size=SIDE,
        mean=backbone.mean,
        std=backbone.std,
        fit="pad",
        labels=KINDS,
        output=rows,
        name="street detector",
    )


def within(truths: tuple[Truth, ...], part: tuple[int, int, int, int], geometry: Geometry) -> tuple[Tensor, list[int]]:
    """Return the boxes (n, 4) of a part of a photo, in pixels of the input, and their kinds; those that are half outside or tiny are left out."""
    kept, kinds = [], []
    corner, end = torch.tensor(part[:2] * 2), torch.tensor([part[2] - part[0], part[3] - part[1]] * 2)
    for one in truths:
        box = torch.tensor(one.box) - corner
        inside = torch.minimum(box.clamp_min(0), end)
        shares = (inside[2:] - inside[:2]).clamp_min(0) / (box[2:] - box[:2])
        seen = to_input(inside, geometry)
        if float(shares.prod()) >= 0.5 and float((seen[2:] - seen[:2]).min()) >= SMALLEST:
            kept.append(seen)
            kinds.append(KINDS.index(one.name))
    return (torch.stack(kept) if kept else torch.zeros(0, 4)), kinds


def trained(shown: list[Street], model: seewhy.Model, steps: int, *, more: bool) -> None:
    """Train the head on what the rest of the network, which stays as it is, sees of each view."""
    network: Detector = model.module
    network.eval()
    seen: list[tuple[Tensor, ...]] = []
    with torch.no_grad():
        for street in shown:
            for pixels, boxes, kinds in views(street, model, more=more):
                features = tuple(one[0].half() for one in network.features(pixels[None]))
                seen.append((*features, *wanted(boxes, kinds)))
    weights = [weight for name, weight in network.named_parameters() if not name.startswith(("early", "late", "last"))]
    descent = torch.optim.AdamW(weights, 2e-3, weight_decay=0.02)
    pace = torch.optim.lr_scheduler.OneCycleLR(descent, 4e-3, total_steps=steps)
    draws = torch.Generator().manual_seed(0)
    for _ in range(steps):
        batch = [seen[at] for at in torch.randint(len(seen), (8,), generator=draws).tolist()]
        early, late, last, heat, edges, counts = (torch.stack(part).float() for part in zip(*batch, strict=True))
        descent.zero_grad()
        loss(network.answer(early, late, last), heat, edges, counts).backward()
        descent.step()
        pace.step()
    for weight in network.parameters():
        weight.requires_grad = False


def loss(answer: dict[str, Tensor], heat: Tensor, edges: Tensor, counts: Tensor) -> Tensor:
    """Return the focal loss of centres (Zhou et al. 2019, equation 1) and the loss in overlap of boxes (Yu et al. 2016)."""
    logits = answer["scores"].transpose(1, 2).unflatten(2, (CELLS, CELLS))
    chance, log, other = logits.sigmoid(), nn.functional.logsigmoid(logits), nn.functional.logsigmoid(-logits)
    centre = heat >= 1
    focal = torch.where(centre, (1 - chance) ** 2 * log, (1 - heat) ** 4 * chance**2 * other)
    place = (torch.arange(CELLS) + 0.5) * STRIDE
    y, x = torch.meshgrid(place, place, indexing="ij")
    boxes = answer["boxes"].unflatten(1, (CELLS, CELLS))
    far = torch.stack([x - boxes[..., 0], y - boxes[..., 1], boxes[..., 2] - x, boxes[..., 3] - y], dim=1) / STRIDE
    least = torch.minimum(far, edges)
    shared = (least[:, 0] + least[:, 2]) * (least[:, 1] + least[:, 3])
    areas = [(one[:, 0] + one[:, 2]) * (one[:, 1] + one[:, 3]) for one in (far, edges)]
    overlap = shared / (areas[0] + areas[1] - shared)
    return -focal.sum() / centre.sum().clamp_min(1) - (
        overlap.clamp_min(1e-6).log() * counts
    ).sum() / counts.sum().clamp_min(1)


@dataclass(frozen=True)
class Trial:
    """What became of an object when a part of the photo was blurred.

    Attributes:
        photo: name of the photo.
        title: of the object.
        asked: "found" or "missed".
        before, after: affinity to the object as the photo is, and with the part blurred that the map blames (missed) or credits (found).
        elsewhere: the same with other parts of this size and shape blurred, of which none touches the object.
        was_there, is_there: whether a row of the answer is sure of it (and overlaps it by half), before and after.
        tried: the input with the part blurred.
    """

    photo: str
    title: str
    asked: str
    before: float
    after: float
    elsewhere: tuple[float, ...]
    was_there: bool
    is_there: bool
    tried: Tensor

    @property
    def worked(self) -> bool:
        """Whether the part that the map names did more, in the direction that the map says, than each of the others."""
        others = [self.before, *self.elsewhere]
        return self.after > max(others) if self.asked == "missed" else self.after < min(others)


def tried(session: seewhy.Session, report: FoundObjects, street: Street, one: ObjectFinding, number: int) -> Trial:
    """Blur what the map of one object names, and parts like it elsewhere, and ask the network again."""
    thing = one.thing
    seen = sample(street.photo, session.model)
    own = covered(to_input(torch.tensor(thing.box), seen.geometry), (SIDE, SIDE)) >= 0.5
    missed = thing.status == "missed"
    values = report.maps.heatmap[number].double() * (-1 if missed else 1)
    values = values.masked_fill(own, -torch.inf) if missed else values  # what hides it is not the object itself
    area = torch.zeros(SIDE * SIDE, dtype=torch.bool)
    area[values.flatten().topk(int(HIDDEN * SIDE * SIDE)).indices] = True
    area = area.view(SIDE, SIDE) & (values > 0)
    blurred = blur(seen.inputs)
    others = [shifted for shifted in moved(area, own) if not (shifted & own).any()] if missed else moved(area, own)
    variants = torch.stack([seen.inputs, *(torch.where(part, blurred, seen.inputs) for part in (area, *others[:8]))])
    target = MissedObject(thing.box, thing.name) if missed else Box(int(thing.label))
    bound = target.placed([seen], "none").suited("answers", session.model.output)
    answers = session.predict(variants)
    with torch.no_grad():
        frozen = bound.bind(Reading(answers[:1]), KINDS)
        readings = [Reading(answers[at : at + 1]) for at in range(len(answers))]
        scores = [float(frozen(reading)) for reading in readings]
        there = [frozen.gone is not None and not bool(frozen.gone(reading)) for reading in readings[:2]]
    asked = "missed" if missed else "found"
    return Trial(street.name, one.title, asked, scores[0], scores[1], tuple(scores[2:]), *there, variants[1])


def blur(pixels: Tensor) -> Tensor:
    """Return an input that is blurred with a box of 33 pixels, twice."""
    for _ in range(2):
        pixels = nn.functional.avg_pool2d(nn.functional.pad(pixels[None], (16,) * 4, mode="reflect"), 33, 1)[0]
    return pixels


def moved(area: Tensor, own: Tensor) -> list[Tensor]:
    """Return an area moved round the picture by steps of a quarter, as far as it then lies elsewhere; most distant from the object first."""
    steps = [(down, across) for down in (0, 80, 160, 240) for across in (0, 80, 160, 240) if (down, across) != (0, 0)]
    made = [area.roll(step, (0, 1)) for step in steps]
    made = [one for one in made if float((one & area).sum()) < 0.3 * float(area.sum())]
    return sorted(made, key=lambda one: int((one & own).sum()))


def recall(session: seewhy.Session, shown: list[Street]) -> tuple[int, int, int]:
    """Return how many marked objects there are (large enough), how many of them are found, and how many detections are false alarms."""
    from seewhy.evaluation.objects import matched

    there = right = alarms = 0
    for street in shown:
        seen = sample(street.photo, session.model)
        found = session.model.output.found(session.predict(seen.inputs[None]))
        boxes, kinds = within(street.truths, (0, 0, *street.photo.size), seen.geometry)
        marked = [Truth(KINDS[kind], tuple(box.tolist())) for box, kind in zip(boxes, kinds, strict=True)]
        beside = matched([one.box for one in found], [KINDS[one.kind] for one in found], marked)
        there, right = there + len(marked), right + len(marked) - len(beside.missed)
        alarms += sum(pair is None for pair in beside.pairs)
    return there, right, alarms


def told(trials: list[Trial]) -> None:
    """Print what became of the objects, and how often the part that the map names did more than all others of its size and shape."""
    for one in trials:
        rest = f"{np.mean(one.elsewhere):.2f}" if one.elsewhere else "no room for any"
        there = ["found" if state else "not found" for state in (one.was_there, one.is_there)]
        print(
            f"{one.photo:>18}  {one.asked:6} {one.title:22} {one.before:.2f} -> {one.after:.2f} (other parts {rest}); {there[0]} -> {there[1]}"
        )
    for asked, what in (("found", "falls"), ("missed", "rises")):
        own = [one for one in trials if one.asked == asked and one.elsewhere]
        if own:
            turned = sum(one.was_there != one.is_there for one in own)
            print(
                f"{asked}: the score {what} more than for every other part in {sum(one.worked for one in own)} of {len(own)}; "
                f"{turned} are {'lost' if asked == 'found' else 'found'} then"
            )


def pictured(trial: Trial, model: seewhy.Model, shown: list[Street], path: Path) -> None:
    """Draw what the network finds in a photo as it is, and with the part blurred that the map blames."""
    street = next(one for one in shown if one.name == trial.photo)
    seen = sample(street.photo, model)
    left, top, right, bottom = (
        round(float(value)) for value in to_input(torch.tensor([0.0, 0.0, *street.photo.size]), seen.geometry)
    )
    parts = []
    for pixels in (seen.inputs, trial.tried):
        view = viewed(pixels, model).crop((left, top, right, bottom))
        with torch.no_grad():
            found = model.output.found(model.pick(model.module(pixels[None])))
        marks = [
            Marked(
                tuple(2 * (value - offset) for value, offset in zip(one.box, (left, top) * 2, strict=True)),
                f"{KINDS[one.kind]} {one.score:.2f}",
            )
            for one in found
        ]
        parts.append(with_boxes(view.resize((2 * view.width, 2 * view.height), Image.Resampling.LANCZOS), marks))
    whole = Image.new("RGB", (sum(part.width for part in parts) + 12, parts[0].height), "white")
    whole.paste(parts[0], (0, 0))
    whole.paste(parts[1], (parts[0].width + 12, 0))
    whole.save(path)


def main(shown: list[Street], out: Path, steps: int, masks: int, most: int) -> list[Trial]:
    """Train, count, explain what is found and missed in photos that were held out, and return whether the maps were right."""
    torch.manual_seed(0)
    held, learned = shown[::5], [street for at, street in enumerate(shown) if at % 5]
    model = detector()
    weights = out / "detector.safetensors"
    if weights.exists():
        print(f"the detector is the one in {weights}")
        load_model(model.module, weights)
    else:
        trained(learned, model, steps, more=steps > 300)
        out.mkdir(parents=True, exist_ok=True)
        save_model(model.module, weights)
    trials: list[Trial] = []
    with seewhy.Session(model, seed=0) as session:
        for name, some in (("learned", learned), ("held out", held)):
            there, right, alarms = recall(session, some)
            print(f"{name}: {len(some)} photos, {right} of {there} objects found, {alarms} false alarms")
        method = seewhy.method("rise", samples=masks, cells=10)
        for street in sorted(held, key=lambda one: -sum(truth.name != "person" for truth in one.truths))[:most]:
            truths = tuple(truth for truth in street.truths if asked(truth, street, session.model))
            try:
                seen = replace(sample(street.photo, model), name=street.name)
                report = seewhy.objects(seen, session, truths, method=method, most=4)
            except seewhy.TargetError as error:
                print(f"{street.name}: {error}")
                continue
            for ending in ("html", "png", "json"):
                report.save(out / f"{Path(street.name).stem}.objects.{ending}", force=True)
            for number, one in enumerate(report.objects):
                if one.thing.status in ("right", "missed"):
                    trials.append(tried(session, report, street, one, number))
    told(trials)
    turned = [one for one in trials if one.asked == "missed" and one.is_there and not one.was_there]
    for one in turned:
        pictured(
            one, model, shown, out / f"{Path(one.photo).stem}.{one.title.partition(':')[0].replace(' ', '-')}.tried.png"
        )
    print(f"wrote {out}")
    return trials


def asked(truth: Truth, street: Street, model: seewhy.Model) -> bool:
    """Say whether an object is large enough to be asked about."""
    boxes, _ = within((truth,), (0, 0, *street.photo.size), sample(street.photo, model).geometry)
    return len(boxes) > 0


if __name__ == "__main__":
    given = sys.argv[1:] if len(sys.argv) > 3 and Path(sys.argv[1]).is_dir() else []
    if given:
        numbers = [int(number) for number in given[3:5]]
        main(streets(Path(given[0]), Path(given[1])), Path(given[2]), *(numbers + [600, 300][len(numbers) :]), most=10)
    else:
        main(drawn_streets(20), Path(os.environ.get("OUT", "driving")), steps=120, masks=120, most=2)
