"""What an e-mail says, in English, by code. The other languages are in `services/notifier/locale/<language>.po`.

{case}, {date}, {time}, {zone}, {link}, {count} and {authority} are filled in; a translation keeps those that its
English text has.
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
    "reminder.clarification.subject": "Please answer the clarification in case {case} by {date}",
    "reminder.clarification.body": (
        "Case {case} awaits a clarification from your authority until {date}, {time} ({zone})."
    ),
    "overdue.clarification.subject": "Overdue: the clarification in case {case} was due by {date}",
    "overdue.clarification.body": (
        "The clarification in case {case} was due from your authority by {date}, {time} ({zone}). Please give it now."
    ),
    "escalated.subject": "Overdue: case {case} is waiting for an authority that you coordinate",
    "escalated.body": (
        "A deadline in case {case} passed on {date}, {time} ({zone}). The authority that you coordinate has not acted."
    ),
    "notices.subject": "Notices from the exchange: {count}",
    "notice.arrived": "Request {case} has arrived at your authority.",
    "notice.accepted": "Your request {case} has been accepted.",
    "notice.replied": "Your request {case} has been answered.",
    "notice.clarification-asked": "A clarification is asked of you in case {case}.",
    "notice.clarified": "The clarification in case {case} has been given.",
    "notice.referred": "Case {case} has been referred to you as coordinator.",
    "notice.decided": "The coordinators have decided in case {case}.",
    "notice.forwarded": "Request {case} has been forwarded to your authority.",
    "notice.withdrawn": "Request {case} has been withdrawn.",
    "notice.refused": "Your request {case} has been refused.",
    "notice.returned": "Your request {case} has been returned to you.",
    "notice.approval-asked": "Request {case} awaits your approval.",
    "notice.closed": "Case {case} has been closed.",
    "notice.message": "A message has arrived in case {case}.",
    "notice.idle": "Case {case} has stood still for a long time; you are involved as coordinator.",
    "notice.registration-approved": "The registration of your authority has been approved.",
    "notice.registration-refused": "The registration of your authority has been refused.",
    "notice.registration-suspended": "The registration of your authority has been suspended.",
    "notice.registration-reinstated": "The suspension of your authority's registration has been lifted.",
    "digest.subject": "Daily summary from the exchange: {count}",
    "gathered.overdue": "Overdue: {count}",
    "gathered.next": "Next deadline: {date}",
    "undeliverable.subject": "E-mails do not reach {authority}",
    "undeliverable.body": (
        "E-mails from the exchange do not reach {authority}, an authority that you coordinate. "
        "Please have its contact addresses checked and corrected."
    ),
    "label.case": "Case",
    "label.awaited": "Awaited",
    "label.until": "Deadline",
    "awaited.acceptance": "Acceptance of the request",
    "awaited.answer": "Answer to the request",
    "awaited.clarification": "Clarification",
    "calendar.acceptance": "Accept request {case}",
    "calendar.answer": "Answer request {case}",
    "calendar.clarification": "Give the clarification in case {case}",
    "open": "Open the case: {link}",
    "open.button": "Open the case",
    "preferences": "Choose which e-mails your authority receives",
    "footer": (
        "This message was sent automatically by the Internal Market Information exchange. Please do not reply to it."
    ),
}
