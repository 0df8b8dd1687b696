"""Where the SMTP server is, as its URL says, and the settings that are refused."""

import pytest
from pydantic import SecretStr, ValidationError

from services.notifier.settings import Settings, sender_of
from services.notifier.smtp import Server

GOOD = {
    "amqp_url": SecretStr("amqp://a"),
    "mongo_url": SecretStr("mongodb://a"),
    "mongo_database": "notifier",
    "smtp_url": SecretStr("smtp://user:geheim@mail.example"),
    "mail_from": "Exchange <exchange@imi.example>",
    "case_link": "https://imi.example/{case}",
}


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://127.0.0.1:1025", Server("127.0.0.1", 1025, tls=False)),
        ("smtp://mail.example", Server("mail.example", 25, tls=False)),
        ("smtps://mail.example", Server("mail.example", 465, tls=True)),
        ("smtp://u%40x:p%2F%3A@mail.example:587", Server("mail.example", 587, tls=False, user="u@x", password="p/:")),
        ("smtp://[::1]:25", Server("::1", 25, tls=False)),
    ],
)
def test_a_url_names_the_server(url: str, server: Server) -> None:
    """Host, port, TLS and login are what the URL says; what it does not say is the protocol's default."""
    assert Server.at(url) == server


@pytest.mark.parametrize("url", ["", "mail.example", "http://mail.example", "smtp://", "smtp://:25", "smtp://m:x"])
def test_other_urls_are_refused(url: str) -> None:
    """A mistake is told at the start."""
    with pytest.raises(ValueError, match=r"smtp|[Pp]ort"):
        Server.at(url)


def test_a_password_is_not_shown() -> None:
    """Neither the server nor a validation error prints it."""
    assert "geheim" not in repr(Server.at("smtp://user:geheim@mail.example"))
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({**GOOD, "smtp_url": "smpt://user:geheim@mail.example"})
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("mail_from", "nobody"),
        ("mail_from", "a@x.example, b@x.example"),
        ("mail_from", ""),
        ("case_link", "https://imi.example/"),
        ("preferences_link", "imi.example/preferences"),
        ("preferences_link", "https://imi.example/>\r\nBcc: a@x.example"),
        ("poll_every", "PT0S"),
        ("mails_per_turn", 0),
    ],
)
def test_settings_that_cannot_work_are_refused(setting: str, value: object) -> None:
    """The process does not start with them, and says which it is."""
    with pytest.raises(ValidationError, match=setting):
        Settings.model_validate({**GOOD, setting: value})


def test_the_sender_may_have_a_name() -> None:
    """Name and address are told apart; the domain is the one of Message-IDs."""
    settings = Settings.model_validate(GOOD)
    sender = sender_of(settings.mail_from)
    assert (sender.display_name, sender.addr_spec, sender.domain) == ("Exchange", "exchange@imi.example", "imi.example")
