"""Publish an area over the queue, as the operator; and say how much of it is translated."""

from collections.abc import Sequence

from client.legislation import Area
from client.system import System
from contracts.languages import LANGUAGES
from contracts.translation import AreaRules, PublishArea, PutTexts


async def publish(operator: System, area: Area) -> None:
    """Lay down the texts of every language, then publish the version. Raises `client.system.Refused`."""
    for language, texts in area.texts.items():
        await operator.do(PutTexts(area=area.code, version=area.version, language=language, texts=dict(texts)))
    rules = AreaRules.model_validate(area.rules)
    await operator.do(PublishArea(area=area.code, version=area.version, rules=rules))


def coverage(areas: Sequence[Area]) -> dict[str, list[float]]:
    """Return by language the share of its texts (0 to 1) that each area has."""
    return {one: [len(area.texts.get(one, {})) / len(area.messages) for area in areas] for one in LANGUAGES}
