"""Peers: what somebody would pick instead of a function of their own, in the same rounds.

``duckdb_function`` runs under the emulator as the languages' functions do and imports nothing of
the harness; ``expected`` is the harness's side.
"""
