"""The test vectors, the judge that reads their outcome, and what it checks."""
