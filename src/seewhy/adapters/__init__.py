"""Where models come from: the built-in network, a file, or another library."""
