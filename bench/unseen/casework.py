"""Casework, blind."""

from bench.unseen import run
from services.casework import metrics
from services.casework.app import main

if __name__ == "__main__":
    run(main, metrics)
