"""What the signatures say about shapes holds while methods, engine, targets and evaluation run."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHECKED = ("contracts", "engine/test_session.py", "evaluation", "contributions", "ops", "render", "targets")


@pytest.mark.slow
def test_shapes_are_as_the_signatures_say(request):
    if request.config.getoption("--shapes"):
        pytest.skip("this whole run checks shapes")
    folders = [str(HERE / name) for name in CHECKED]
    options = ["--shapes", "-q", "-x", "-m", "not door and not slow", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *folders],
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
