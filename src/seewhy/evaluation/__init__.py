"""How far to trust a map: where its evidence lies, and what happens when that place is hidden."""
