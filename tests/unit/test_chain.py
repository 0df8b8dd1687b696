import copy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from bson import decode, encode
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.chain import LINK, broken_at, link_of

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
    | st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - zoned there
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc-", min_size=1, max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
ENTRIES = st.dictionaries(st.sampled_from(["what", "at", "by", "answers", "comment"]), VALUES, min_size=1)
HISTORIES = st.lists(ENTRIES, min_size=1, max_size=6)


def chained(entries: list[dict[str, Any]], document: str = "A") -> list[dict[str, Any]]:
    history, before = [], document
    for entry in entries:
        before = link_of(before, entry)
        history.append({**entry, LINK: before})
    return history


@given(HISTORIES)
def test_a_chain_is_whole_also_after_the_database_has_had_it(entries: list[dict[str, Any]]) -> None:
    """Moments lose their microseconds there, and lists their tuples: the links do not depend on either."""
    options: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
    stored = decode(encode({"history": chained(entries)}), options)["history"]
    assert broken_at("A", stored) is None


@given(HISTORIES, st.data())
def test_whatever_is_changed_is_found(entries: list[dict[str, Any]], data: st.DataObject) -> None:
    """A field changed, an entry dropped, swapped or doubled: the first broken link is where it happened."""
    history = chained([{**entry, "place": place} for place, entry in enumerate(entries)])
    place = data.draw(st.integers(0, len(history) - 1))
    changed = copy.deepcopy(history)
    changed[place]["place"] = -1
    assert broken_at("A", changed) == place
    if place < len(history) - 1:
        assert broken_at("A", history[:place] + history[place + 1 :]) == place
    assert broken_at("A", [*history[: place + 1], history[place], *history[place + 1 :]]) == place + 1


def test_a_history_is_no_other_documents() -> None:
    """The first link covers the document's id."""
    history = chained([{"what": "sent"}])
    assert broken_at("A", history) is None
    assert broken_at("B", history) == 0


def test_the_same_moment_in_another_zone_is_the_same_entry() -> None:
    """What counts is when it was."""
    moment = datetime(2026, 3, 2, 9, tzinfo=UTC)
    other = moment.astimezone(timezone(timedelta(hours=2)))
    assert link_of("A", {"at": moment}) == link_of("A", {"at": other})
