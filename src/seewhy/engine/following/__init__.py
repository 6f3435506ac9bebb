"""Windows of an image: what a change touches is followed through the network, and only that runs again."""
