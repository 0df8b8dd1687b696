"""Faults on purpose, under load, and what must hold all the same: `python -m tests.chaos`."""
