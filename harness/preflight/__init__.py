"""Finds what would stop a task in ECS, in a template before it is deployed, or in a stack."""
