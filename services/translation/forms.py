"""What a system needs to build a form: an area's questions, with their words in one language. Pure."""

import hashlib
import json

from contracts.languages import LAST_RESORT
from contracts.translation import AreaRules, Form, ItemRule, ShowForm
from services.translation.area import AreaTexts, options_of


def form_of(asked: ShowForm, version: int, rules: AreaRules, area: AreaTexts) -> Form:
    """Return the form, or no more than its tag when whoever asks has it already."""
    questions = tuple(item for item in rules.questions if asked.set in (None, item.set))
    own, english = area.texts.get(asked.language, {}), area.texts.get(LAST_RESORT, {})
    codes = _codes(rules, questions)
    texts = {code: own.get(code) or english.get(code, "") for code in codes}
    tag = _tag(asked, version, texts)
    if tag == asked.tag:
        return Form(area=asked.area, version=version, language=asked.language, tag=tag)
    return Form(
        area=asked.area,
        version=version,
        language=asked.language,
        tag=tag,
        particulars=rules.particulars,
        questions=questions,
        texts=texts,
        in_english=tuple(code for code in codes if code not in own) or None,
    )


def _codes(rules: AreaRules, questions: tuple[ItemRule, ...]) -> list[str]:
    """The codes of all texts that the form shows, each once, in its order."""
    codes = ["title"]
    for kind, items in (("particular", rules.particulars), ("question", questions)):
        for item in items:
            codes += [f"set.{item.set}"] if item.set else []
            codes += [f"group.{item.group}"] if item.group else []
            codes += [f"{kind}.{item.code}", *(f"{kind}.{item.code}.{option}" for option in options_of(item))]
    return list(dict.fromkeys(codes))


def _tag(asked: ShowForm, version: int, texts: dict[str, str]) -> str:
    words = json.dumps([asked.area, version, asked.language, asked.set, texts], ensure_ascii=False)
    return hashlib.blake2b(words.encode(), digest_size=16).hexdigest()
