"""What changes from one version of an area to the next, and what that means for cases: begun ones keep theirs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from client.legislation import Area

What = Literal["added", "gone", "changed", "reworded", "translated", "rule"]
_PARTS: Final = (("particulars", "particular"), ("questions", "question"))


@dataclass(frozen=True)
class Difference:
    """One thing that is different: its code, what has become of it, and how it was and is."""

    code: str
    what: What
    detail: str = ""


def differences(old: Area, new: Area) -> list[Difference]:
    """Return what is different in `new`, in the order of its file.

    A text whose English is another is reworded; one that reads otherwise in other languages alone is translated.
    A case that was begun with the old version keeps it, its texts too: none of this touches it.
    """
    return [*_rules(old, new), *_items(old, new), *_texts(old, new)]


def _rules(old: Area, new: Area) -> Iterator[Difference]:
    parts = {name for name, _ in _PARTS}
    for name in sorted((old.rules.keys() | new.rules.keys()) - parts):
        before, after = old.rules.get(name), new.rules.get(name)
        if before != after:
            yield Difference(name, "rule", f"{before} → {after}")


def _items(old: Area, new: Area) -> Iterator[Difference]:
    for part, kind in _PARTS:
        before, after = _by_code(old, part), _by_code(new, part)
        for code in after:
            if code not in before:
                yield Difference(f"{kind}.{code}", "added")
            elif changed := _changed(before[code], after[code]):
                yield Difference(f"{kind}.{code}", "changed", changed)
        yield from (Difference(f"{kind}.{code}", "gone") for code in before if code not in after)


def _by_code(area: Area, part: str) -> dict[str, dict[str, Any]]:
    return {item["code"]: item for item in area.rules[part]}


def _changed(before: dict[str, Any], after: dict[str, Any]) -> str:
    names = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    return "; ".join(f"{name}: {before.get(name)} → {after.get(name)}" for name in names)


def _texts(old: Area, new: Area) -> Iterator[Difference]:
    before = {message.code: message.english for message in old.messages}
    for message in new.messages:
        if message.code not in before:
            continue
        if before[message.code] != message.english:
            yield Difference(message.code, "reworded", f"{before[message.code]} → {message.english}")
        elif languages := _translated_anew(old, new, message.code):
            yield Difference(message.code, "translated", ", ".join(languages))


def _translated_anew(old: Area, new: Area, code: str) -> list[str]:
    languages = sorted(old.texts.keys() | new.texts.keys())
    return [one for one in languages if old.texts.get(one, {}).get(code) != new.texts.get(one, {}).get(code)]


def consequence(old: Area, new: Area, found: Sequence[Difference]) -> str:
    """Return what publishing `new` means for cases, in a sentence."""
    if not found:
        return "Nothing is different."
    if new.version <= old.version:
        return f"Version {new.version} cannot follow version {old.version}: raise it before it is published."
    return (
        f"Open cases keep version {old.version}: their rules, questions and words stay as they are. "
        f"Cases that begin after publication have version {new.version}."
    )
