"""Passes under rules: operations on the path are rewritten and counted, and the way back follows the rules."""
