"""The previous release's services and this one's in any mix, under load: forward one by one, and back again.

`python -m tests.proof.upgrading`. Each service in turn, in an order of chance, gets a replica of the other release
beside its own; then its own goes. The last line is JSON; the exit status is 1 when anything that systems should have
seen is missing or doubled, or was parked.
"""

import argparse
import asyncio
import logging
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from babel.messages.pofile import read_po, write_po

from contracts.topology import SERVICES
from deploy.local.exchange import PROCESSES
from tests.proof.moving import Moving, under_load
from tests.proof.scaling import told

ROOT: Final = Path(__file__).parents[2]
PREVIOUS: Final = (ROOT / "deploy" / "previous-release").read_text().strip()
"""The commit that services may still run while others run this one."""


LOCALES: Final = (Path("contracts", "locale"), Path("services", "notifier", "locale"))
"""Where the exchange's own sentences and those of its e-mails are, in either release."""


def has_previous() -> bool:
    """Say whether the previous release is at hand: a shallow clone has none."""
    there = subprocess.run(["git", "-C", str(ROOT), "cat-file", "-e", f"{PREVIOUS}^{{tree}}"], check=False, timeout=20)
    return there.returncode == 0


def unpack(folder: Path) -> None:
    """Put the files of the previous release into a folder."""
    folder.mkdir()
    packed = subprocess.run(
        ["git", "-C", str(ROOT), "archive", PREVIOUS, "contracts", "services", "client"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed.stdout, check=True, timeout=60)
    for locale in LOCALES:
        for path in (folder / locale).glob("*.po"):
            _have_it_say(path, ROOT / locale / path.name)


def _have_it_say(path: Path, words: Path) -> None:
    """Give a catalogue of the previous release the words that this one has for the same English text.

    A sentence may be put better from release to release, and a repetition that the other release answers says it so.
    All else must be the same to the letter: with the same words in both, that is what is compared. What an e-mail tells
    is known by its words, too.
    """
    with path.open("rb") as theirs, words.open("rb") as ours:
        said, better = read_po(theirs), read_po(ours)
    for message in said:
        there = better.get(message.id, message.context) if message.id else None
        if there and there.string:
            message.string = there.string
    with path.open("wb") as file:
        write_po(file, said)


class Upgrade:
    """Forward and back, service by service."""

    def __init__(self, folder: Path, seed: int, rest: float = 2.0) -> None:
        """`folder` has the previous release; `rest` is for how many seconds a mix is left as it is."""
        self._folder = folder
        self._chance = random.Random(seed)
        self._rest = rest

    async def __call__(self, moving: Moving) -> None:
        """Go back to the previous release, and forward again: every mix in between is under load."""
        for release in ("previous", "this"):
            services = list(SERVICES)
            self._chance.shuffle(services)
            for service in services:
                moving.tell(f"{moving.clock():7.1f} s  {service}: to {release} release")
                replaced = list(moving.exchange.of(service))
                if release == "this":
                    await moving.add(service)
                else:
                    await moving.add(service, release, module="tests.proof.older", settings=self._older(service))
                await asyncio.sleep(self._rest)
                await moving.take_away(*replaced)

    def _older(self, service: str) -> dict[str, str]:
        return {"IMI_TEST_FOLDER": str(self._folder), "IMI_TEST_MODULE": PROCESSES[service]}


def main() -> int:
    """Run, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=8, help="cases that are begun in a second")
    given = parser.parse_args()
    if not has_previous():
        print(f"the previous release, {PREVIOUS}, is not in this clone: fetch the whole history")
        return 1
    logging.getLogger("aiormq").disabled = True
    Path(".local").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="upgrading-", dir=".local") as folder:
        unpack(Path(folder) / "previous")
        move = Upgrade(Path(folder).resolve() / "previous", given.seed)
        seen = asyncio.run(under_load(Path(folder), move, rate=given.rate, seed=given.seed, tell=print))
    return told(seen)


if __name__ == "__main__":
    sys.exit(main())
