"""`imi` takes secrets from files, as the services do."""

from pathlib import Path

import pytest

from client.environment import read_files, trust


def test_what_a_file_holds_counts_as_if_it_stood_in_the_environment(tmp_path: Path) -> None:
    """Without the newline that an editor leaves at the end; what is not ours is left alone."""
    (tmp_path / "url").write_text("amqp://hu-nis:word@127.0.0.1/imi\n")
    environment = {"IMI_URL_FILE": str(tmp_path / "url"), "IMI_MAIL_FROM": "a@b.example", "OTHER_FILE": "/nowhere"}
    read_files(environment)
    assert environment["IMI_URL"] == "amqp://hu-nis:word@127.0.0.1/imi"
    assert environment.keys() == {"IMI_URL_FILE", "IMI_URL", "IMI_MAIL_FROM", "OTHER_FILE"}


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Rather than an empty address."""
    with pytest.raises(FileNotFoundError):
        read_files({"IMI_URL_FILE": str(tmp_path / "missing")})


def test_with_an_authority_imi_connects_to_nobody_else() -> None:
    """It takes the place of those that the machine trusts; an address in the clear is an error that quotes nothing."""
    environment = {
        "IMI_CA": "/ca",
        "IMI_URL": "amqps://a:b@host/imi",
        "IMI_REPLICAS": "https://one:8000,https://two:8000",
    }
    trust(environment)
    assert environment["SSL_CERT_FILE"] == "/ca"
    for name, url in (("IMI_URL", "amqp://a:word@host/imi"), ("IMI_REPLICAS", "https://one:8000,http://two:8000")):
        with pytest.raises(ValueError, match="certificate authority") as refused:
            trust({"IMI_CA": "/ca", name: url})
        assert "word" not in str(refused.value)
    plain = {"IMI_URL": "amqp://a:b@host/imi"}
    trust(plain)
    assert plain == {"IMI_URL": "amqp://a:b@host/imi"}


def test_with_an_authority_no_database_is_asked_in_the_clear() -> None:
    """Its address, of several members too, is made one that is encrypted; one that forbids it is an error."""
    environment = {"IMI_CA": "/ca", "IMI_MONGO_URL": "mongodb://a:word@one:1,two:2/?authSource=casework"}
    trust(environment)
    assert environment["IMI_MONGO_URL"] == "mongodb://a:word@one:1,two:2/?tls=true&tlsCAFile=/ca&authSource=casework"
    with pytest.raises(ValueError, match="encryption off") as refused:
        trust({"IMI_CA": "/ca", "IMI_MONGO_URL": "mongodb://a:word@one/?tls=false"})
    assert "word" not in str(refused.value)
