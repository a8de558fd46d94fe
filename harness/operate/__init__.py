"""Operates a deployed stack: backfill, redrive, status and health."""
