"""The target on AWS: the functions of a deployed stack."""
