"""Real digits: how far a tree and a hierarchy of concepts come, and that concepts are worth something in both."""

import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from seewhy.concepts.fitting import fit_dictionary
from seewhy.data.dataset import Dataset
from seewhy.data.features import Features
from seewhy.data.shelf import Fingerprint
from seewhy.surrogates.basis import ConceptScores
from seewhy.surrogates.distilling import Course, Material, distilled
from seewhy.surrogates.hierarchy import Hierarchy
from seewhy.surrogates.lesson import Splits
from seewhy.surrogates.tree import Tree


@pytest.fixture(scope="module")
def material():
    """Pixels as features, a logistic regression on them as the network."""
    given = load_digits()
    raw, labels = torch.from_numpy(given.data / 16).float(), torch.from_numpy(given.target)
    network = LogisticRegression(max_iter=300).fit(raw[::2].numpy(), labels[::2].numpy())
    outputs = torch.from_numpy(network.decision_function(raw.numpy())).float()
    data = Dataset(tuple(map(str, range(len(raw)))), tuple(labels.tolist()))
    features = Features("pixels", raw, None, outputs, labels, data, Fingerprint("", "", {}), (8, 8))
    splits = Splits.drawn(features.predicted, 0)
    basis = ConceptScores(fit_dictionary(features.part(splits.fit), "nmf", 16))
    return Material(features, basis, splits, tuple(map(str, range(10))))


def test_a_small_tree_of_concepts_beats_one_of_random_directions(material):
    student = distilled(Tree, material, Course())
    (point,) = [point for point in student.frontier.points if point.size == 15]
    assert point.fidelity > 0.62 and point.gap.low > 0.02
    assert student.frontier.area.low > 0


def test_a_hierarchy_says_more_than_a_tree_on_a_shorter_path(material):
    tree, hierarchy = (distilled(kind, material, Course(draws=1)) for kind in (Tree, Hierarchy))
    assert hierarchy.fidelity > tree.fidelity + 0.05 and hierarchy.fidelity > 0.9
    assert hierarchy.surrogate.mean_path < tree.surrogate.mean_path
