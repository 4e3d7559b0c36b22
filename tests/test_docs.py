from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
ON_THE_CODE = [ROOT / "docs" / "architecture.md", ROOT / "docs" / "method.md", *DECISIONS]

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"(?<![\w./-])(?:app|model|tests|migrations)/[\w./<>*-]*")
DOTTED = re.compile(r"`((?:app|model)(?:\.\w+)+)")
CONSTANT = re.compile(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`")
SOURCES = [path for folder in ("app", "model") for path in sorted((ROOT / folder).rglob("*.py"))]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)
each_decision = pytest.mark.parametrize("page", DECISIONS, ids=name_of)


def slugs(text: str) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_relative_links_resolve(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        assert not anchor or anchor in slugs(target.read_text()), link


@each_page
def test_named_paths_exist(page: Path) -> None:
    found = (path.rstrip(".") for path in PATH.findall(page.read_text()))
    named = [path for path in found if not re.search(r"[<>*]|\.\.", path)]
    assert [path for path in named if not (ROOT / path).exists()] == []


def is_in_code(dotted: str) -> bool:
    """Whether the modules exist, and the last of them has the rest of the name."""
    place, *rest = dotted.split(".")
    path = ROOT / place
    while rest and ((path / rest[0]).is_dir() or (path / f"{rest[0]}.py").is_file()):
        path = path / rest.pop(0)
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return not rest or re.search(rf"\b{rest[0]}\b", file.read_text()) is not None


@each_page
def test_named_modules_exist(page: Path) -> None:
    named = [name for name in DOTTED.findall(page.read_text()) if not name.endswith(".json")]
    assert [name for name in named if not is_in_code(name)] == []


@pytest.mark.parametrize("page", ON_THE_CODE, ids=name_of)
def test_named_constants_exist(page: Path) -> None:
    code = "\n".join(source.read_text() for source in SOURCES)
    named = CONSTANT.findall(page.read_text())
    assert [name for name in named if not re.search(rf"^{name}\b", code, re.MULTILINE)] == []


def first_cells(text: str) -> list[str]:
    """The first cells of all table rows, without headers."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    bodies = [
        row
        for row, following in zip(rows, [*rows[1:], ""], strict=True)
        if not row.startswith("|---") and not following.startswith("|---")
    ]
    return [row.split("|")[1].strip() for row in bodies]


def test_words_of_the_glossary_have_one_meaning() -> None:
    words = first_cells((ROOT / "docs" / "glossary.md").read_text())
    assert words
    assert [word for word, count in Counter(words).items() if count > 1] == []


@each_decision
def test_decisions_say_why_and_what_follows(page: Path) -> None:
    text = page.read_text()
    assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", page.name)
    assert text.startswith(f"# {page.name[:4]} ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_decisions_are_numbered_in_turn() -> None:
    numbers = [int(page.name[:4]) for page in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_dependency_has_a_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = [re.split(r"[\[=<>~!; ]", name)[0] for group in groups for name in group]
    explained = first_cells((ROOT / "docs" / "decisions" / "0006-libraries.md").read_text())
    assert sorted(explained) == sorted(declared)
