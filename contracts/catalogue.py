"""Every message type there is, by its name."""

from collections.abc import Mapping
from typing import Final

from contracts import casework, dates, directory, inbox, notifier, registry, translation
from contracts.types import Message

SERVICE_COMMANDS: Final[Mapping[str, tuple[type[Message], ...]]] = {
    "registry": registry.COMMANDS,
    "casework": casework.COMMANDS,
    "translation": translation.COMMANDS,
    "notifier": notifier.COMMANDS,
}
COMMANDS: Final[Mapping[str, type[Message]]] = {
    kind.TYPE: kind for kinds in SERVICE_COMMANDS.values() for kind in kinds
}
INBOX: Final[Mapping[str, type[Message]]] = {kind.TYPE: kind for kind in inbox.INBOX}
EVENTS: Final[Mapping[str, type[Message]]] = {
    kind.TYPE: kind for kind in (*directory.EVENTS, *dates.EVENTS, *translation.EVENTS)
}
CHANGES: Final[Mapping[str, frozenset[str]]] = {
    "registry": frozenset(kind.TYPE for kind in registry.COMMANDS if kind not in registry.QUESTIONS),
    "casework": frozenset(kind.TYPE for kind in casework.CHANGES),
    "translation": frozenset(kind.TYPE for kind in translation.CHANGES),
    "notifier": frozenset(kind.TYPE for kind in notifier.CHANGES),
}
"""By service, the commands that change something: they are worth playing again."""
