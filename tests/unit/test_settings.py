"""Settings come from the environment, secrets from files that it names; neither is ever shown."""

import os
import re
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from services.casework.settings import Settings
from services.chassis.settings import BrokerSettings
from services.notifier.settings import Settings as NotifierSettings
from services.registry.provisioner import Settings as ProvisionerSettings
from services.registry.settings import Settings as RegistrySettings
from services.translation.settings import Settings as TranslationSettings

URL = "amqp://service.casework:opensesame@127.0.0.1:5672/imi"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without settings."""
    for name in [name for name in os.environ if name.startswith("IMI_")]:
        monkeypatch.delenv(name)


def test_a_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name with `IMI_` before it; the others have their defaults."""
    monkeypatch.setenv("IMI_AMQP_URL", URL)
    monkeypatch.setenv("IMI_HTTP_PORT", "8123")
    settings = BrokerSettings.load()
    assert (settings.amqp_url.get_secret_value(), settings.http_port) == (URL, 8123)
    assert settings.http_host == "127.0.0.1", "nothing listens on all interfaces unless told to"


def test_a_setting_is_read_from_the_file_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the newline that an editor leaves at the end."""
    (tmp_path / "url").write_text(f"{URL}\n")
    monkeypatch.setenv("IMI_AMQP_URL_FILE", str(tmp_path / "url"))
    assert BrokerSettings.load().amqp_url.get_secret_value() == URL


def test_a_file_goes_before_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever mounts a secret means it."""
    (tmp_path / "url").write_text(URL)
    monkeypatch.setenv("IMI_AMQP_URL", "amqp://default")
    monkeypatch.setenv("IMI_AMQP_URL_FILE", str(tmp_path / "url"))
    assert BrokerSettings.load().amqp_url.get_secret_value() == URL


def test_a_missing_setting_is_named() -> None:
    """Before anything is connected."""
    with pytest.raises(ValidationError) as raised:
        Settings.load()
    assert {error["loc"] for error in raised.value.errors()} == {
        (name,) for name in ("amqp_url", "mongo_url", "mongo_database", "keys", "root_keys")
    }


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rather than the setting that it should have held."""
    monkeypatch.setenv("IMI_AMQP_URL_FILE", str(tmp_path / "no-such-file"))
    with pytest.raises(FileNotFoundError, match="no-such-file"):
        BrokerSettings.load()


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither printed nor dumped, nor in the error about another setting."""
    monkeypatch.setenv("IMI_AMQP_URL", URL)
    settings = BrokerSettings.load()
    assert "opensesame" not in f"{settings} {settings!r} {settings.model_dump_json()}"
    monkeypatch.setenv("IMI_HTTP_PORT", "no port")
    with pytest.raises(ValidationError) as raised:
        BrokerSettings.load()
    assert "opensesame" not in str(raised.value)


def test_with_an_authority_every_address_must_be_encrypted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One in the clear ends the process before anything is sent, and the error does not quote it."""
    authority = tmp_path / "ca.crt"
    authority.touch()
    monkeypatch.setenv("IMI_CA", str(authority))
    monkeypatch.setenv("IMI_AMQP_URL", URL)
    with pytest.raises(ValidationError, match="amqp_url") as raised:
        BrokerSettings.load()
    assert "opensesame" not in str(raised.value)
    monkeypatch.setenv("IMI_AMQP_URL", URL.replace("amqp://", "amqps://"))
    assert f"cafile={authority}" in BrokerSettings.load().amqp_url.get_secret_value()


@pytest.mark.parametrize("missing", ["IMI_HTTP_CERTIFICATE", "IMI_HTTP_KEY"])
def test_a_certificate_without_its_key_is_a_mistake(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str
) -> None:
    """Rather than figures in the clear."""
    monkeypatch.setenv("IMI_AMQP_URL", URL)
    for name in {"IMI_HTTP_CERTIFICATE", "IMI_HTTP_KEY"} - {missing}:
        (tmp_path / "file").touch()
        monkeypatch.setenv(name, str(tmp_path / "file"))
    with pytest.raises(ValidationError, match="both or neither"):
        BrokerSettings.load()


KINDS = [RegistrySettings, ProvisionerSettings, Settings, TranslationSettings, NotifierSettings]
DOCUMENTED = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_is_documented(kind: type[BrokerSettings]) -> None:
    """Whoever runs a process finds each of its settings in docs/settings.md."""
    assert [name for name in kind.model_fields if f"`{name}`" not in DOCUMENTED] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_default_can_be_typed_as_it_is_documented(kind: type[BrokerSettings]) -> None:
    """A number or a period that is taken from docs/settings.md is the default."""
    cells = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]*?)`? \|", DOCUMENTED, re.MULTILINE))
    counted = {
        name: of.default for name, of in kind.model_fields.items() if type(of.default) in (int, float, timedelta)
    }
    typed = {name: TypeAdapter(type(of)).validate_strings(cells[name]) for name, of in counted.items() if name in cells}
    assert typed == {name: counted[name] for name in typed}
    assert counted.keys() - typed.keys() <= {"http_port"}, "which shares its line"


def test_a_process_says_which_release_it_is() -> None:
    """Where nobody names a build, the version is that of this distribution."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert BrokerSettings.model_fields["version"].default == project["version"]
