"""Peers: existing programs for the same task, measured in the same rounds.

``duckdb_function`` runs under the emulator and imports nothing of the harness. ``trino_sandbox``
runs a server in place of the emulator. ``expected`` judges both.
"""
