"""Prototypes: chosen as brute force chooses them, each of its own class; with every picture kept they are nearest neighbours."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from seewhy.data.dataset import Dataset
from seewhy.errors import DataError
from seewhy.surrogates.example import examples_of
from seewhy.surrogates.lesson import Lesson
from seewhy.surrogates.measure import report
from seewhy.surrogates.prototypes import SHARPNESS, Prototypes


def lesson(x, classes):
    count = int(classes.max()) + 1
    return Lesson(x, 10 * torch.eye(count)[classes], classes, tuple(range(count)))


def clouds(each, classes=3, numbers=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    owners = torch.arange(classes).repeat(each)
    middles = 1.5 * torch.randn(classes, numbers, generator=generator)
    return middles[owners] + torch.randn(len(owners), numbers, generator=generator), owners


def cosines(x, among):
    """Return the cosine of each row with each other one, in deviations from the mean of those learned from."""
    mean, spread = among.double().numpy().mean(0), among.double().numpy().std(0)
    left, right = ((part.double().numpy() - mean) / spread for part in (x, among))
    return (left @ right.T) / np.linalg.norm(left, axis=1)[:, None] / np.linalg.norm(right, axis=1)


def test_with_every_picture_kept_it_is_the_nearest_neighbour():
    x, owners = clouds(12)
    *_, last = Prototypes.path(lesson(x, owners))
    assert sorted(last.pictures.tolist()) == list(range(36))
    new = torch.randn(200, 6, generator=torch.Generator().manual_seed(1))
    wanted = owners.numpy()[cosines(new, x).argmax(axis=1)]
    assert last.scores(new).argmax(dim=1).tolist() == wanted.tolist()


def test_the_first_of_a_class_is_the_picture_that_all_of_its_class_are_most_like():
    x, owners = clouds(30)
    first = next(Prototypes.path(lesson(x, owners)))
    alike = cosines(x, x)
    for place in range(3):
        mine = np.flatnonzero(owners.numpy() == place)
        assert first.pictures[place] == mine[alike[np.ix_(mine, mine)].sum(axis=1).argmax()]


def test_of_pictures_that_are_the_same_the_one_is_taken_of_which_the_teacher_is_surest():
    x = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(10, 1)
    outputs = torch.stack([1 - 2 * x[:, 0], 2 * x[:, 0] - 1], dim=1)
    outputs[[6, 13]] *= 3
    first = next(Prototypes.path(Lesson(x, outputs, outputs.argmax(1), (0, 1))))
    assert first.pictures.tolist() == [6, 13]


def test_the_next_of_a_class_leaves_pictures_surest_by_brute_force():
    x, owners = clouds(30)
    one, two, *_ = Prototypes.path(lesson(x, owners))
    alike, own = cosines(x, x), owners.numpy()
    kept = [[int(picture)] for picture in one.pictures]

    def sure(candidate, place):
        best = np.stack(
            [alike[:, rows + [candidate] * (where == place)].max(axis=1) for where, rows in enumerate(kept)], axis=1
        )
        mine = best[np.arange(90), own]
        best[np.arange(90), own] = -np.inf
        return np.log(1 / (1 + np.exp(-SHARPNESS * (mine - best.max(axis=1))))).sum()

    for place in range(3):
        candidates = [row for row in np.flatnonzero(own == place).tolist() if row not in kept[place]]
        wanted = max(candidates, key=lambda row: sure(row, place))
        found = set(two.pictures[two.owners == place].tolist()) - set(kept[place])
        assert found == {wanted}
        kept[place].append(wanted)


def test_each_prototype_is_of_its_own_class_and_most_like_itself():
    x, owners = clouds(40)
    for model in Prototypes.path(lesson(x, owners)):
        rows = x[model.pictures]
        assert torch.equal(model.scores(rows).argmax(dim=1), owners[model.pictures])
        nearest = [found[0] for found in model.nearest(rows)]
        assert [one.picture for one in nearest] == model.pictures.tolist()
        assert all(abs(one.similarity - 1) < 1e-5 for one in nearest)


def test_shares_add_up_to_the_similarity_which_is_the_score():
    x, owners = clouds(20)
    *_, last = Prototypes.path(lesson(x, owners))
    new = torch.randn(5, 6, generator=torch.Generator().manual_seed(2))
    for row, found in zip(last.scores(new), last.nearest(new, 3), strict=True):
        assert abs(found[0].similarity - float(row.max())) < 1e-6 and found[0].class_ == int(row.argmax())
        assert all(abs(sum(one.shares) - one.similarity) < 1e-5 for one in found)
        assert found[0].similarity >= found[1].similarity >= found[2].similarity


def test_pictures_are_numbered_among_all_of_the_data_set():
    x, owners = clouds(20)
    rows = torch.arange(1, 60, 2)
    model = next(Prototypes.path(lesson(x, owners).part(rows)))
    assert set(model.examples) <= set(rows.tolist())
    again = model.units(x[model.pictures])
    torch.testing.assert_close(again, model.points)


def test_sizes_are_prototypes_per_class_and_a_small_class_keeps_what_it_has():
    x, owners = clouds(9)
    fewer = torch.cat([torch.arange(3, 27), torch.tensor([0, 1])])  # class 2 loses one
    models = list(Prototypes.path(lesson(x, owners).part(fewer)))
    assert [model.size for model in models[:3]] == [1, 2, 3]
    assert models[-1].sizes["prototypes"] == 26


def test_it_is_its_own_student():
    x, owners = clouds(30)
    models = list(Prototypes.path(lesson(x, owners)))
    itself = models[1].scores(x)
    same = Lesson(x, itself, itself.argmax(1), (0, 1, 2))
    assert report(itself, same, "abc").fidelity.value == 1


def test_a_number_that_never_moves_makes_nothing_alike():
    x, owners = clouds(10)
    still = torch.cat([torch.full((30, 1), 5.0), x], dim=1)
    *_, last = Prototypes.path(lesson(still, owners))
    assert not last.points[:, 0].any()
    assert last.nearest(still + torch.tensor([9.0] + 6 * [0]))[0][0].shares[0] == 0
    *_, without = Prototypes.path(lesson(x, owners))
    torch.testing.assert_close(last.scores(still), without.scores(x))


def test_what_is_written_down_is_read_back_bit_for_bit():
    x, owners = clouds(10)
    still = torch.cat([torch.full((30, 1), 5.0), x], dim=1)
    *_, last = Prototypes.path(lesson(still, owners))
    again = Prototypes.from_plain(json.loads(json.dumps(last.plain())))
    assert torch.equal(again.scores(still), last.scores(still)) and again.examples == last.examples
    for part, value in [("owners", [7] * 30), ("pictures", [-1] * 30), ("mean", [0.0]), ("classes", 1)]:
        with pytest.raises(ValueError, match=r"prototype|fit"):
            Prototypes.from_plain({**last.plain(), part: value})


def test_the_same_seed_gives_the_same_prototypes_where_they_are_drawn():
    x, owners = clouds(800)
    first, again, other = (
        next(islice(Prototypes.path(lesson(x, owners), seed), 3, None)).pictures.tolist() for seed in (0, 0, 1)
    )
    assert first == again != other


def test_pictures_are_found_again_by_name_and_content(tmp_path: Path):
    paths = tuple(tmp_path / f"{number}.png" for number in range(3))
    for number, path in enumerate(paths):
        Image.new("RGB", (4, 4), (80 * number, 0, 0)).save(path)
    one, two = examples_of(Dataset(tuple(map(str, paths)), (None,) * 3, paths), [2, 0])
    assert one.found() == paths[2] and two.found() == paths[0] and one.digest != two.digest
    Image.new("RGB", (4, 4), (0, 9, 0)).save(paths[2])
    with pytest.raises(DataError, match="not what it was"):
        one.found()
    paths[0].unlink()
    with pytest.raises(DataError, match="cannot be read"):
        two.found()


def test_text_names_class_picture_and_what_stands_out():
    model = Prototypes(
        torch.tensor([[0.6, -0.8]]), torch.tensor([0]), torch.tensor([4]), torch.zeros(2), torch.ones(2), 1
    )
    assert model.text(("fur", "ears"), ("dog",)) == "dog: picture 4 (little ears, much fur)"
