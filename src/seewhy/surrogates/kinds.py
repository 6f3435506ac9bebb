"""Every kind of readable model, by its key."""

from seewhy.surrogates.additive import Additive
from seewhy.surrogates.hierarchy import Hierarchy
from seewhy.surrogates.linear import Linear
from seewhy.surrogates.prototypes import Prototypes
from seewhy.surrogates.rules import Rules
from seewhy.surrogates.surrogate import Surrogate
from seewhy.surrogates.tree import Tree


def kinds() -> dict[str, type[Surrogate]]:
    """Return every kind of readable model by its key."""
    return {kind.key: kind for kind in (Linear, Tree, Hierarchy, Rules, Additive, Prototypes)}
