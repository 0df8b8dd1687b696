"""Translation, blind."""

from bench.unseen import run
from services.translation import metrics
from services.translation.app import main

if __name__ == "__main__":
    run(main, metrics)
