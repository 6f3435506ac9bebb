"""Feature importance: how much each part of the network contributes to a decision."""
