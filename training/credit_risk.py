"""credit-risk: will this applicant repay? A scaler and a random forest on synthetic applications."""

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, brier_score_loss, roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import tabular
from export import OPSET, rounded
from version import Version

FEATURES = [
    {"name": "age", "type": "integer", "minimum": 18, "maximum": 100, "unit": "years",
     "description": "Age of the applicant", "example": 42},
    {"name": "income", "type": "number", "minimum": 0, "maximum": 1_000_000, "unit": "EUR per year",
     "description": "Income before tax", "example": 51234.5},
    {"name": "credit_score", "type": "integer", "minimum": 300, "maximum": 850, "unit": "points",
     "description": "Score of the credit bureau; higher is better", "example": 688},
]
CLASSES = [0, 1]


def applications(rng: np.random.Generator, count: int) -> tuple[list[dict], np.ndarray]:
    """Synthetic applications and whether each was repaid; README.md describes the rule."""
    age = np.clip(rng.gamma(6, 4.2, count) + 18, 18, 100).astype(int)
    income = np.round(np.clip(rng.lognormal(10.55, 0.65, count), 0, 1_000_000), 2)
    trend = 560 + 28 * np.log(np.maximum(income, 1) / 38_000) + 1.9 * (age - 18)
    score = np.clip(rng.normal(trend, 105), 300, 850).astype(int)
    merit = 0.034 * (score - 615) + 2.6 * np.log(np.maximum(income, 1) / 38_000) - 0.0016 * (age - 50.0) ** 2
    merit -= 2.4 * ((score > 700) & (income < 22_000))
    repaid = (rng.logistic(size=count) < merit).astype(int)
    rows = [
        {"age": int(a), "income": float(i), "credit_score": int(s)}
        for a, i, s in zip(age, income, score, strict=True)
    ]
    return rows, repaid


def train(version: str, timestamp: str, samples: int, forest: dict, explicit_inputs: bool) -> Version:
    rows, repaid = applications(np.random.default_rng(11), samples)
    held_rows, held_repaid = applications(np.random.default_rng(12), 5_000)

    scaler = StandardScaler().fit(inputs(rows))
    # skl2onnx 1.20.0 writes the mean as float32 even where it subtracts in double, and a value beside a
    # threshold then falls on its other side. With a mean that float32 holds, both subtract the same.
    scaler.mean_ = scaler.mean_.astype(np.float32).astype(np.float64)
    trees = RandomForestClassifier(100, random_state=7, **forest).fit(scaler.transform(inputs(rows)), repaid)
    pipeline = Pipeline([("scale", scaler), ("forest", trees)])

    def answer(bodies: list[dict]) -> list[dict]:
        values = inputs(bodies)
        return tabular.classified(CLASSES, pipeline.predict(values).tolist(), pipeline.predict_proba(values))

    # scikit-learn scales in double and rounds to float32 for the trees; `div_cast` does exactly that.
    graph = to_onnx(
        pipeline,
        initial_types=[("X", FloatTensorType([None, 3]))],
        options={id(pipeline): {"zipmap": False}, id(pipeline["scale"]): {"div": "div_cast"}},
        target_opset=OPSET,
        name="credit-risk",
    )
    held = pipeline.predict_proba(inputs(held_rows))[:, 1]
    manifest = {
        "name": "credit-risk",
        "version": version,
        "timestamp": timestamp,
        "description": "Will this applicant repay the loan? 1 is repaid, 0 is not. "
        "Random forest on synthetic applications.",
        "task": "classification",
        "features": FEATURES,
        **({"inputs": {"X": [feature["name"] for feature in FEATURES]}} if explicit_inputs else {}),
        "output": {"label": "label", "probabilities": "probabilities", "classes": CLASSES},
        "metrics": rounded(
            accuracy=accuracy_score(held_repaid, held > 0.5),
            roc_auc=roc_auc_score(held_repaid, held),
            brier=brier_score_loss(held_repaid, held),
        ),
        "training_samples": samples,
    }
    return Version(
        manifest=manifest,
        graph=graph,
        answer=answer,
        feeds=lambda bodies: {"X": tabular.matrix(FEATURES, bodies)},
        decode=lambda outputs, _: tabular.classified(CLASSES, outputs["label"].tolist(), outputs["probabilities"]),
        random_bodies=lambda rng, count: tabular.random_rows(FEATURES, rows, rng, count),
        golden=tabular.golden_rows(FEATURES, rows),
        reference=tabular.reference(FEATURES, rows, answer),
    )


def inputs(rows: list[dict]) -> np.ndarray:
    """What the tensor holds, float32 values, in the double precision that scikit-learn scales in."""
    return tabular.matrix(FEATURES, rows).astype(np.float64)


def build() -> list[Version]:
    return [
        train("20261101_090000", "2026-11-01T09:00:00Z", 2_500,
              {"max_leaf_nodes": 80, "min_samples_leaf": 10}, explicit_inputs=False),
        train("20261115_143000", "2026-11-15T14:30:00Z", 10_000,
              {"max_leaf_nodes": 150, "min_samples_leaf": 8}, explicit_inputs=True),
    ]
