"""Slides for a class: ``docs/slides/`` as one page, with code, tables and plots of the project."""
