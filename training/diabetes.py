"""diabetes: how far will the disease have gone in a year? Gradient boosting on scikit-learn's own data."""

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

import tabular
from export import OPSET, rounded
from version import Version

# In the order of the columns of the data, which calls the last six s1 to s6.
FEATURES = [
    {"name": "age", "type": "integer", "minimum": 18, "maximum": 100, "unit": "years",
     "description": "Age of the patient", "example": 59},
    {"name": "sex", "type": "integer", "minimum": 1, "maximum": 2,
     "description": "Sex, coded 1 or 2 as in the source", "example": 2},
    {"name": "bmi", "type": "number", "minimum": 10, "maximum": 60, "unit": "kg/m²",
     "description": "Body mass index", "example": 32.1},
    {"name": "blood_pressure", "type": "number", "minimum": 40, "maximum": 180, "unit": "mmHg",
     "description": "Average blood pressure", "example": 101.0},
    {"name": "total_cholesterol", "type": "number", "minimum": 50, "maximum": 500, "unit": "mg/dl",
     "description": "Total serum cholesterol (s1)", "example": 157.0},
    {"name": "ldl", "type": "number", "minimum": 20, "maximum": 400, "unit": "mg/dl",
     "description": "Low-density lipoproteins (s2)", "example": 93.2},
    {"name": "hdl", "type": "number", "minimum": 10, "maximum": 150, "unit": "mg/dl",
     "description": "High-density lipoproteins (s3)", "example": 38.0},
    {"name": "cholesterol_ratio", "type": "number", "minimum": 1, "maximum": 15,
     "description": "Total cholesterol over HDL (s4)", "example": 4.0},
    {"name": "log_triglycerides", "type": "number", "minimum": 2, "maximum": 8, "unit": "log(mg/dl)",
     "description": "Natural logarithm of the serum triglycerides (s5)", "example": 4.8598},
    {"name": "glucose", "type": "number", "minimum": 40, "maximum": 250, "unit": "mg/dl",
     "description": "Blood sugar (s6)", "example": 87.0},
]


def build() -> list[Version]:
    data = load_diabetes(scaled=False)
    values, held_values, target, held_target = train_test_split(
        data.data, data.target, test_size=0.2, random_state=5
    )
    model = GradientBoostingRegressor(
        n_estimators=160, learning_rate=0.05, max_depth=3, subsample=0.7, min_samples_leaf=8, random_state=7
    )
    model.fit(values.astype(np.float32), target)

    def answer(bodies: list[dict]) -> list[dict]:
        return tabular.regressed(model.predict(tabular.matrix(FEATURES, bodies)))

    graph = to_onnx(
        model,
        initial_types=[("X", FloatTensorType([None, len(FEATURES)]))],
        target_opset=OPSET,
        name="diabetes",
    )
    held = model.predict(held_values)
    names = [feature["name"] for feature in FEATURES]
    whole = {"age", "sex"}
    rows = [
        {name: int(v) if name in whole else float(v) for name, v in zip(names, row, strict=True)}
        for row in values
    ]
    manifest = {
        "name": "diabetes",
        "version": "1",
        "timestamp": "2026-11-09T16:40:00Z",
        "description": "How far will diabetes have progressed a year from now, on the source's scale of 25 to 346? "
        "Gradient boosting on the data of Efron and others (2004). Not for medical use.",
        "task": "regression",
        "features": FEATURES,
        "inputs": {"X": names},
        "output": {"value": "variable"},
        "metrics": rounded(
            r2=r2_score(held_target, held),
            mean_absolute_error=mean_absolute_error(held_target, held),
            root_mean_squared_error=root_mean_squared_error(held_target, held),
        ),
        "training_samples": len(rows),
    }
    return [
        Version(
            manifest=manifest,
            graph=graph,
            answer=answer,
            feeds=lambda bodies: {"X": tabular.matrix(FEATURES, bodies)},
            decode=lambda outputs, _: tabular.regressed(outputs["variable"][:, 0]),
            random_bodies=lambda rng, count: tabular.random_rows(FEATURES, rows, rng, count),
            golden=tabular.golden_rows(FEATURES, rows),
            reference=tabular.reference(FEATURES, rows, answer),
            tolerance=1e-4,
        )
    ]
