"""Whether a dictionary speaks of this network and this layer."""

from seewhy.concepts.dictionary import Dictionary
from seewhy.data.shelf import network_digest, preprocessing_of
from seewhy.engine.model import Model
from seewhy.errors import ModelError


def check_fits(dictionary: Dictionary, model: Model, layer: str | None = None) -> None:
    """Refuse a dictionary that was not made for this network, not at this layer, or for pictures that were prepared otherwise.

    Args:
        dictionary: in question; one without a fingerprint is only checked for its layer.
        model: the network.
        layer: where it is to be used; where the dictionary says if None.

    Raises:
        ModelError: it is another network's, another layer's, or of other preprocessing.
    """
    if layer is not None and dictionary.layer and layer != dictionary.layer:
        raise ModelError(
            f"the dictionary takes layer {dictionary.layer!r} apart, asked is {layer!r}; leave the layer out, or fit another dictionary"
        )
    made_from = dictionary.fingerprint
    if made_from is None:
        return
    if made_from.network != network_digest(model.module):
        raise ModelError(
            f"the dictionary was fitted on another network than {model.title}: its weights, or its structure, are not those of this one; "
            "fit one anew with `seewhy concepts`, or name the network that it was fitted on"
        )
    now = preprocessing_of(model)
    if differing := sorted(name for name in now if made_from.preprocessing.get(name) != now[name]):
        raise ModelError(
            f"the dictionary was fitted on the same network with other preprocessing ({', '.join(differing)}); state it as it was then"
        )
