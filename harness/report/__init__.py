"""Reports of a comparison: on the terminal, as Markdown, CSV, JSON and HTML."""
