"""The checker of types and shapes that `pytest --shapes` puts over the package."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a float, as for every other checker
