"""The areas of the demonstration, published by the operator."""

from client import publishing
from client.system import System
from demo.requests import COMPANY, DIPLOMA
from demo.timeline import Timeline


async def publish_all(operator: System, told: Timeline) -> None:
    """Publish both areas, in all their languages."""
    told.chapter("An empty exchange: only the operator has an account")
    for request in (DIPLOMA, COMPANY):
        await publishing.publish(operator, request.area)
        count = len(request.area.texts)
        told.step(f"the operator publishes “{request.area.code}” version {request.area.version} in {count} languages")
