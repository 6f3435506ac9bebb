"""How much of the picture a layer looks at from one position: the size of the patches that show a concept."""

import torch

from seewhy.concepts.pictures import ConceptPictures
from seewhy.engine.session import Session
from seewhy.visualization.patches import Field
from seewhy.visualization.receptive_field import effective_field

EYES = 6
"""Concepts whose strongest pictures the field is measured on."""


def field_of(session: Session, pictures: ConceptPictures) -> Field | None:
    """Return the square that holds 95 % of the gradient of the channel that counts most in a concept, where that is strongest; over some concepts.

    None where the layer has no places, or the square is the whole picture. See `seewhy.visualization.receptive_field.effective_field`.
    """
    features, dictionary = pictures.features, pictures.dictionary
    if len(features.cells) != 2:
        return None
    picked = torch.linspace(0, len(dictionary) - 1, min(EYES, len(dictionary))).round().long().tolist()
    rows, channels, positions = [], [], []
    for concept in picked:
        row = int(pictures.peaks[:, concept].argmax())
        place = int(pictures.codes[row, concept].argmax())
        rows.append(row)
        positions.append(place)
        channels.append(int((features.activation[row].flatten(1)[:, place] * dictionary.atoms[concept]).argmax()))
    batch = next(features.data.part(rows).batches(session.model, len(rows), features.fit))
    kept = torch.tensor(batch.places)  # a picture that is gone by now is left out
    return effective_field(
        session.network,
        features.layer,
        batch.inputs,
        channels=torch.tensor(channels)[kept],
        positions=torch.tensor(positions)[kept],
        grid=features.cells,
    )
