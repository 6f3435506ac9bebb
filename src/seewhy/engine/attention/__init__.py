"""The attention of a transformer in one pass: its weights, their gradients, and where their tokens lie in the picture."""
