"""A deployed stack: the comparison on it, and the days that it aggregates."""
