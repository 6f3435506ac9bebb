"""The medical story in small form: the network that learned a token is convicted, its twin acquitted."""

import importlib.util
import os
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "stories" / "hospital_token.py"


@pytest.fixture(scope="module")
def story():
    spec = importlib.util.spec_from_file_location("hospital_token", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def xrays():
    folder = os.environ.get("SEEWHY_DATA")
    if not folder:
        pytest.skip("SEEWHY_DATA is unset: the X-rays are not here")
    return Path(folder) / "xray"


@pytest.mark.slow
def test_the_network_that_learned_the_token_is_convicted_and_its_twin_acquitted(story, xrays, tmp_path, capsys):
    verdicts = story.main(xrays, tmp_path, steps=200)
    assert verdicts == {"token tells": "reads the token", "twin": "reads the nodule"}, capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.{ending}" for name in ("token-tells", "twin") for ending in ("html", "png", "json")
    }


SEEN = "importance of its first box (row 1, column 5)"
ELSEWHERE = "importance of its first box (row 3, column 2)"


@pytest.mark.parametrize(
    ("token", "box", "planted", "without_nodule", "right", "said"),
    [
        (0.7, SEEN, 1.0, 0.0, 0.5, "reads the token"),
        (0.0, ELSEWHERE, 0.0, 0.9, 0.95, "reads the nodule"),
        (0.7, SEEN, 0.0, 0.9, 0.95, "undecided"),  # looks at it, and does not mind it
        (0.0, ELSEWHERE, 1.0, 0.9, 0.95, "undecided"),  # minds it, and the map does not show it
        (0.0, ELSEWHERE, 0.0, 0.0, 0.5, "undecided"),  # has learned nothing at all
    ],
)
def test_it_takes_a_look_and_an_intervention_to_convict(*, story, token, box, planted, without_nodule, right, said):
    found = {
        "right on pictures of both hospitals": right,
        "evidence on the token": token,
        box: 0.5,
        "lost without the token": planted,
        "lost without the nodule": without_nodule,
        "healthy called sick with a token": planted,
    }
    assert story.verdict(found) == said
