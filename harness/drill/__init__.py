"""Drills of nights: a deployed stack on a local AWS, a fault, and who notices it."""
