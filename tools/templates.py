"""Write the templates (`.pot`) from which the sentences of the exchange and of its e-mails are translated."""

from pathlib import Path

from contracts import sentences as exchange
from services.chassis.catalogue import write_template
from services.notifier import sentences as notifier


def main() -> None:
    """Write both templates into this checkout."""
    write_template(Path("contracts/locale/exchange.pot"), exchange.SENTENCES, "exchange")
    write_template(Path("services/notifier/locale/notifier.pot"), notifier.SENTENCES, "notifier")


if __name__ == "__main__":
    main()
