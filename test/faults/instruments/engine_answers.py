"""Runs a version's graph by onnxruntime for Python: engine_answers.py VERSION_FOLDER ROWS.jsonl BATCH_SIZE...

Builds the feeds from request bodies by the rules of docs/models.md, without code of the server. Prints a JSON array
with one entry for each batch size: every output of all rows. Floats are base64 of little-endian float32, the rest are
lists."""

import base64
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(string)": object}


def element(feature: dict, body: dict) -> object:
    value = body.get(feature["name"], feature.get("default"))
    if value is None:
        return feature.get("missing", "" if feature["type"] == "string" and "codes" not in feature else np.nan)
    return feature["codes"][value] if "codes" in feature else value


def make_feeds(session: onnxruntime.InferenceSession, manifest: dict, bodies: list[dict]) -> dict[str, np.ndarray]:
    feeds = {}
    for graph_input in session.get_inputs():
        name, dtype = graph_input.name, DTYPES[graph_input.type]
        if manifest["task"] == "tensor":
            feeds[name] = np.concatenate([np.array(body["inputs"][name], dtype) for body in bodies])
            continue
        is_only = len(session.get_inputs()) == 1
        features = [it for it in manifest["features"] if is_only or it["name"] == name]
        feeds[name] = np.array([[element(it, body) for it in features] for body in bodies], dtype)
    return feeds


def main() -> None:
    folder, rows, sizes = Path(sys.argv[1]), Path(sys.argv[2]), [int(size) for size in sys.argv[3:]]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, ["CPUExecutionProvider"])
    manifest = json.loads((folder / "metadata.json").read_text())
    bodies = [json.loads(line) for line in rows.read_text().splitlines()]
    feeds = make_feeds(session, manifest, bodies)
    names = [output.name for output in session.get_outputs()]
    answers = []
    for size in sizes:
        runs = [
            session.run(names, {name: values[at : at + size] for name, values in feeds.items()})
            for at in range(0, len(bodies), size)
        ]
        outputs = {name: np.concatenate([run[k] for run in runs]) for k, name in enumerate(names)}
        answers.append({name: written(values) for name, values in outputs.items()})
    json.dump(answers, sys.stdout)


def written(values: np.ndarray) -> object:
    if values.dtype == np.float32:
        return base64.b64encode(values.astype("<f4").tobytes()).decode()
    return values.tolist()


main()
