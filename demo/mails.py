"""The e-mails of a deadline that nobody meets."""

import asyncio
from email.message import EmailMessage

from demo.onboarding import Office
from demo.timeline import Timeline, check, letters
from deploy.local.mail import Mailbox


async def reminders(mailbox: Mailbox, reader: Office, case: str, told: Timeline) -> None:
    """Return when a reminder and an overdue notice have arrived, in the reader's language and without personal data."""
    address = reader.details.contacts[0]

    def about_it() -> list[EmailMessage]:
        return [mail for mail in mailbox.to(address) if case in str(mail["Subject"])]

    async with asyncio.timeout(60):
        while len(about_it()) < 2:  # noqa: ASYNC110 - they come in another thread
            await asyncio.sleep(0.1)
    mails = about_it()
    for mail in mails:
        check(mail["Content-Language"] == reader.details.languages[0], "not in the reader's language")
        check("Dupont" not in mail.as_string(), "personal data in an e-mail")
    told.step(
        f"{reader.name} does nothing: it is reminded, and told again when the deadline has passed",
        letters(mails),
    )
