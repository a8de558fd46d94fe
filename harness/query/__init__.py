"""The costs of queries by the layout of the records, measured in a real Trino."""
