from __future__ import annotations

import json
import re
import tomllib

import pytest

from app.settings import Settings
from tests.containers.files import ROOT, dockerfile, final_stage
from tests.containers.probing import answering, is_healthy

FINAL = dict(final_stage())


def test_both_stages_have_the_chosen_base() -> None:
    assert dockerfile()[0][0] == "ARG"
    bases = [text.split()[0] for name, text in dockerfile() if name == "FROM"]
    assert bases == ["${BASE_IMAGE}", "${BASE_IMAGE}"]


def test_it_runs_as_nobody_in_particular() -> None:
    uid, gid = FINAL["USER"].split(":")
    assert int(uid) >= 10_000
    assert int(gid) >= 10_000
    assert json.loads(FINAL["VOLUME"]) == ["/var/lib/ssmtl"]


def test_what_the_image_sets_are_settings() -> None:
    given = dict(re.findall(r"SSMTL_([A-Z_]+)=(\S+)", FINAL["ENV"]))
    names = {name.lower() for name in given}
    assert names <= set(Settings.model_fields)
    assert given["DATA_DIR"] == "/var/lib/ssmtl"


def test_nothing_is_installed_in_what_is_shipped() -> None:
    runs = " ".join(text for name, text in final_stage() if name == "RUN")
    assert not re.search(r"\b(apt-get|apt|apk|pip)\b", runs)


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_image_is_well_when_it_is_ready(status: int, healthy: bool) -> None:
    command = json.loads(FINAL["HEALTHCHECK"].partition("CMD ")[2])
    with answering(status) as port:
        assert is_healthy(command, {"SSMTL_PORT": str(port)}) is healthy


def test_every_package_is_copied_and_nothing_that_is_ignored() -> None:
    copied = {
        source
        for name, text in dockerfile()
        if name == "COPY" and not text.startswith("--from")
        for source in text.split()[:-1]
    }
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    admitted = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert "*" in lines
    assert copied == admitted
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {package.removesuffix("*") for package in packages} <= copied
    assert project["project"]["readme"] in copied
