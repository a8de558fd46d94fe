"""Computes on the samples of a comparison: intervals, ratios, costs, caveats."""
