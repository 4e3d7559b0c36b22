# One image, several commands: `serve` (the default), `worker`, `migrate`.
#
# Any Debian-like base with Python 3.11+ and its venv module does, e.g. a mirror's or a hardened one.
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build

# pip reads these two itself: a package index to take instead of, or beside, the default one. The
# default one's torch brings CUDA; an index of CPU builds makes the image several gigabytes smaller.
ARG PIP_INDEX_URL=
ARG PIP_EXTRA_INDEX_URL=

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /build
RUN python3 -m venv /opt/ssmtl

# The dependencies are a layer of their own, kept while only the code changes.
COPY pyproject.toml constraints.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > requirements.txt \
    && /opt/ssmtl/bin/pip install --constraint constraints.txt --requirement requirements.txt

COPY README.md LICENSE ./
COPY app ./app
COPY model ./model
COPY migrations ./migrations
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/ssmtl/bin/pip install --no-build-isolation --no-deps . \
    && /opt/ssmtl/bin/pip check \
    && /opt/ssmtl/bin/pip uninstall --yes pip

# The machine code lies beside the modules, which nobody can write to later; for any processor.
ENV NUMBA_CPU_NAME=generic
RUN /opt/ssmtl/bin/python3 -I -c "import app.ingest.compiled_keys, model.snapshots, model.compiled as c; c.compile_all()"


FROM ${BASE_IMAGE}

LABEL org.opencontainers.image.title="ssmtl" \
      org.opencontainers.image.description="One self-supervised multi-task model that serves a shop's predictions over HTTP" \
      org.opencontainers.image.licenses="Apache-2.0"

# A fixed id, so that volumes keep their owner from one version to the next.
RUN groupadd --system --gid 10001 ssmtl \
    && useradd --system --uid 10001 --gid ssmtl --no-create-home --home-dir /var/lib/ssmtl \
        --shell /usr/sbin/nologin ssmtl \
    && install --directory --owner=ssmtl --group=ssmtl --mode=0750 /var/lib/ssmtl

COPY --from=build /opt/ssmtl /opt/ssmtl

ENV PATH=/opt/ssmtl/bin:$PATH \
    HOME=/tmp \
    NUMBA_CPU_NAME=generic \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SSMTL_DATA_DIR=/var/lib/ssmtl \
    SSMTL_HOST=0.0.0.0 \
    SSMTL_PORT=8000

USER 10001:10001
WORKDIR /var/lib/ssmtl
# With /tmp, the only place that is written to: the root file system may be read-only.
VOLUME ["/var/lib/ssmtl"]
EXPOSE 8000

HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['SSMTL_PORT']}/readyz\", timeout=4)"]

ENTRYPOINT ["ssmtl"]
CMD ["serve"]
