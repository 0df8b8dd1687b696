"""Notifier, blind."""

from bench.unseen import run
from services.notifier import metrics
from services.notifier.app import main

if __name__ == "__main__":
    run(main, metrics)
