import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.likeness import alike

NAMES = st.lists(st.text("abcdefg ", min_size=1, max_size=20).filter(str.strip), min_size=1, max_size=3)


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("zahnarztekammer wurselen", "zahnarztekammer wurselen", True),
        ("wurselen zahnarztekammer", "zahnarztekammer wurselen", True),
        ("zahnarztekamer wurselen", "zahnarztekammer wurselen", True),
        ("comune di milano", "comune di milano ufficio", True),
        ("arztekammer", "rechtsanwaltskammer", False),
        ("ordine dei medici", "ordine degli avvocati", False),
        ("", "amt", False),
    ],
)
def test_names_are_alike_when_most_of_their_letters_or_words_agree(name: str, other: str, *, same: bool) -> None:
    """A slip of the pen and another order of words are the same name; another profession is not."""
    assert alike([name], [other]) is same


@given(NAMES, NAMES)
def test_likeness_is_mutual_and_everybody_is_like_itself(names: list[str], others: list[str]) -> None:
    """It does not matter who was there first."""
    assert alike(names, names)
    assert alike(names, others) == alike(others, names)
