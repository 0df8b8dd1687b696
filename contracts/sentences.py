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
    "not-its-coordinator": "Only its own coordinator, or one who stands above, may do this. Ask that coordinator.",
    "not-pending": "This application has already been decided.",
    "outside-realm": (
        "This lies outside the region or the legislative area of this coordinator. Ask the coordinator above."
    ),
    "wrong-status": "The authority's present status does not allow this step. Look at its status first.",
    "nothing-proposed": "No change of this authority awaits a decision.",
    "country-fixed": "The country of an authority cannot change. Register it in the other state.",
    "access-not-held": "The authority neither has nor asks for access to this legislative area.",
    "unknown-competence": "The vocabulary of the exchange has no such competence. Use one of its codes.",
    "named-not-active": "Every authority named here must be active. Check the number named here.",
    "not-invited": "There is neither an invitation nor a rejected application with this number.",
    "successor-unfit": "The successor must be another active authority of the same state.",
    "not-to-be-found": "No active authority has this number. Search for another.",
    "bad-cursor": "This is not the cursor of a page of this search. Begin the search again.",
    # Connected systems
    "system-exists": "A system with this name is already connected. Choose another name.",
    "unknown-system": "Your state has no connected system with this name. Check the name.",
    "system-suspended": "This system is suspended or closed. Ask the coordinator who connected it.",
    "system-status": "The system's present status does not allow this step.",
    "system-in-use": "This system still acts for authorities. Name another system for them first.",
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
    "authority.appointed": "Coordinator appointed",
    "authority.invited": "Invited to register",
    "authority.applied": "Application awaiting approval",
    "authority.registered": "Registered by the coordinator",
    "authority.approved": "Registration approved",
    "authority.rejected": "Application rejected",
    "authority.access-granted": "Access to a legislative area granted",
    "authority.access-withdrawn": "Access to a legislative area withdrawn",
    "authority.updated": "Entry changed",
    "authority.change-proposed": "Change awaiting the coordinator's decision",
    "authority.change-approved": "Change approved",
    "authority.change-refused": "Change refused",
    "authority.suspended": "Registration suspended",
    "authority.reinstated": "Suspension lifted",
    "authority.closed": "Registration closed",
    "authority.system-assigned": "Another system acts for the authority",
    "system.connected": "System connected",
    "system.rotated": "New credential in force",
    "system.suspended": "System suspended",
    "system.reinstated": "System connected again",
    "system.closed": "System disconnected",
    "match.exact-name": "Exactly this name",
    "match.name-beginning": "The name begins with it",
    "match.all-words": "All words found",
    "match.some-words": "Some words found",
    "match.competence": "By its competence",
    "match.filter": "Fits the selection",
}

SENTENCES: Final[dict[str, str]] = {
    **{f"refusal.{code}": text for code, text in REFUSALS.items()},
    **LABELS,
}
