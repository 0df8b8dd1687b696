"""What is asked and answered in the two cases. The persons and companies are made up."""

from pathlib import Path

from client.legislation import load
from contracts.types import FreeText
from demo.cast import QUALIFICATIONS, SERVICES
from demo.story import Request

LEGISLATION = Path(__file__).parent.parent / "legislation"

DIPLOMA = Request(
    area=load(LEGISLATION / QUALIFICATIONS),
    search="oktatasi",
    particulars={
        "holder-name": FreeText(text="Dr. Kovács Eszter", language="hu"),
        "date-of-birth": "1988-04-17",
        "profession": "dentist",
        "diploma-title": FreeText(text="okleveles fogorvos", language="hu"),
        "diploma-number": FreeText(text="F-2013/0417", language="hu"),
        "awarding-body": FreeText(text="Semmelweis Egyetem", language="hu"),
    },
    comment="Die Antragstellerin möchte sich in Düsseldorf niederlassen.",
    answers={
        "is-diploma-genuine": "yes",
        "is-diploma-awarded-by-named-body": "yes",
        "date-of-award": "2013-06-28",
        "profession-regulated": "yes",
        "entitled-to-practise": "entitled",
    },
)

COMPANY = Request(
    area=load(LEGISLATION / SERVICES),
    search="banque entreprises",
    particulars={
        "company-name": FreeText(text="Construction Dupont SRL", language="fr"),
        "registration-number": FreeText(text="0123.456.749", language="fr"),
        "place": FreeText(text="Namur", language="fr"),
        "service-activity": FreeText(text="Obras de construcción", language="es"),
        "contact-person": FreeText(text="Camille Dupont", language="fr"),
    },
    comment="La empresa va a reformar la plaza mayor.",
    answers={
        "lawfully-established": "yes",
        "established-since": "2009-03-02",
        "registered-activity-covers-service": "yes",
        "insurance-held": "insured",
        "insurance-covers-other-states": "yes",
    },
)
