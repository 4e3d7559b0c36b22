"""The command `ssmtl`.

Imports stay inside the commands: a job's child process imports this module again, and `--help` is
asked more often than anything else.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from app.settings import Settings

cli = typer.Typer(
    name="ssmtl",
    help="One self-supervised multi-task model that serves a shop's predictions over HTTP.",
    no_args_is_help=True,
    add_completion=False,
)


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0: any free one.")] = None,
) -> None:
    """Bring the database to the newest schema and serve; runs jobs too, unless told not to."""
    gc.disable()  # while so much is imported: there is hardly any garbage to be found in it
    from app.serving import serve as serve_forever

    serve_forever(_settings(host=host, port=port))


@cli.command()
def worker() -> None:
    """Run background jobs; start as many as you like on one database."""
    from app.db.engine import make_engine
    from app.db.migrate import is_current
    from app.logs import configure_logging
    from app.worker.loop import run_until_signalled

    settings = _settings()
    configure_logging(settings.log_level)
    if not is_current(make_engine(settings.resolved_database_url)):
        typer.echo("The database has not the newest schema: run `ssmtl migrate` first.", err=True)
        raise typer.Exit(1)
    run_until_signalled(settings)


@cli.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    from app.db.migrate import upgrade
    from app.logs import configure_logging

    settings = _settings()
    configure_logging(settings.log_level)
    upgrade(settings.resolved_database_url)
    typer.echo("The database has the newest schema.")


@cli.command()
def demo(
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="online_retail_II.parquet; else a simulated shop."
        ),
    ] = None,
) -> None:
    """The main job over HTTP: import, declare tasks, train, query predictions."""
    from app.demo import run

    run(data)


def _settings(**given: Any) -> Settings:
    """The settings of the environment, except for what was given on the command line."""
    from app.settings import get_settings

    update = {name: value for name, value in given.items() if value is not None}
    return get_settings().model_copy(update=update)


def main() -> None:
    """Entry point of the console script."""
    cli()
