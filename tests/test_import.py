"""A bare import, and the help of the command line, load nothing heavy."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "PIL", "matplotlib", "sklearn", "transformers", "torchvision", "jinja2")


@pytest.mark.parametrize("code", ["import seewhy", "import seewhy, seewhy.cli", "import seewhy.cli; seewhy.cli.app"])
def test_a_bare_import_loads_nothing_heavy(code):
    check = f"{code}\nimport sys\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("arguments", [["--help"], ["explain", "--help"], ["--version"]])
def test_help_is_light(arguments):
    code = (
        f"import sys, time\nsys.argv = ['seewhy', *{arguments!r}]\nfrom seewhy.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code in (0, None), end.code\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], time.process_time(), file=sys.stderr)"
    )
    spent = []
    for _ in range(3):  # the least of three: machines are shared
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        loaded, seconds = done.stderr.strip().rsplit(" ", 1)
        assert loaded == "[]"
        spent.append(float(seconds))
    assert min(spent) < 0.5


def test_every_public_name_is_there():
    import seewhy

    for name in seewhy.__all__:
        assert getattr(seewhy, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'explian'"):
        seewhy.explian  # noqa: B018
