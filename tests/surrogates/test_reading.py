"""What students read: a name that is none, a table without need, attributes without a table."""

import pytest
import torch

from seewhy.concepts.vectors import ConceptVectors
from seewhy.errors import ConfigError
from seewhy.surrogates.reading import Reading, check_reading


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("chanels", None, None), "nearest: 'channels'"),
        (("attributes", None, None), "from a table"),
        (("concepts", "table.csv", None), "for students that read attributes"),
        (("superpixels", None, "file"), "for students that read attributes"),
    ],
)
def test_what_cannot_be_read_is_said(given, told):
    with pytest.raises(ConfigError, match=told):
        check_reading(*given)


def test_of_given_concepts_those_are_read_that_beat_random_pictures():
    concepts = ConceptVectors(
        torch.eye(3), torch.zeros(3), ("fur", "ears", "noise"), settings={"verified": [True, True, False]}
    )
    basis = Reading.of(concepts, 16, "auto", None, None).basis(None, torch.arange(3), 0)
    assert basis.names == ("fur", "ears")
