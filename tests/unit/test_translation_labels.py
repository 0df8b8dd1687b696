"""What codes are called: for forms, in one language, and nothing twice."""

import pytest

from contracts.languages import LANGUAGES, STATES
from contracts.translation import Labels, ShowLabels
from services.translation import labels as module
from services.translation.labels import labels_of, standing

TERMS = {"doctor": {"en": "Doctor", "de": "Ärzte"}, "nurse": {"en": "Nurse"}, "wizard": {"fr": "Magicien"}}


def asked(of: str = "professions", language: str = "de", **more: str) -> ShowLabels:
    return ShowLabels.model_validate({"of": of, "language": language, **more})


@pytest.mark.parametrize("language", LANGUAGES)
def test_states_and_languages_have_a_name_in_every_language(language: str) -> None:
    """All of them, each another."""
    for of, codes in (("states", STATES), ("languages", LANGUAGES)):
        found = labels_of(asked(of, language), standing(asked(of, language)))
        assert found.labels
        assert set(found.labels) == set(codes)
        assert len(set(found.labels.values())) == len(codes)
        assert found.in_english is None
        assert found.next is None


def test_what_a_language_lacks_is_in_english_and_named() -> None:
    """What has no English either is left out."""
    found = labels_of(asked(), TERMS)
    assert found.labels == {"doctor": "Ärzte", "nurse": "Nurse"}
    assert found.in_english == ("nurse",)


def test_whoever_has_the_tag_gets_nothing_but_the_tag() -> None:
    """Until a label, the language or the page is another."""
    tag = labels_of(asked(), TERMS).tag
    assert labels_of(asked(tag=tag), TERMS) == Labels(of="professions", language="de", tag=tag)
    for other, terms in (
        (asked(tag=tag, language="en"), TERMS),
        (asked(tag=tag, after="a"), TERMS),
        (asked(tag=tag), {**TERMS, "doctor": {"de": "Arzt"}}),
    ):
        found = labels_of(other, terms)
        assert found.labels
        assert found.tag != tag


def test_a_long_vocabulary_comes_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each names where the next begins; the last names none."""
    monkeypatch.setattr(module, "PAGE", 2)
    assert (first := labels_of(asked(), TERMS)).next == "nurse"
    rest = labels_of(asked(after="nurse", language="fr"), {"wizard": TERMS["wizard"]})
    assert (first.labels and set(first.labels), rest.labels, rest.next) == (
        {"doctor", "nurse"},
        {"wizard": "Magicien"},
        None,
    )
