"""`python -m client` is `imi`, where the distribution is not installed, as in its image."""

from client.cli import main

main()
