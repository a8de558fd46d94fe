"""Measures the implementations against each other: the rows, and the order of invocations."""
