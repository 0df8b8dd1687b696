"""What an e-mail says, in English, by code. The other languages are in `services/notifier/locale/<language>.po`.

{case}, {date}, {time}, {zone} and {link} are filled in; a translation keeps exactly those that its English text has.
"""

from typing import Final

SENTENCES: Final[dict[str, str]] = {
    "reminder.acceptance.subject": "Please accept request {case} by {date}",
    "reminder.acceptance.body": "Request {case} awaits acceptance by your authority until {date}, {time} ({zone}).",
    "reminder.answer.subject": "Please answer request {case} by {date}",
    "reminder.answer.body": "Request {case} awaits the answer of your authority until {date}, {time} ({zone}).",
    "overdue.acceptance.subject": "Overdue: request {case} was to be accepted by {date}",
    "overdue.acceptance.body": (
        "Request {case} was to be accepted by your authority until {date}, {time} ({zone}). "
        "Please accept it now, or tell the authority that sent it when you can."
    ),
    "overdue.answer.subject": "Overdue: request {case} was to be answered by {date}",
    "overdue.answer.body": (
        "Request {case} was to be answered by your authority until {date}, {time} ({zone}). "
        "Please answer it now, or tell the authority that sent it when you can."
    ),
    "open": "Open the case: {link}",
    "footer": (
        "This message was sent automatically by the Internal Market Information exchange. Please do not reply to it."
    ),
}
