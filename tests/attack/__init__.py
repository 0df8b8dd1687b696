"""What a connected system that wants harm can try, by its own valid account: `python -m tests.attack`."""
