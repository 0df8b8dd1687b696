"""A case's trail as a page that can be read and printed: plain HTML, no script, nothing loaded from anywhere."""

from html import escape

from contracts.case import CaseTrail, Party, TrailStep
from contracts.types import FreeText

_STYLE = """
body { font: 11pt/1.4 serif; max-width: 50em; margin: 2em auto; padding: 0 1em; color: #111; background: #fff }
h1 { font-size: 16pt } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3em .6em; border-bottom: 1px solid #999 }
code { font-size: 8pt; word-break: break-all; color: #444 }
thead { display: table-header-group } tr { break-inside: avoid }
"""


def page_of(proof: CaseTrail) -> str:
    """Return the trail as HTML. What was typed is escaped: it stays text."""
    case = proof.case
    heads = [
        ("State", case.state.text or case.state.code),
        ("Area", f"{case.area.code}, version {case.area.version}"),
        ("Sender", _party(case.sender)),
        ("Recipient", _party(case.recipient) if case.recipient else "none yet"),
        ("Hash chain", "whole" if proof.whole else "BROKEN"),
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Case {escape(case.id)}</title>'
        f"<style>{_STYLE}</style><h1>Case {escape(case.id)}</h1><table>{''.join(_row(*head) for head in heads)}</table>"
        "<h2>Steps</h2><table><thead><tr><th>When (UTC)<th>What<th>By<th>Details</tr></thead>"
        f"{''.join(_step(step) for step in proof.steps)}</table></html>\n"
    )


def _row(name: str, value: str) -> str:
    return f"<tr><th>{escape(name)}<td>{escape(value)}</tr>"


def _party(party: Party) -> str:
    return f"{party.name} ({party.authority}, {party.country.text or party.country.code})"


def _step(step: TrailStep) -> str:
    facts = "".join(f"<div>{escape(name)}: {escape(_fact(value))}</div>" for name, value in step.facts.items())
    said = "".join(f"<div>{escape(name)}: {escape(_value(value))}</div>" for name, value in (step.said or {}).items())
    user = f"<div>{escape(step.user.id)}, {escape(step.user.role)}</div>" if step.user else ""
    cells = (
        f"{step.at:%Y-%m-%d %H:%M:%S}",
        escape(step.text or step.what),
        escape(step.by or "the exchange") + user,
        f"{facts}{said}<code>{escape(step.command)}<br>{escape(step.link)}</code>",
    )
    return f"<tr>{''.join(f'<td>{cell}' for cell in cells)}</tr>"


def _fact(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _value(value: object) -> str:
    if isinstance(value, FreeText):
        return f"{value.text} [{value.language}]"
    return _fact(value)
