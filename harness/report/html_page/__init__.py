"""Self-contained HTML pages: of a comparison, and of what a layout costs."""
