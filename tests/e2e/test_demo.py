"""`ssmtl demo` on a small shop: everything that it promises is printed."""

from __future__ import annotations

import pytest

from app.demo import journey, shops


@pytest.mark.slow
def test_the_demo_shows_what_it_promises(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"USERS": 300, "ITEMS": 60, "DAYS": 460}.items():
        monkeypatch.setattr(shops, name, value)

    journey.run(None)

    shown = capsys.readouterr().out
    assert "0 rejected" in shown
    assert "Skill on held-out time" in shown
    assert "user_purchase_30d" in shown
    assert "Strongest edges of the task graph" in shown
    assert shown.count("│ u00") == 10
    assert "Best-selling month of year" in shown
    assert "/docs" in shown
