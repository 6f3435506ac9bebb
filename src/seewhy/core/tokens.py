"""What methods have in common that drop tokens of a transformer."""

from seewhy.core.method import Anatomy
from seewhy.errors import LayerError, MethodError


def dropping_layer(anatomy: Anatomy, key: str) -> str:
    """Return the layer behind which tokens can be dropped; raise `MethodError` where the network has none.

    Args:
        anatomy: of the network.
        key: of the method that asks.
    """
    try:
        return anatomy.token_layer
    except LayerError as error:
        raise MethodError(
            f"{key} drops tokens, and {error}; 'occlusion' and 'rise' hide parts of the picture instead, which any network allows"
        ) from error
