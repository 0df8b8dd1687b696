"""Publish an area over the queue, as the operator; and say how much of it is translated."""

from collections.abc import Sequence

from client.legislation import Area
from client.system import System
from contracts.languages import LANGUAGES
from contracts.translation import AreaRules, PublishArea, PutTexts


async def publish(operator: System, area: Area) -> None:
    """Lay down the texts of every language, then publish the version. Raises `client.system.Refused`."""
    for command in commands_of(area):
        await operator.do(command)


def commands_of(area: Area) -> list[PutTexts | PublishArea]:
    """Return the commands that publish an area. Until the last has been carried out, nobody sees anything of it."""
    code, version, rules = area.code, area.version, AreaRules.model_validate(area.rules)
    texts = [PutTexts(area=code, version=version, language=one, texts=texts) for one, texts in area.texts.items()]
    return [*texts, PublishArea(area=code, version=version, rules=rules)]


def coverage(areas: Sequence[Area]) -> dict[str, list[float]]:
    """Return by language the share of its texts (0 to 1) that each area has."""
    return {one: [len(area.texts.get(one, {})) / len(area.messages) for area in areas] for one in LANGUAGES}
