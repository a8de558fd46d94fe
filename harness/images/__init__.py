"""Puts OCI images together from files, without a daemon, and unpacks them."""
