"""Computes intervals, ratios, costs, regressions and warnings from a comparison's samples."""
