"""Writes the table that test/monitoring/feedback compares the live quality with: predictions, actuals, and the values
of scikit-learn (1.7 or newer, for the Brier score of several classes).

    python training/quality_cases.py > test/monitoring/feedback/sklearn-quality.json
"""

import json

import numpy as np
import sklearn
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    confusion_matrix,
    mean_absolute_error,
    precision_recall_fscore_support,
    root_mean_squared_error,
)

random = np.random.default_rng(17)


def classification(classes, rows, skew):
    """Rows whose actual class is drawn with the predicted probabilities, changed by `skew`."""
    k = len(classes)
    probabilities = random.dirichlet(np.full(k, skew), rows).round(4)
    # Edges of bins, and sums of 1.
    if k == 2:
        probabilities[: rows // 4, 1] = probabilities[: rows // 4, 1].round(1)
    probabilities[:, 0] = (1 - probabilities[:, 1:].sum(axis=1)).round(4).clip(0)
    predicted = probabilities.argmax(axis=1)
    actual = np.array([random.choice(k, p=row / row.sum()) for row in probabilities])
    actual[random.random(rows) < 0.1] = 0
    labels = sorted(set(predicted) | set(actual))
    precision, recall, f1, _ = precision_recall_fscore_support(actual, predicted, labels=labels, zero_division=0)
    one_hot = np.eye(k)[actual]
    brier = (
        brier_score_loss(actual == 1, probabilities[:, 1])
        if k == 2
        else float(((probabilities - one_hot) ** 2).sum(axis=1).mean())
    )
    shown = probabilities[:, 1] if k == 2 else probabilities.max(axis=1)
    hit = actual == 1 if k == 2 else actual == predicted
    observed, mean = calibration_curve(hit, shown, n_bins=10)
    return {
        "classes": classes,
        "rows": [
            [classes[a], classes[p], [float(x) for x in row]] for a, p, row in zip(actual, predicted, probabilities)
        ],
        "expected": {
            "accuracy": accuracy_score(actual, predicted),
            "precision": dict(zip([str(classes[it]) for it in labels], precision)),
            "recall": dict(zip([str(classes[it]) for it in labels], recall)),
            "macro": [float(np.mean(it)) for it in (precision, recall, f1)],
            "brier": brier,
            "observed": list(observed),
            "predicted": list(mean),
            "confusion": confusion_matrix(actual, predicted, labels=range(k)).tolist(),
        },
    }


def regression(rows, scale):
    predicted = (random.normal(size=rows) * scale).round(3)
    actual = (predicted + random.normal(loc=0.2, size=rows) * scale).round(3)
    return {
        "rows": [[float(a), float(p)] for a, p in zip(actual, predicted)],
        "expected": {
            "mae": mean_absolute_error(actual, predicted),
            "rmse": root_mean_squared_error(actual, predicted),
            "bias": float(np.mean(predicted - actual)),
        },
    }


cases = {
    "scikit_learn": sklearn.__version__,
    "classification": [
        classification([0, 1], 60, 1.0),
        classification(["no", "yes"], 40, 0.3),
        classification([False, True], 3, 1.0),
        classification(["a", "b", "c"], 60, 0.5),
        classification([10, 20, 30, 40, 50], 30, 2.0),
        classification([0, 1], 1, 1.0),
    ],
    "regression": [regression(40, 1.0), regression(25, 1e6), regression(3, 0.01)],
}
print(json.dumps(cases))
