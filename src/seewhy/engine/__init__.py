"""The only code that touches the explained network, and only through a private twin of it."""
