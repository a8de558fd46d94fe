"""Builds the packages with `sam build` and checks them."""
