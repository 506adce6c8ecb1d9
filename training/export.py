"""Writes one version into the registry: checked against the engine first, manifest last, then renamed."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before the first session
import onnxruntime  # noqa: E402

from parity import Parity  # noqa: E402
from version import Answer, Version  # noqa: E402

OPSET = {"": 18, "ai.onnx.ml": 3}
CHECK_ROWS = 25_000
LINE = 110


class Refused(Exception):
    """The version must not be written; the text says why."""


def rounded(**metrics: float) -> dict:
    return {name: round(float(value), 4) for name, value in metrics.items()}


def check(version: Version, rows: int = CHECK_ROWS) -> Parity:
    """The engine's answers to fresh random rows, against scikit-learn's."""
    session = onnxruntime.InferenceSession(version.graph.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    bodies = version.golden + version.random_bodies(np.random.default_rng(77), rows)
    outputs = dict(zip(names, session.run(names, version.feeds(bodies)), strict=True))
    parity = Parity()
    for expected, got in zip(version.answer(bodies), version.decode(outputs, bodies), strict=True):
        parity.add(expected, got)
    return parity


def write(version: Version, registry: Path) -> str:
    """`written` or `unchanged`. A version is immutable: other bytes under its name are refused."""
    files = companions(version)
    manifest = {**version.manifest, "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}}
    files["metadata.json"] = to_json(manifest)

    target = registry / version.manifest["name"] / version.manifest["version"]
    if target.exists():
        different = [name for name, data in files.items() if (target / name).read_bytes() != data]
        if different:
            raise Refused(
                f"{version.label} exists with another {', '.join(different)}. A version is immutable: "
                "give it a new name, or remove the folder first."
            )
        return "unchanged"

    building = target.with_name(f".{target.name}")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    for name, data in files.items():
        (building / name).write_bytes(data)
    building.rename(target)
    return "written"


def companions(version: Version) -> dict[str, bytes]:
    instances = version.golden + [body for body, _ in version.golden_extra]
    expected = [golden_answer(answer) for answer in version.answer(version.golden)]
    expected += [golden_answer(answer) for _, answer in version.golden_extra]
    golden = {"instances": instances, "expected": expected, "tolerance": version.tolerance}
    return {
        "model.onnx": version.graph.SerializeToString(deterministic=True),
        "golden.json": to_json(golden),
        "reference.json": to_json(version.reference),
    }


def golden_answer(answer: Answer) -> Answer:
    """Nine decimals are ten thousand times finer than the tolerance, and half the bytes."""
    kept = {key: value for key, value in answer.items() if key != "probabilities"}
    return json.loads(json.dumps(kept), parse_float=lambda text: round(float(text), 9))


def to_json(value: object) -> bytes:
    return (_format(value, "") + "\n").encode()


def _format(value: object, indent: str) -> str:
    """JSON with a line for each key that does not fit on one, and for each object of a list."""
    inline = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if len(indent) + len(inline) <= LINE:
        return inline
    inner = indent + "  "
    if isinstance(value, dict):
        items = [f"{json.dumps(key, ensure_ascii=False)}: {_format(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(inner + item for item in items) + "\n" + indent + "}"
    if isinstance(value, list) and isinstance(value[0], dict):
        items = [json.dumps(item, ensure_ascii=False, allow_nan=False) for item in value]
        return "[\n" + ",\n".join(inner + item for item in items) + "\n" + indent + "]"
    return inline
