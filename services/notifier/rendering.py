"""A page as the two texts of an e-mail: plain, and HTML that reads well without pictures, in light and in dark."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from services.notifier.wording import Page

if TYPE_CHECKING:
    from jinja2 import Environment


def plain(page: Page) -> str:
    """Return the plain text."""
    return _environment().get_template("mail.txt").render(page=page)


def html(page: Page) -> str:
    """Return the HTML. Whatever a page holds stands in it as text: nothing in it becomes mark-up."""
    return _environment().get_template("mail.html").render(page=page)


@cache
def _environment() -> "Environment":
    from jinja2 import (  # noqa: PLC0415 - three megabytes; not before there is a mail
        Environment,
        FileSystemLoader,
        StrictUndefined,
        select_autoescape,
    )

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        auto_reload=False,
    )
