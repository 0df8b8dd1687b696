"""The two cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from client.legislation import Area
from contracts.case import CaseView, Rating
from contracts.casework import AcceptRequest, CloseCase, Reply, SendRequest
from contracts.inbox import CaseUpdate
from contracts.registry import Search
from contracts.types import FreeText, User, Value
from demo.onboarding import Office
from demo.timeline import Timeline, check, reads, side_by_side

HANDLER = User(id="case-handler", role="request-handler")


@dataclass(frozen=True)
class Request:
    """What one authority asks another, and what that one answers."""

    area: Area
    search: str
    particulars: Mapping[str, Value]
    comment: str
    answers: Mapping[str, Value]
    wished_in: timedelta = timedelta(days=21)


class Story:
    """One case between two authorities, from the search to the closing, with every claim checked."""

    def __init__(self, sender: Office, recipient: Office, request: Request, told: Timeline) -> None:
        """Nothing happens yet."""
        self._sender = sender
        self._recipient = recipient
        self._request = request
        self._told = told

    async def ask(self) -> CaseView:
        """Search for the recipient and send the request; return it as the recipient reads it before acceptance."""
        await self._search()
        outcome = await self._sender.system.do(self._send())
        received = await update(self._recipient, "sent")
        sent = outcome.case
        assert sent
        check(received.particulars is None, "the recipient sees personal data before it has accepted")
        self._in_language(received, self._recipient)
        self._told.step(
            f"{self._sender.name} asks {self._recipient.name}",
            side_by_side(reads(self._sender.name, sent), reads(self._recipient.name, received)),
        )
        return received

    async def accept(self, case: str) -> None:
        """Accept; from now on the recipient sees everything."""
        outcome = await self._recipient.system.do(AcceptRequest(authority=self._recipient.id, case=case, user=HANDLER))
        check(outcome.case and outcome.case.particulars, "the recipient sees no particulars after acceptance")
        assert outcome.case
        seen = await update(self._sender, "accepted")
        check(seen.state.code == "accepted", "the sender was not told of the acceptance")
        text = f"{self._recipient.name} accepts, and now sees whom it is about; answer due {outcome.case.agreed_date}"
        self._told.step(text, reads(self._recipient.name, outcome.case))

    async def answer(self, case: str) -> None:
        """Answer by picking answers; the sender reads them in its own language."""
        reply = Reply(authority=self._recipient.id, case=case, answers=dict(self._request.answers), user=HANDLER)
        outcome = await self._recipient.system.do(reply)
        read = await update(self._sender, "replied")
        assert outcome.case
        self._in_language(read, self._sender)
        check(all(item.value_text for item in read.questions), "an answer has no text")
        self._told.step(
            f"{self._recipient.name} answers; {self._sender.name} reads it in its own language",
            side_by_side(reads(self._recipient.name, outcome.case), reads(self._sender.name, read)),
        )

    async def close(self, case: str) -> None:
        """Accept the reply, rate it, and close."""
        rating = Rating(timeliness="good", effort="good")
        outcome = await self._sender.system.do(
            CloseCase(authority=self._sender.id, case=case, rating=rating, user=HANDLER)
        )
        last = await update(self._recipient, "closed")
        check(outcome.case and outcome.case.state.code == last.state.code == "closed", "the case is not closed")
        self._told.step(f"{self._sender.name} closes the case; {self._recipient.name} reads: “{last.state.text}”")

    async def _search(self) -> None:
        country, area = self._recipient.details.country, self._request.area.code
        search = Search(country=country, area=area, text=self._request.search)
        outcome = await self._sender.system.do(search)
        found = [one.card.id for one in outcome.found or ()]
        check(found == [self._recipient.id], f"the directory found {found}")
        self._told.step(
            f"{self._sender.name} searches {country} for “{self._request.search}” and finds {self._recipient.name}"
        )

    def _send(self) -> SendRequest:
        language = self._sender.details.languages[0]
        return SendRequest(
            authority=self._sender.id,
            recipient=self._recipient.id,
            area=self._request.area.code,
            questions=tuple(self._request.answers),
            particulars=dict(self._request.particulars),
            comment=FreeText(text=self._request.comment, language=language),
            wished_date=datetime.now(UTC).date() + self._request.wished_in,
            user=HANDLER,
        )

    def _in_language(self, case: CaseView, reader: Office) -> None:
        """Every question must stand there in the reader's own language, word for word as in the legislation."""
        language = reader.details.languages[0]
        texts = self._request.area.texts[language]
        for item in case.questions:
            check(item.text == texts[f"question.{item.code}"], f"{item.code} is not in {language}")


async def update(reader: Office, happening: str) -> CaseView:
    """Return the case as it comes to the reader's inbox when this has happened to it."""
    async with reader.system.expecting() as inbox:
        async for message in inbox:
            if isinstance(message, CaseUpdate) and message.case.event.code == happening:
                return message.case
    raise AssertionError
