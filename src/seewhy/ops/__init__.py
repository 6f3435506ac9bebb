"""Mathematics on tensors: no module, no state, no knowledge of networks."""
