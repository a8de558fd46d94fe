"""The changes that each language's usual library makes when it parses and prints a record."""
