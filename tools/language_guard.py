"""How often the language guard warns in vain: `python -m tools.language_guard`.

Asked of every text of the legislation in this repository, in all its languages: those that are long enough, with their
own mark, and with that of another language, which each gets in turn. The last line is JSON; the exit status is 1 when
more than half a per cent of the marks that are right are doubted.
"""

import json
import sys
from collections import defaultdict
from itertools import cycle
from pathlib import Path
from typing import Final

from client.legislation import load
from contracts.languages import LANGUAGES
from services.translation.guard import SHORTEST, another, load_model

LEGISLATION: Final = Path(__file__).parent.parent / "legislation"
GOAL: Final = 0.5
"""Per cent of false alarms."""


def texts() -> list[tuple[str, str]]:
    """Return each text that is long enough, with its language."""
    areas = [load(file.parent) for file in sorted(LEGISLATION.glob("*/area.yaml"))]
    found = {(language, text) for area in areas for language, some in area.texts.items() for text in some.values()}
    return sorted((language, text) for language, text in found if len(text) >= SHORTEST)


def main() -> int:
    """Ask, and say how it went."""
    model, wrong = load_model(), cycle(LANGUAGES)
    asked, in_vain, missed = defaultdict[str, int](int), defaultdict[str, int](int), defaultdict[str, int](int)
    for language, text in texts():
        other = next(one for one in wrong if one != language)
        asked[language] += 1
        in_vain[language] += another(model, text, language) is not None
        missed[language] += another(model, text, other) is None
    print("language  texts  in vain  missed")
    for language in LANGUAGES:
        print(f"{language:8} {asked[language]:6} {in_vain[language]:8} {missed[language]:7}")
    total = sum(asked.values())
    false_alarms, unnoticed = (100 * sum(some.values()) / total for some in (in_vain, missed))
    print(json.dumps({"texts": total, "false_alarms_pct": round(false_alarms, 2), "missed_pct": round(unnoticed, 2)}))
    return 0 if false_alarms <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
