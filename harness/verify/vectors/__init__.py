"""The test vectors, and the judge with its checks."""
