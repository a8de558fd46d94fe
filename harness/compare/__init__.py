"""Measures the implementations against each other: what runs, in which order."""
