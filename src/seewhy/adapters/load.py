"""One door to every model: `load_model("efficientnet-lite0")`."""

from seewhy.adapters.efficientnet_lite import efficientnet_lite0
from seewhy.engine.model import Model
from seewhy.errors import ModelError

BUILT_IN = {"efficientnet-lite0": efficientnet_lite0}


def load_model(spec: str) -> Model:
    """Return the model that a text names."""
    if spec in BUILT_IN:
        return BUILT_IN[spec]()
    raise ModelError(f"no model {spec!r}; built in: {', '.join(BUILT_IN)}")
