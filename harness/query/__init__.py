"""What a layout of the records costs the queries that read it, by a real Trino."""
