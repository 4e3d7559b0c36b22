from __future__ import annotations

from pathlib import Path

from app.settings import Settings

PAGE = Path(__file__).parents[1] / "docs" / "deployment.md"
HEADER = "| variable | default | meaning |\n|---|---|---|\n"


def settings_table() -> str:
    """The table that the page should hold; each row is a setting, in the order of the code."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = str(field.default).lower() if field.annotation is bool else str(field.default)
        shown = "none" if field.default is None else f"`{default}`"
        rows.append(f"| `SSMTL_{name.upper()}` | {shown} | {field.description} |\n")
    return HEADER + "".join(rows)


def test_the_page_has_every_setting_as_it_is_in_the_code() -> None:
    written = HEADER + PAGE.read_text().partition(HEADER)[2].partition("\n\n")[0] + "\n"
    assert written == settings_table()
