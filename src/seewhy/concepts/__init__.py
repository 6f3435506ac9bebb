"""What a network's features are made of, in pieces that can be seen: dictionaries, concept vectors, and what they do to the answer."""
