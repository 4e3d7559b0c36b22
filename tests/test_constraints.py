from __future__ import annotations

import re
import tomllib
from importlib.metadata import requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"([a-z0-9-]+)==([0-9][0-9a-z.]*)")


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    found = [PIN.fullmatch(line) for line in lines if not line.startswith("#")]
    assert all(found), "each line is name==version, without a place to get it from"
    return {pin[1]: pin[2] for pin in found if pin}


def installed_closure() -> dict[str, str]:
    """Version of all that the project and its development extra need here, indirectly too."""
    found: dict[str, str] = {}
    waiting = [Requirement("ssmtl[dev]")]
    seen: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        found[canonicalize_name(requirement.name)] = version(requirement.name)
        for needed in map(Requirement, requires(requirement.name) or ()):
            extras = requirement.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(needed)
    del found["ssmtl"]
    return found


def test_what_is_installed_is_what_is_pinned() -> None:
    pinned = pins()
    # A local part, such as torch's `+cpu`, says how it was built.
    installed = {name: found.partition("+")[0] for name, found in installed_closure().items()}
    bundled_by_cuda = {
        name for name in installed if re.match("nvidia-|cuda-|triton", name)
    }  # torch pins those itself
    expected = {name: pinned.get(name) for name in installed.keys() - bundled_by_cuda}
    assert {name: installed[name] for name in expected} == expected


def test_every_extra_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {canonicalize_name(Requirement(one).name) for group in groups for one in group}
    assert names <= pins().keys()


def test_the_pins_are_in_order() -> None:
    assert list(pins()) == sorted(pins())
