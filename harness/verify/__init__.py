"""Judges outputs and behaviour against SPEC.md."""
