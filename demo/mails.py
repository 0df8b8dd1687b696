"""The e-mails of a deadline that nobody meets."""

import asyncio

from demo.onboarding import Office
from demo.timeline import Timeline, check, letters
from deploy.local.mail import Mailbox


async def reminders(mailbox: Mailbox, reader: Office, case: str, told: Timeline) -> None:
    """Return when a reminder and an overdue notice have arrived, in the reader's language and without personal data."""
    address = reader.details.contacts[0]
    async with asyncio.timeout(60):
        while len(mailbox.to(address)) < 2:  # noqa: ASYNC110 - they come in another thread
            await asyncio.sleep(0.1)
    mails = mailbox.to(address)
    for mail in mails:
        check(case in str(mail["Subject"]), "the case number is not in the subject")
        check(mail["Content-Language"] == reader.details.languages[0], "not in the reader's language")
        check("Dupont" not in mail.as_string(), "personal data in an e-mail")
    told.step(
        f"{reader.name} does nothing: it is reminded, and told again when the deadline has passed",
        letters(mails),
    )
