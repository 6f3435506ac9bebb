"""Readable models that say the same as a network, and how nearly they do."""
