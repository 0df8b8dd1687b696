"""Every sentence that the exchange itself says: refusals and labels, by code, in English.

The other 25 languages are in `contracts/locale/<language>.po`, one gettext message per code (msgctxt), with the
English text as msgid. A refusal says what is wrong and what to do, and nothing about anybody else.
"""

from typing import Final

REFUSALS: Final[dict[str, str]] = {
    # The shape of a message
    "not-json": "The message is not valid JSON. Send the body as UTF-8 JSON.",
    "wrong-shape": "The message does not have the form of its type. Correct the field named here and send it again.",
    "too-large": "The message is larger than the exchange accepts. Send less in one message.",
    "unknown-type": "The exchange knows no message of this type. Check the type and its version.",
    "wrong-routing-key": "The routing key must be the type of the message.",
    "missing-property": "A required message property is missing or wrong. Set the property named here.",
    "message-id-reused": "This message identifier was already used for another message. Use a new one.",
    "expired": "The message expired before it could be handled. Nothing was done; send it again.",
    "not-routable": "No service takes messages with this routing key. Check the type of the message.",
    # Who is speaking
    "unknown-authority": "The exchange knows no such authority. Check its number.",
    "not-your-authority": "Your system does not act for this authority.",
    "authority-not-active": "This authority is not active. Ask its coordinator.",
    "operator-only": "Only the operator of the exchange may do this.",
    # Onboarding
    "coordinator-exists": "This state already has a national coordinator.",
    "not-a-coordinator": "Only a coordinator may do this.",
    "other-state": "A coordinator decides only on authorities and systems of its own state.",
    "not-its-coordinator": "Only the coordinator to whom the application was made may decide on it.",
    "not-pending": "This application has already been decided.",
    "system-exists": "A system with this name is already connected. Choose another name.",
    # Requests
    "unknown-case": "You have no case with this number.",
    "unknown-area": "The exchange knows no such legislative area.",
    "no-access": "Your authority has no access to this legislative area. Ask its coordinator.",
    "recipient-not-found": (
        "No active authority with this number has access to the legislative area. Search for another."
    ),
    "own-state": "In this legislative area a request goes to an authority of another state.",
    "unknown-question": "The legislative area has no such question.",
    "question-not-asked": "This question was not asked in this case.",
    "answer-missing": "Every question must be answered. An answer is missing.",
    "particular-unknown": "The legislative area has no such particular.",
    "particular-missing": "A particular that the legislative area requires is missing.",
    "wrong-answer-type": "The answer is not of the type that the question asks for.",
    "unknown-option": "The question has no such option.",
    "date-in-the-past": "The date must not be in the past.",
    "not-your-step": "At this point the other authority has to act.",
    "wrong-state": "The case does not allow this step in its present state.",
    "version-passed": "The case has changed since you read it. Read it again and decide anew.",
    # Publishing legislation
    "version-published": "This version has been published and cannot be changed. Use a new version number.",
    "texts-missing": "A text that the rules name is missing in English. Send the texts first.",
    "rules-inconsistent": "The rules contradict themselves. Correct the code named here.",
}

LABELS: Final[dict[str, str]] = {
    "state.awaiting-acceptance": "Awaiting acceptance",
    "state.accepted": "Accepted",
    "state.replied": "Replied",
    "state.closed": "Closed",
    "event.sent": "Request sent",
    "event.accepted": "Request accepted",
    "event.replied": "Reply sent",
    "event.closed": "Case closed",
    "status.pending": "Application awaiting approval",
    "status.active": "Registration approved",
    "status.rejected": "Application rejected",
    "system.connected": "System connected",
}

SENTENCES: Final[dict[str, str]] = {
    **{f"refusal.{code}": text for code, text in REFUSALS.items()},
    **LABELS,
}
