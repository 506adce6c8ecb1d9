"""breast-cancer: is this tumour malignant? A scaler and a logistic regression on scikit-learn's own data."""

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import tabular
from export import OPSET, rounded
from version import Version

# Names by position: the graph's integer label is the position of the class.
CLASSES = ["malignant", "benign"]
MEANINGS = {
    "radius": "distance from the centre to the outline",
    "texture": "standard deviation of the grey values",
    "perimeter": "length of the outline",
    "area": "area inside the outline",
    "smoothness": "local variation of the radius",
    "compactness": "perimeter² / area − 1",
    "concavity": "severity of the concave parts of the outline",
    "concave points": "number of concave parts of the outline, scaled",
    "symmetry": "difference across the longest axis",
    "fractal dimension": "coastline approximation − 1",
}
STATISTICS = {"mean": "Mean over the nuclei", "error": "Standard error over the nuclei",
              "worst": "Mean of the three largest nuclei"}


def describe(name: str, example: float, highest: float) -> dict:
    statistic = "error" if name.endswith(" error") else name.split(" ")[0]
    measure = name.removesuffix(" error").removeprefix(f"{statistic} ")
    step = 10 ** np.floor(np.log10(highest))
    return {
        "name": name,
        "type": "number",
        "minimum": 0,
        # Half as much again as was ever seen, rounded up to one digit.
        "maximum": tabular.short(round(float(np.ceil(1.5 * highest / step) * step), 6)),
        "description": f"{STATISTICS[statistic]}: {MEANINGS[measure]}",
        "example": float(example),
    }


def build() -> list[Version]:
    data = load_breast_cancer()
    names = [str(name) for name in data.feature_names]
    features = [describe(name, data.data[20, i], data.data[:, i].max()) for i, name in enumerate(names)]
    values, held_values, target, held_target = train_test_split(
        data.data, data.target, test_size=0.3, random_state=3, stratify=data.target
    )

    pipeline = Pipeline([("scale", StandardScaler()), ("logistic", LogisticRegression(C=0.5, max_iter=1_000))])
    pipeline.fit(values.astype(np.float32).astype(np.float64), target)

    def answer(bodies: list[dict]) -> list[dict]:
        table = tabular.matrix(features, bodies).astype(np.float64)
        labels = [CLASSES[label] for label in pipeline.predict(table)]
        return tabular.classified(CLASSES, labels, pipeline.predict_proba(table))

    graph = to_onnx(
        pipeline,
        initial_types=[("X", FloatTensorType([None, len(names)]))],
        options={id(pipeline): {"zipmap": False}, id(pipeline["scale"]): {"div": "div_cast"}},
        target_opset=OPSET,
        name="breast-cancer",
    )
    held = pipeline.predict_proba(held_values)[:, 1]
    rows = [dict(zip(names, map(float, row), strict=True)) for row in values]
    manifest = {
        "name": "breast-cancer",
        "version": "1.0.0",
        "timestamp": "2026-11-08T10:15:00Z",
        "description": "Is this breast tumour malignant or benign, by the cell nuclei of a fine-needle aspirate? "
        "Logistic regression on the Wisconsin diagnostic data. Not for medical use.",
        "task": "classification",
        "features": features,
        "output": {"classes": CLASSES},
        "metrics": rounded(
            accuracy=accuracy_score(held_target, held > 0.5), roc_auc=roc_auc_score(held_target, held)
        ),
        "training_samples": len(rows),
    }
    return [
        Version(
            manifest=manifest,
            graph=graph,
            answer=answer,
            feeds=lambda bodies: {"X": tabular.matrix(features, bodies)},
            decode=lambda out, _: tabular.classified(CLASSES, [CLASSES[i] for i in out["label"]], out["probabilities"]),
            random_bodies=lambda rng, count: tabular.random_rows(features, rows, rng, count),
            golden=tabular.golden_rows(features, rows),
            reference=tabular.reference(features, rows, answer),
        )
    ]
