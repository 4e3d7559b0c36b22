"""The service with one more route, which answers a constant: what a request costs at the least.

python -m benchmarks.serving.served
"""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from app.main import create_app
from app.serving import serve
from app.settings import Settings, get_settings

router = APIRouter()


class Constant(BaseModel):
    """The answer."""

    answer: str = "constant"


@router.get("/noop")
async def noop() -> Constant:
    """Nothing is asked of anybody."""
    return Constant()


def create_app_with_noop(settings: Settings) -> FastAPI:
    """The service's own application and the route."""
    app = create_app(settings)
    app.include_router(router)
    return app


if __name__ == "__main__":
    serve(get_settings(), build=create_app_with_noop)
