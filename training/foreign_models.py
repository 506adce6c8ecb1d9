"""Exports models of kinds that the registry has none of, to try the service on: python foreign_models.py FOLDER.

Each gets model.onnx, manifest-hint.json (what its owner knows) and expected.json (100 rows, answered by the library
that trained it). There is none from PyTorch, whose package is far larger than all the others together: `logits-mlp`
has the graph that its exporter writes for such a network."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier, LGBMRegressor
from onnx import TensorProto, helper, numpy_helper
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as MltoolsFloat
from onnxruntime.quantization import QuantType, quantize_dynamic
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, load_wine, make_classification, make_multilabel_classification
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from xgboost import XGBClassifier

import export
import parity
from tabular import classified

ROWS = 100


@dataclass
class Foreign:
    name: str
    graph: onnx.ModelProto
    table: np.ndarray
    expected: list[dict]
    hint: dict
    # Which outputs to read for the check below, where the hint does not say; not written anywhere.
    label: str | None = None
    probabilities: str | None = None
    # Rows of one run: where they change each other's answers, only a row alone has a right one.
    step: int = ROWS


def numbers(data: np.ndarray) -> np.ndarray:
    """Five digits, exact in float32 and as JSON: both sides see the same value."""
    return np.round(data, 4).astype(np.float32).astype(np.float64)


def two_moons(features: int = 4, noise: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    data, target = make_classification(
        600, n_features=features, n_informative=features, n_redundant=0, flip_y=noise, random_state=4
    )
    return numbers(data), target


IRIS = load_iris()
IRIS_DATA = numbers(IRIS.data)
IRIS_NAMES = ["sepal length", "sepal width", "petal length", "petal width"]
DRAW = np.random.default_rng(31)


def probe(data: np.ndarray) -> np.ndarray:
    """Rows near the data, none of them in it."""
    drawn = data[DRAW.integers(len(data), size=ROWS)]
    return numbers(drawn + DRAW.normal(size=drawn.shape) * data.std(axis=0) * 0.3)


def predictions(values: np.ndarray) -> list[dict]:
    return [{"prediction": value} for value in values.tolist()]


def columns(data: np.ndarray) -> list[str]:
    return [f"x{i}" for i in range(data.shape[1])]


def no_zipmap(model: object, kind: object) -> onnx.ModelProto:
    return to_onnx(model, initial_types=[("X", kind)], options={"zipmap": False}, target_opset=export.OPSET)


def logistic(name: str, kind: object) -> Foreign:
    data, target = two_moons()
    model = LogisticRegression().fit(data, target)
    table = probe(data)
    expected = classified([0, 1], model.predict(table).tolist(), model.predict_proba(table))
    hint = {"task": "classification", "features": columns(data), "output": {"classes": [0, 1]}}
    return Foreign(name, no_zipmap(model, kind), table, expected, hint, "label", "probabilities")


def svc_calibrated() -> Foreign:
    data, target = two_moons(noise=0.5)
    model = SVC(probability=True, random_state=1).fit(data, target)
    table = probe(data)
    labels = model.predict(table)
    expected = classified([0, 1], labels.tolist(), model.predict_proba(table))
    hint = {
        "task": "classification", "features": columns(data), "output": {"classes": [0, 1]},
        "note": f"the label is not the most probable class in {sum(a['probability'] < 0.5 for a in expected)} rows",
    }
    graph = no_zipmap(model, FloatTensorType([None, 4]))
    return Foreign("svc-calibrated", graph, table, expected, hint, "label", "probabilities")


def linear_svc() -> Foreign:
    wine = load_wine()
    data = numbers(wine.data / wine.data.std(axis=0))
    model = LinearSVC(random_state=1).fit(data, wine.target)
    table = probe(data)
    graph = to_onnx(model, initial_types=[("X", FloatTensorType([None, 13]))], target_opset=export.OPSET)
    hint = {"task": "classification", "features": columns(data), "output": {"label": "label", "classes": [0, 1, 2]}}
    return Foreign("linear-svc", graph, table, predictions(model.predict(table)), hint, "label")


def k_means() -> Foreign:
    model = KMeans(4, random_state=1, n_init=3).fit(IRIS_DATA.astype(np.float32))
    table = probe(IRIS_DATA)
    graph = to_onnx(model, initial_types=[("X", FloatTensorType([None, 4]))], target_opset=export.OPSET)
    hint = {"task": "classification", "features": IRIS_NAMES, "output": {"label": "label"}}
    return Foreign("k-means", graph, table, predictions(model.predict(table.astype(np.float32))), hint, "label")


def default_export(name: str, model: object, target: np.ndarray) -> Foreign:
    """As scikit-learn's converter writes it unless told otherwise: the probabilities end in a ZipMap."""
    model.fit(IRIS_DATA, target)
    table = probe(IRIS_DATA)
    graph = to_onnx(model, initial_types=[("X", FloatTensorType([None, 4]))], target_opset=export.OPSET)
    classes = model.classes_.tolist()
    expected = classified(classes, model.predict(table).tolist(), model.predict_proba(table))
    hint = {"task": "classification", "features": IRIS_NAMES, "output": {"classes": classes}}
    return Foreign(name, graph, table, expected, hint, "output_label", "output_probability")


def catboost(name: str, data: np.ndarray, target: np.ndarray) -> Foreign:
    """CatBoost's own exporter, which knows no option against its ZipMap."""
    model = CatBoostClassifier(
        iterations=30, depth=3, random_seed=1, thread_count=1, verbose=False, allow_writing_files=False
    ).fit(data, target)
    table = probe(data)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.onnx")
        model.save_model(path, format="onnx")
        graph = onnx.load(path)
    classes = model.classes_.tolist()
    expected = classified(classes, model.predict(table).ravel().tolist(), model.predict_proba(table))
    hint = {"task": "classification", "features": columns(data), "output": {"classes": classes}}
    # Of two whole-number classes the engine gives the places, so the label is not compared here.
    label = None if set(classes) == {1, 2} else "label"
    return Foreign(name, graph, table, expected, hint, label, "probabilities")


def multilabel(name: str, model: object) -> Foreign:
    """Three labels at once, each with a probability of its own: no classification, but a number by name for each."""
    data, target = make_multilabel_classification(400, n_features=4, n_classes=3, random_state=5)
    model.fit(data, target)
    table = probe(data)
    names = ["spam", "urgent", "private"]
    expected = [{"prediction": dict(zip(names, row, strict=True))} for row in model.predict_proba(table).tolist()]
    output = {"value": "probabilities", "names": names}
    hint = {"task": "regression", "features": columns(data), "output": output}
    return Foreign(name, no_zipmap(model, FloatTensorType([None, 4])), table, expected, hint)


def forest_strings() -> Foreign:
    classes = [str(name) for name in IRIS.target_names]
    model = RandomForestClassifier(30, max_depth=5, random_state=1).fit(IRIS_DATA, np.array(classes)[IRIS.target])
    table = probe(IRIS_DATA)
    expected = classified(classes, model.predict(table).tolist(), model.predict_proba(table))
    hint = {"task": "classification", "features": IRIS_NAMES, "output": {"classes": classes}}
    graph = no_zipmap(model, FloatTensorType([None, 4]))
    return Foreign("forest-strings", graph, table, expected, hint, "label", "probabilities")


def ridge_two() -> Foreign:
    data, _ = two_moons()
    target = data @ np.array([[1.0, -2.0], [0.5, 3.0], [2.0, 0.0], [-1.0, 1.0]]) + [170.0, 65.0]
    model = Ridge().fit(data, target)
    table = probe(data)
    graph = to_onnx(model, initial_types=[("X", FloatTensorType([None, 4]))], target_opset=export.OPSET)
    names = ["height", "weight"]
    expected = [{"prediction": dict(zip(names, row, strict=True))} for row in model.predict(table).tolist()]
    hint = {"task": "regression", "features": columns(data), "output": {"names": names}}
    return Foreign("ridge-two", graph, table, expected, hint)


def isolation_forest() -> Foreign:
    model = IsolationForest(n_estimators=40, random_state=1).fit(IRIS_DATA.astype(np.float32))
    table = probe(IRIS_DATA)
    graph = to_onnx(model, initial_types=[("X", FloatTensorType([None, 4]))], target_opset=export.OPSET)
    hint = {"task": "classification", "features": IRIS_NAMES, "output": {"label": "label", "classes": [-1, 1]}}
    expected = predictions(model.predict(table.astype(np.float32)))
    return Foreign("isolation-forest", graph, table, expected, hint, "label")


def lightgbm_binary() -> Foreign:
    data, target = two_moons()
    model = LGBMClassifier(n_estimators=40, num_leaves=8, random_state=1, verbose=-1, n_jobs=1).fit(data, target)
    table = probe(data)
    graph = convert_lightgbm(model, initial_types=[("X", MltoolsFloat([None, 4]))], zipmap=False, target_opset=15)
    expected = classified([0, 1], model.predict(table).tolist(), model.predict_proba(table))
    hint = {"task": "classification", "features": columns(data), "output": {"classes": [0, 1]}}
    return Foreign("lightgbm-binary", graph, table, expected, hint, "label", "probabilities")


def lightgbm_regressor() -> Foreign:
    data, _ = two_moons()
    target = 40 + 10 * np.sin(data[:, 0]) + data[:, 1] * data[:, 2]
    model = LGBMRegressor(n_estimators=60, num_leaves=8, random_state=1, verbose=-1, n_jobs=1).fit(data, target)
    table = probe(data)
    graph = convert_lightgbm(model, initial_types=[("X", MltoolsFloat([None, 4]))], target_opset=15)
    hint = {"task": "regression", "features": columns(data)}
    return Foreign("lightgbm-regressor", graph, table, predictions(model.predict(table)), hint)


def xgboost(name: str, data: np.ndarray, target: np.ndarray) -> Foreign:
    classes = sorted(set(target.tolist()))
    model = XGBClassifier(n_estimators=30, max_depth=3, random_state=1, n_jobs=1).fit(data, target)
    table = probe(data)
    width = data.shape[1]
    graph = convert_xgboost(model, initial_types=[("X", MltoolsFloat([None, width]))], target_opset=15)
    expected = classified(classes, model.predict(table).tolist(), model.predict_proba(table))
    hint = {"task": "classification", "features": columns(data), "output": {"classes": classes}}
    return Foreign(name, graph, table, expected, hint, "label", "probabilities")


def network(name: str, layers: list[tuple], last: list, output: str, shape: list) -> onnx.ModelProto:
    """Gemm and Relu in turn, as exporters of neural networks write them."""
    nodes, weights, value = [], [], "input"
    for i, (weight, bias) in enumerate(layers):
        weights += [numpy_helper.from_array(weight.T.astype(np.float32).copy(), f"{i}.weight")]
        weights += [numpy_helper.from_array(bias.astype(np.float32), f"{i}.bias")]
        nodes.append(helper.make_node("Gemm", [value, f"{i}.weight", f"{i}.bias"], [f"gemm{i}"], transB=1))
        value = f"gemm{i}"
        if i < len(layers) - 1:
            nodes.append(helper.make_node("Relu", [value], [f"relu{i}"]))
            value = f"relu{i}"
    nodes += last
    nodes[-1].output[0] = output  # whatever comes last has the output's name
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", layers[0][0].shape[0]])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)], weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def logits_mlp() -> Foreign:
    classes = [str(name) for name in IRIS.target_names]
    model = MLPClassifier((16,), max_iter=800, random_state=1).fit(IRIS_DATA, IRIS.target)
    table = probe(IRIS_DATA)
    layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    graph = network("mlp", layers, [], "logits", ["batch", 3])
    labels = [classes[i] for i in model.predict(table)]
    expected = classified(classes, labels, model.predict_proba(table))
    output = {"probabilities": "logits", "classes": classes, "activation": "softmax"}
    hint = {"task": "classification", "features": IRIS_NAMES, "output": output}
    return Foreign("logits-mlp", graph, table, expected, hint)


def quantized_mlp() -> Foreign:
    """Dynamically quantized: the scale follows from all rows of a run, so the expected answer is that of a row alone."""
    source = logits_mlp()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "quantized.onnx")
        quantize_dynamic(source.graph, path, weight_type=QuantType.QInt8)
        graph = onnx.load(path)
    model = Foreign("quantized-mlp", graph, source.table, [], source.hint, step=1)
    model.expected = decode(model, run(model))
    return model


def one_column(name: str, last: list, output: str, shape: list, extra: dict) -> Foreign:
    data, target = two_moons()
    model = LogisticRegression().fit(data, target)
    table = probe(data)
    graph = network(name, [(model.coef_.T, model.intercept_)], last, output, shape)
    labels = [["no", "yes"][i] for i in model.predict(table)]
    expected = classified(["no", "yes"], labels, model.predict_proba(table))
    spec = {"probabilities": output, "classes": ["no", "yes"], **extra}
    return Foreign(name, graph, table, expected, {"task": "classification", "features": columns(data), "output": spec})


def build() -> list[Foreign]:
    binary, target = two_moons()
    flat = [
        helper.make_node("Sigmoid", ["gemm0"], ["column"]),
        helper.make_node("ReduceMax", ["column"], [""], axes=[1], keepdims=0),
    ]
    return [
        svc_calibrated(), linear_svc(), k_means(), forest_strings(), ridge_two(),
        default_export("naive-bayes-default", GaussianNB(), IRIS.target),
        default_export(
            "pipeline-default", make_pipeline(StandardScaler(), LogisticRegression()), IRIS.target_names[IRIS.target]
        ),
        default_export("forest-default", RandomForestClassifier(30, max_depth=5, random_state=1), IRIS.target * 5 + 5),
        catboost("catboost-binary", binary, target), catboost("catboost-one-two", binary, target + 1),
        catboost("catboost-strings", IRIS_DATA, IRIS.target_names[IRIS.target]),
        multilabel("multilabel-ovr", OneVsRestClassifier(LogisticRegression())),
        multilabel("multilabel-mlp", MLPClassifier((16,), max_iter=800, random_state=1)),
        isolation_forest(), lightgbm_binary(), lightgbm_regressor(),
        xgboost("xgboost-binary", binary, target), xgboost("xgboost-multiclass", IRIS_DATA, IRIS.target),
        logits_mlp(), quantized_mlp(),
        one_column("logit-column", [], "logit", ["batch", 1], {"activation": "sigmoid"}),
        one_column("flat-probability", flat, "probability", ["batch"], {}),
        logistic("float64-input", DoubleTensorType([None, 4])),
        logistic("fixed-batch-1", FloatTensorType([1, 4])),
        logistic("fixed-batch-4", FloatTensorType([4, 4])),
    ]


def run(model: Foreign) -> dict[str, np.ndarray]:
    """The engine's outputs for all rows, in runs of N where the batch is fixed at N."""
    session = export.onnxruntime.InferenceSession(model.graph.SerializeToString(), providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    table = model.table.astype(np.float64 if given.type == "tensor(double)" else np.float32)
    step = given.shape[0] if isinstance(given.shape[0], int) else model.step
    names = [output.name for output in session.get_outputs()]
    runs = [session.run(names, {given.name: table[start : start + step]}) for start in range(0, ROWS, step)]
    return {name: np.concatenate([to_table(part[i]) for part in runs]) for i, name in enumerate(names)}


def to_table(output: np.ndarray | list[dict]) -> np.ndarray:
    """What a ZipMap gives, as the table that went into it: its maps keep the order of the columns."""
    return np.array([list(row.values()) for row in output]) if isinstance(output, list) else output


def decode(model: Foreign, outputs: dict[str, np.ndarray]) -> list[dict]:
    spec = model.hint.get("output", {})
    label, probabilities = spec.get("label", model.label), spec.get("probabilities", model.probabilities)
    if model.hint["task"] == "regression":
        values = outputs.get(spec.get("value"), next(iter(outputs.values())))
        names = spec.get("names")
        return [{"prediction": dict(zip(names, row, strict=True))} for row in values.tolist()] if names else (
            predictions(values.ravel()))
    labels = outputs[label].ravel().tolist() if label else None
    if probabilities is None:
        return [{"prediction": value} for value in labels]
    classes, table = spec["classes"], outputs[probabilities].reshape(ROWS, -1).astype(np.float64)
    if spec.get("activation") == "softmax":
        table = np.exp(table) / np.exp(table).sum(axis=1, keepdims=True)
    elif spec.get("activation") == "sigmoid":
        table = 1 / (1 + np.exp(-table))
    if table.shape[1] == 1:
        table = np.hstack([1 - table, table])
    return classified(classes, labels or [classes[i] for i in table.argmax(axis=1)], table)


def compare(model: Foreign) -> parity.Parity:
    result = parity.Parity()
    for expected, got in zip(model.expected, decode(model, run(model)), strict=True):
        result.add(expected, got)
    return result


def main(folder: Path) -> None:
    print("onnxruntime against the library that trained the model")
    print(parity.HEADER)
    for model in build():
        target = folder / model.name
        target.mkdir(parents=True, exist_ok=True)
        (target / "model.onnx").write_bytes(model.graph.SerializeToString())
        (target / "manifest-hint.json").write_bytes(export.to_json(model.hint))
        names = model.hint["features"]
        instances = [dict(zip(names, row, strict=True)) for row in model.table.tolist()]
        (target / "expected.json").write_bytes(export.to_json({"instances": instances, "expected": model.expected}))
        print(parity.line(model.name, "", compare(model)))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
