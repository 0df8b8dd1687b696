"""Proofs that take longer than a test may. Each is a command of its own, and ends with a line of JSON."""
