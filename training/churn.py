"""churn: will this customer leave? Strings, numbers and nulls, one input tensor a feature, synthetic data."""

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import tabular
from export import OPSET, rounded
from version import Version

UNKNOWN_CALLS = -1  # stands for null: an int64 tensor has no NaN
FEATURES = [
    {"name": "tenure_months", "type": "integer", "minimum": 0, "maximum": 120, "unit": "months",
     "description": "How long the customer has been one", "example": 14},
    {"name": "monthly_charges", "type": "number", "minimum": 0, "maximum": 200, "unit": "EUR per month",
     "description": "What the last bill came to", "example": 54.9, "nullable": True},
    {"name": "total_charges", "type": "number", "minimum": 0, "maximum": 20_000, "unit": "EUR",
     "description": "All bills so far", "example": 768.6, "nullable": True},
    {"name": "contract", "type": "string", "description": "How long the contract binds",
     "enum": ["monthly", "one year", "two years"], "example": "monthly"},
    {"name": "payment_method", "type": "string", "description": "How the customer pays; null when unknown",
     "enum": ["card", "cash", "direct debit", "transfer"], "example": "transfer", "nullable": True},
    {"name": "region", "type": "string", "description": "Where the customer lives",
     "enum": ["east", "north", "south", "west"], "example": "south", "default": "north"},
    {"name": "internet", "type": "string", "description": "Kind of internet access, in the order of its speed",
     "codes": {"none": 0, "dsl": 1, "cable": 2, "fibre": 4}, "example": "cable"},
    {"name": "paperless", "type": "boolean", "description": "Whether bills go out by e-mail", "example": True,
     "default": False},
    {"name": "support_calls", "type": "integer", "minimum": 0, "maximum": 30, "unit": "calls in 90 days",
     "description": "Calls to support; null when the line was not recorded", "example": 2, "nullable": True,
     "missing": UNKNOWN_CALLS},
]
TENSORS = {
    "tenure_months": Int64TensorType([None, 1]),
    "monthly_charges": FloatTensorType([None, 1]),
    "total_charges": FloatTensorType([None, 1]),
    "contract": StringTensorType([None, 1]),
    "payment_method": StringTensorType([None, 1]),
    "region": StringTensorType([None, 1]),
    "internet": FloatTensorType([None, 1]),
    "paperless": Int64TensorType([None, 1]),
    "support_calls": Int64TensorType([None, 1]),
}
CLASSES = ["leaves", "stays"]  # in the order of the columns, which scikit-learn sorts


def customers(rng: np.random.Generator, count: int) -> tuple[list[dict], np.ndarray]:
    """Synthetic customers and whether each stays; README.md describes the rule."""
    tenure = np.minimum(rng.exponential(28, count), 120).astype(int)
    speed = rng.choice(["none", "dsl", "cable", "fibre"], count, p=[0.15, 0.25, 0.3, 0.3])
    code = np.select([speed == "dsl", speed == "cable", speed == "fibre"], [1, 2, 4], 0)
    monthly = np.round(np.clip(rng.normal(38, 12, count) + 9 * code, 5, 200), 2)
    total = np.round(np.clip(monthly * tenure * rng.uniform(0.85, 1.05, count), 0, 20_000), 2)
    contract = rng.choice(["monthly", "one year", "two years"], count, p=[0.55, 0.25, 0.2])
    payment = rng.choice(["card", "cash", "direct debit", "transfer"], count, p=[0.3, 0.1, 0.4, 0.2])
    region = rng.choice(["east", "north", "south", "west"], count, p=[0.2, 0.35, 0.25, 0.2])
    paperless = rng.random(count) < 0.6
    calls = np.minimum(rng.poisson(1.6, count), 30)
    pull = 0.035 * tenure - 0.028 * (monthly - 50) - 0.55 * calls + 0.8
    pull += np.select([contract == "one year", contract == "two years"], [1.3, 2.6], 0.0)
    pull += np.select([payment == "direct debit", payment == "cash"], [0.6, -0.9], 0.0)
    pull += 0.4 * (region == "north") - 0.3 * paperless - 0.5 * (speed == "dsl")
    stays = rng.logistic(size=count) < pull
    unknown = {"monthly_charges": 0.04, "total_charges": 0.08, "payment_method": 0.05, "support_calls": 0.1}
    lost = {name: rng.random(count) < share for name, share in unknown.items()}
    table = {
        "tenure_months": tenure, "monthly_charges": monthly, "total_charges": total, "contract": contract,
        "payment_method": payment, "region": region, "internet": speed, "paperless": paperless,
        "support_calls": calls,
    }
    listed = {name: values.tolist() for name, values in table.items()}
    rows = [
        {name: None if name in lost and lost[name][i] else values[i] for name, values in listed.items()}
        for i in range(count)
    ]
    return rows, np.where(stays, "stays", "leaves")


def frame(rows: list[dict]) -> pd.DataFrame:
    table = pd.DataFrame(tabular.columns(FEATURES, rows))
    whole = [name for name, kind in TENSORS.items() if isinstance(kind, Int64TensorType)]
    return table.astype(dict.fromkeys(whole, np.int64))


def feeds(rows: list[dict]) -> dict[str, np.ndarray]:
    return {name: column.to_numpy().reshape(-1, 1) for name, column in frame(rows).items()}


def train(rows: list[dict], labels: np.ndarray) -> Pipeline:
    amounts = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    calls = Pipeline(
        [("impute", SimpleImputer(missing_values=float(UNKNOWN_CALLS), strategy="median")), ("scale", StandardScaler())]
    )
    columns = ColumnTransformer(
        [
            ("counts", StandardScaler(), ["tenure_months"]),
            ("amounts", amounts, ["monthly_charges", "total_charges", "internet"]),
            ("calls", calls, ["support_calls"]),
            ("flags", StandardScaler(), ["paperless"]),
            ("kinds", OneHotEncoder(handle_unknown="ignore", sparse_output=False),
             ["contract", "payment_method", "region"]),
        ]
    )
    return Pipeline([("columns", columns), ("logistic", LogisticRegression(max_iter=1_000))]).fit(frame(rows), labels)


def build() -> list[Version]:
    rows, labels = customers(np.random.default_rng(21), 8_000)
    held_rows, held_labels = customers(np.random.default_rng(22), 4_000)
    pipeline = train(rows, labels)

    def answer(bodies: list[dict]) -> list[dict]:
        table = frame(bodies)
        return tabular.classified(CLASSES, pipeline.predict(table).tolist(), pipeline.predict_proba(table))

    graph = to_onnx(
        pipeline,
        initial_types=list(TENSORS.items()),
        options={id(pipeline): {"zipmap": False}},
        target_opset=OPSET,
        name="churn",
    )
    held = pipeline.predict_proba(frame(held_rows))[:, 1]
    manifest = {
        "name": "churn",
        "version": "1",
        "timestamp": "2026-11-12T08:05:00Z",
        "description": "Will this customer stay or leave within three months? "
        "Logistic regression on synthetic customers, preprocessing in the graph.",
        "task": "classification",
        "features": FEATURES,
        "output": {"label": "label", "probabilities": "probabilities", "classes": CLASSES},
        "metrics": rounded(
            accuracy=accuracy_score(held_labels == "stays", held > 0.5),
            roc_auc=roc_auc_score(held_labels == "stays", held),
        ),
        "training_samples": len(rows),
    }
    return [
        Version(
            manifest=manifest,
            graph=graph,
            answer=answer,
            feeds=feeds,
            decode=lambda outputs, _: tabular.classified(CLASSES, outputs["label"].tolist(), outputs["probabilities"]),
            random_bodies=lambda rng, count: tabular.random_rows(FEATURES, rows, rng, count),
            golden=tabular.golden_rows(FEATURES, rows),
            reference=tabular.reference(FEATURES, rows, answer),
        )
    ]
