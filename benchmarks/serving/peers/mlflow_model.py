"""MLflow: python -m benchmarks.serving.peers.mlflow_model FOLDER, then mlflow models serve."""

from __future__ import annotations

import sys
from typing import Any

import mlflow.pyfunc
import pandas as pd

from benchmarks.serving.peers.answering import Answering


class Answers(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A row of the frame, an answer."""

    def load_context(self, context: Any) -> None:  # noqa: ARG002 (MLflow's signature)
        """In the serving process."""
        self.answering = Answering.of_environment()

    def predict(
        self,
        context: Any,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: Any = None,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        """The answers of all rows."""
        rows = zip(model_input["task"], model_input["user"], strict=True)
        return [self.answering.answer(task, user) for task, user in rows]


if __name__ == "__main__":
    mlflow.pyfunc.save_model(sys.argv[1], python_model=Answers(), pip_requirements=[])
