"""Watches and feeds a deployed stack: backfill, redrive, status, health."""
