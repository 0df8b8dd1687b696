"""Load: how many whole cases a second the exchange closes, beside the same domain in plain FastStream."""
