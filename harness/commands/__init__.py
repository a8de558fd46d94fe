"""The commands of the command line: one module for each, with its arguments and its actions."""
