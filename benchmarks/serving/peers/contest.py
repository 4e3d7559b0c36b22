"""Single predictions a second beside each peer: asked in turn, while the other one sleeps.

Some peers poll for work that has not come, which would count against whoever is asked.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.measuring import ROOT
from benchmarks.serving.ground import Ground
from benchmarks.serving.load import Load, Request, put_load
from benchmarks.serving.peers.answering import ARTIFACT, INDEX
from benchmarks.serving.peers.environments import environment
from benchmarks.serving.process import Server, free_port, running
from benchmarks.serving.shop import ASKED
from benchmarks.serving.singles import ratio, user_ids

_BUSY = 16
_ASKED_USERS = 20_000
_WARM_S = 2.0
_MODULES = "benchmarks.serving.peers"


@dataclass(frozen=True)
class Peer:
    """How a peer is started and asked.

    Attributes:
        package: on PyPI.
        prepare: commands before it is started; a word may hold {folder}.
        command: its words may hold {python}, {port} and {folder}.
        ready_path: says 200 when it can answer.
        path: where it is asked.
        body: from a task and a user.
    """

    package: str
    command: tuple[str, ...]
    ready_path: str
    path: str
    body: Callable[[str, str], object]
    prepare: tuple[str, ...] = ()


def _flat(task: str, user: str) -> object:
    return {"task": task, "user": user}


PEERS = (
    Peer(
        package="litserve",
        command=("python", "-m", f"{_MODULES}.litserve_server", "{port}"),
        ready_path="/health",
        path="/predict",
        body=_flat,
    ),
    Peer(
        package="bentoml",
        command=("bentoml", "serve", f"{_MODULES}.bentoml_service:Answers", "--port", "{port}"),
        ready_path="/readyz",
        path="/predict",
        body=_flat,
    ),
    Peer(
        package="mlflow",
        prepare=("python", "-m", f"{_MODULES}.mlflow_model", "{folder}/mlflow-model"),
        command=(
            *("mlflow", "models", "serve", "--model-uri", "{folder}/mlflow-model"),
            *("--env-manager", "local", "--host", "127.0.0.1", "--port", "{port}"),
        ),
        ready_path="/ping",
        path="/invocations",
        body=lambda task, user: {"dataframe_records": [_flat(task, user)]},
    ),
)


def beside_peers(
    ours: Server,
    requests: Sequence[Request],
    ground: Ground,
    folder: Path,
    rounds: int,
    seconds: float,
    peers: Sequence[Peer] = PEERS,
) -> dict[str, float]:
    """Our rate over each one's at 16 connections, and theirs.

    Args:
        ours: the service.
        requests: what it is asked.
        ground: of which the peers have the artifact and the event index.
        folder: where the environments are kept.
        rounds: of each.
        seconds: of a run.
        peers: who.
    """
    figures: dict[str, float] = {}
    for peer in peers:
        with _running(peer, ground, environment(folder, peer.package)) as server:
            asked = _requests(peer, ground)
            for port, some in ((server.port, asked), (ours.port, requests)):
                put_load(port, some, _BUSY, _WARM_S)
            own: list[Load] = []
            theirs: list[Load] = []
            for _ in range(rounds):
                with server.asleep():
                    own.append(put_load(ours.port, requests, _BUSY, seconds))
                with ours.asleep():
                    theirs.append(put_load(server.port, asked, _BUSY, seconds))
        lost = sum(load.lost for load in (*own, *theirs))
        if lost:
            raise RuntimeError(f"{lost} requests to us or {peer.package} were not answered")
        figures[f"single_over_{peer.package}_c16"] = ratio(own, theirs, "per_s")
        figures[f"{peer.package}_c16_per_s"] = median(load.per_s for load in theirs)
    return figures


@contextmanager
def _running(peer: Peer, ground: Ground, commands: Path) -> Iterator[Server]:
    port = free_port()
    variables = {
        **_quiet(),
        ARTIFACT: str(ground.artifact),
        INDEX: str(ground.index),
        "PYTHONPATH": str(ROOT),
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }

    def filled(words: Sequence[str]) -> list[str]:
        first, *rest = (word.format(port=port, folder=ground.data_dir) for word in words)
        return [str(commands / first), *rest]

    log = ground.data_dir / f"{peer.package}.log"
    if peer.prepare:
        environment_ = {**os.environ, **variables}
        subprocess.run(filled(peer.prepare), check=True, cwd=ROOT, env=environment_)
    with running(filled(peer.command), port, peer.ready_path, log, variables) as server:
        yield server


def _quiet() -> Mapping[str, str]:
    """Nobody is told of the use."""
    return {"BENTOML_DO_NOT_TRACK": "True", "MLFLOW_DISABLE_TELEMETRY": "true"}


def _requests(peer: Peer, ground: Ground) -> list[Request]:
    return [
        Request("POST", peer.path, json.dumps(peer.body(ASKED, user)))
        for user in user_ids(ground, _ASKED_USERS)
    ]
