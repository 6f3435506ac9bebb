"""Rules for the way back through a network: rewrites of single operations that keep the value and change the gradient."""
