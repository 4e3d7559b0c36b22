from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from typer.main import get_command

from app.cli import cli
from app.settings import Settings
from tests.containers.files import ROOT, compose, final_stage
from tests.containers.probing import answering, is_healthy

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
OURS = {"api", "worker", "migrate"}
REQUIRED_VARIABLE = re.compile(r"\$\{[A-Z_]+:\?[^}]+\}")
SETTINGS = {f"SSMTL_{name.upper()}" for name in Settings.model_fields}


def environment_of(service: str) -> dict[str, Any]:
    environment: dict[str, Any] = SERVICES[service]["environment"]
    return environment


def test_the_services() -> None:
    assert set(SERVICES) == OURS | {"postgres"}
    commands = get_command(cli).commands  # type: ignore[attr-defined]
    for name in OURS:
        assert SERVICES[name]["command"][0] in commands


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_stands_in_the_file(service: str) -> None:
    environment = environment_of(service)
    secrets = [name for name in environment if re.search("PASS|SECRET|TOKEN|KEY", name)]
    assert secrets
    for name in secrets:
        assert REQUIRED_VARIABLE.fullmatch(environment[name]), f"{name}: a way to say it is missing"
    if service in OURS:
        assert make_url(environment["SSMTL_DATABASE_URL"]).password is None


@pytest.mark.parametrize("service", sorted(OURS))
def test_what_is_set_is_a_setting(service: str) -> None:
    given = {name for name in environment_of(service) if name.startswith("SSMTL_")}
    assert given <= SETTINGS


def test_every_setting_can_be_set() -> None:
    """In the image, for one service, or from .env: a new setting has to be given its place."""
    in_image = set(re.findall("SSMTL_[A-Z_]+(?==)", dict(final_stage())["ENV"]))
    in_compose = {name for service in OURS for name in environment_of(service)}
    assert in_image | in_compose >= SETTINGS


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_do_little(service: str) -> None:
    declared = SERVICES[service]
    assert declared["read_only"] is True
    assert any(mount.startswith("/tmp:size=") for mount in declared["tmpfs"])
    assert declared["cap_drop"] == ["ALL"]
    assert declared["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in declared
    assert "memory" in declared["deploy"]["resources"]["limits"]


def test_only_this_machine_reaches_the_api_and_nobody_else_is_reached() -> None:
    published = {name: declared.get("ports", []) for name, declared in SERVICES.items()}
    assert all(port.startswith("127.0.0.1:") for port in published.pop("api"))
    assert not any(published.values())
    outside = {name for name in SERVICES if "front" in SERVICES[name]["networks"]}
    assert outside == {"api"}
    assert compose()["networks"]["back"] == {"internal": True}


def test_what_waits_for_what() -> None:
    ready = {
        "migrate": {"condition": "service_completed_successfully"},
        "postgres": {"condition": "service_healthy"},
    }
    assert SERVICES["api"]["depends_on"] == ready
    assert SERVICES["worker"]["depends_on"] == ready
    assert SERVICES["migrate"]["depends_on"] == {"postgres": ready["postgres"]}


def test_what_runs_on_is_restarted_and_checked_and_migrate_ends() -> None:
    for name in SERVICES.keys() - {"migrate"}:
        assert SERVICES[name]["restart"] == "unless-stopped"
        assert {"test", "interval", "timeout", "retries", "start_period"} <= set(
            SERVICES[name]["healthcheck"]
        )
        assert "stop_grace_period" in SERVICES[name]
    assert SERVICES["migrate"]["restart"] == "no"
    assert SERVICES["migrate"]["healthcheck"] == {"disable": True}


def test_api_and_worker_share_the_data_and_the_worker_is_not_in_the_api() -> None:
    for name in ("api", "worker"):
        assert SERVICES[name]["volumes"] == ["data:/var/lib/ssmtl"]
    environment = environment_of("api")
    assert Settings(_env_file=None, embedded_worker=environment["SSMTL_EMBEDDED_WORKER"]) == (
        Settings(_env_file=None, embedded_worker=False)
    )


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_api_is_well_when_it_is_ready(status: int, healthy: bool) -> None:
    command = SERVICES["api"]["healthcheck"]["test"][1:]
    with answering(status) as port:
        asked = [part.replace(":8000/", f":{port}/") for part in command]
        assert asked != command
        assert is_healthy(asked) is healthy


def test_a_worker_is_well_while_its_pulse_is_fresh(tmp_path: Path) -> None:
    command = SERVICES["worker"]["healthcheck"]["test"][1:]
    pulse = tmp_path / "pulse"
    asked = [
        part.replace(environment_of("worker")["SSMTL_PULSE_FILE"], str(pulse)) for part in command
    ]
    assert asked != command
    assert not is_healthy(asked)
    pulse.touch()
    assert is_healthy(asked)
    minute_ago = time.time() - 60
    os.utime(pulse, (minute_ago, minute_ago))
    assert not is_healthy(asked)


def test_the_example_of_env_names_what_compose_reads() -> None:
    read = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    handed_on = {
        name for service in OURS for name, value in environment_of(service).items() if value is None
    }
    example = (ROOT / ".env.example").read_text()
    shown = set(re.findall(r"^#?([A-Z_]+)=", example, flags=re.MULTILINE))
    assert read <= shown <= read | handed_on
    assert re.findall(r"^[A-Z_]+=.*$", example, flags=re.MULTILINE) == ["POSTGRES_PASSWORD="]
