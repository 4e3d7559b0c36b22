"""The service's settings: the only place that reads the environment.

Each setting is an environment variable with the prefix `SSMTL_`, e.g. `SSMTL_DATABASE_URL`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of one process; see the field descriptions."""

    model_config = SettingsConfigDict(env_prefix="SSMTL_", env_file=".env", extra="ignore")

    data_dir: Path = Field(
        default=Path("var"), description="where event parts, uploads and artifacts lie"
    )
    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL; without it SQLite in the data directory. PostgreSQL: "
        "postgresql+psycopg://user:password@host/database",
    )
    host: str = Field(default="127.0.0.1", description="address that `serve` listens on")
    port: int = Field(default=8000, ge=0, le=65535, description="port that `serve` listens on")
    embedded_worker: bool = Field(
        default=True, description="whether `serve` also runs the background jobs"
    )
    max_upload_bytes: int = Field(
        default=8 * 2**30, gt=0, description="largest upload, after decompression"
    )
    lease_s: float = Field(
        default=30.0, gt=0, description="a job whose worker is silent for so long is taken over"
    )
    poll_s: float = Field(default=0.2, gt=0, description="how often an idle worker looks for a job")
    schedule_check_s: float = Field(
        default=10.0, gt=0, description="how often a worker looks whether a schedule is due"
    )
    compaction_events: int = Field(
        default=20_000,
        ge=1,
        description="so many events that were posted become a part; a worker looks whenever it "
        "looks for schedules",
    )
    compaction_age_s: float = Field(
        default=900.0, gt=0, description="fewer do so when the oldest of them waits for so long"
    )
    retention_interval_s: float = Field(
        default=86_400.0,
        ge=0,
        description="how often old job logs and orphaned files are removed; 0: never",
    )
    orphan_grace_s: float = Field(
        default=86_400.0,
        ge=60,
        description="a file that no row names is removed once it is unchanged for so long; no "
        "upload may take longer",
    )
    job_log_days: float = Field(
        default=90.0,
        gt=0,
        description="log lines and progress of jobs that ended so long ago are removed",
    )
    stored_versions: int | None = Field(
        default=None,
        ge=1,
        description="so many of a dataset's newest model versions keep their stored predictions, "
        "and those with an alias; by default all do",
    )
    prediction_set_days: float = Field(
        default=90.0,
        gt=0,
        description="stored predictions that newer ones have taken the place of, or that were made "
        "for download, are removed so long after, as is what was logged; live reports look at "
        "what is kept",
    )
    shadow_share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="share of the online predictions that are also asked of the version that the "
        "alias `shadow` points to",
    )
    cancel_grace_s: float = Field(
        default=1.0, gt=0, description="a cancelled job that has not stopped by then is killed"
    )
    max_running_jobs: int | None = Field(
        default=None, ge=1, description="jobs that run at a time; by default one per worker"
    )
    max_running_jobs_per_dataset: int = Field(
        default=1, ge=1, description="jobs of one dataset that run at a time; the others wait"
    )
    checkpoint_s: float = Field(
        default=60.0,
        gt=0,
        description="how much of its training a job may lose at most; it keeps a checkpoint after "
        "every epoch, and so often within a long one",
    )
    pulse_file: Path | None = Field(
        default=None,
        description="a worker touches this file every second while it is well: for health checks",
    )
    job_threads: int | None = Field(
        default=None,
        ge=1,
        description="CPU threads of a running job; by default all cores but one, of a prediction "
        "job all",
    )
    loaded_models: int = Field(
        default=4, ge=1, description="models, with their logs, that an API process keeps in memory"
    )
    index_memory_mb: int = Field(
        default=512,
        ge=16,
        description="about how much memory making an event index takes, beside ids and attributes",
    )
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")

    @property
    def resolved_database_url(self) -> str:
        """The database URL, SQLite in the data directory by default."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'ssmtl.sqlite3').absolute()}"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
