"""A model of the chain from a command to its outcome, and the code beside it."""
