"""Finds the programs that the machine has and makes the pinned ones."""
