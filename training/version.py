"""What a script that trains a model hands over: one version, ready to be checked and written."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx

Body = dict  # a request body as a client sends it
Answer = dict  # what the service must answer: prediction and probabilities, or outputs


@dataclass(frozen=True)
class Version:
    manifest: dict  # metadata.json without `sha256`
    graph: onnx.ModelProto
    answer: Callable[[list[Body]], list[Answer]]  # scikit-learn's own answers, never the engine's
    feeds: Callable[[list[Body]], dict[str, np.ndarray]]  # the tensors the contract makes of the bodies
    decode: Callable[[dict[str, np.ndarray], list[Body]], list[Answer]]  # the engine's outputs as answers to bodies
    random_bodies: Callable[[np.random.Generator, int], list[Body]]
    golden: list[Body]
    reference: dict
    tolerance: float = 1e-5
    # Bodies that cannot be stacked into `feeds`, such as one that asks for a single output.
    golden_extra: list[tuple[Body, Answer]] = field(default_factory=list)

    @property
    def label(self) -> str:
        return f"{self.manifest['name']}/{self.manifest['version']}"
