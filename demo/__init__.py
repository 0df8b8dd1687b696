"""Two requests for information between real states, told as they happen on a real exchange."""
