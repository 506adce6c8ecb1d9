"""Rows by feature name: what the contract makes of them, and rows to try a model with."""

from collections.abc import Callable, Iterable

import numpy as np

from version import Answer, Body

SAMPLE_SIZE = 500  # values a feature in reference.json


def filled(feature: dict, row: Body) -> object:
    """One value as it stands in a column: default, null, code and boolean applied as the contract says."""
    value = row.get(feature["name"], feature.get("default"))
    if value is None:
        if "missing" in feature:
            return feature["missing"]
        return "" if feature["type"] == "string" else np.nan
    if "codes" in feature:
        return feature["codes"][value]
    return float(value) if feature["type"] == "boolean" else value


def columns(features: list[dict], rows: list[Body]) -> dict[str, np.ndarray]:
    """A column a feature: strings as objects, numbers rounded to float32, as the tensor rounds them."""
    table = {}
    for feature in features:
        values = [filled(feature, row) for row in rows]
        is_text = feature["type"] == "string" and "codes" not in feature
        table[feature["name"]] = np.array(values, dtype=object if is_text else np.float32)
    return table


def matrix(features: list[dict], rows: list[Body]) -> np.ndarray:
    return np.column_stack(list(columns(features, rows).values()))


def near_value(feature: dict, value: object, rng: np.random.Generator) -> object:
    """A number a little away from a known one, within its bounds; anything else as it is."""
    if value is None or isinstance(value, (str, bool)):
        return value
    low, high = feature["minimum"], feature["maximum"]
    if feature["type"] == "integer":
        return int(np.clip(value + rng.integers(-2, 3), low, high))
    return float(np.clip(round(value * rng.uniform(0.9, 1.1), decimals(feature)), low, high))


def decimals(feature: dict) -> int:
    """Cents for amounts, five significant digits for small measures."""
    return max(2, 5 - int(np.floor(np.log10(feature["maximum"]))))


def random_value(feature: dict, rng: np.random.Generator) -> object:
    if "enum" in feature or "codes" in feature:
        return str(rng.choice(feature.get("enum") or list(feature["codes"])))
    if feature["type"] == "boolean":
        return bool(rng.integers(2))
    low, high = feature["minimum"], feature["maximum"]
    if feature["type"] == "integer":
        return int(rng.integers(low, high + 1))
    return float(round(rng.uniform(low, high), decimals(feature)))


def random_rows(features: list[dict], known: list[Body], rng: np.random.Generator, count: int) -> list[Body]:
    """Every other row anywhere in the allowed range, the rest near known rows, where a model decides most.
    Both have nulls, and leave out what may be left out."""
    rows = []
    for i in range(count):
        origin = known[rng.integers(len(known))] if i % 2 else None
        row = {}
        for feature in features:
            name = feature["name"]
            if "default" in feature and rng.random() < 0.2:
                continue
            if feature.get("nullable", False) and rng.random() < 0.2:
                if rng.random() < 0.5:  # else left out, which is null where there is no default
                    row[name] = None
            else:
                row[name] = near_value(feature, origin[name], rng) if origin else random_value(feature, rng)
        rows.append(row)
    return rows


def edge_rows(features: list[dict]) -> list[Body]:
    """The example row, then each bound, category, null and omission of each feature in it."""
    example = {feature["name"]: feature["example"] for feature in features}
    rows = [example]
    for feature in features:
        name = feature["name"]
        values = [feature[key] for key in ("minimum", "maximum") if key in feature]
        values += feature.get("enum") or list(feature.get("codes", {}))
        values += [True, False] if feature["type"] == "boolean" else []
        values += [None] if feature.get("nullable") else []
        rows += [{**example, name: value} for value in values]
        if "default" in feature or feature.get("nullable"):
            rows.append({key: value for key, value in example.items() if key != name})
    if all("minimum" in feature for feature in features):
        rows += [{f["name"]: f["minimum"] for f in features}, {f["name"]: f["maximum"] for f in features}]
    return rows


def golden_rows(features: list[dict], known: list[Body]) -> list[Body]:
    """Every edge once, then random rows: 60 at least, and 20 of them random."""
    edges = edge_rows(features)
    distinct = [row for i, row in enumerate(edges) if row not in edges[:i]]
    return distinct + random_rows(features, known, np.random.default_rng(20261123), max(20, 60 - len(distinct)))


def classified(classes: list, labels: Iterable, probabilities: np.ndarray) -> list[Answer]:
    """Labels are classes already; probabilities are rows × classes, in the order of `classes`."""
    answers = []
    for label, row in zip(labels, probabilities, strict=True):
        answers.append(
            {
                "prediction": label,
                "probability": float(row[classes.index(label)]),
                "probabilities": {str(name): float(p) for name, p in zip(classes, row, strict=True)},
            }
        )
    return answers


def regressed(values: Iterable[float]) -> list[Answer]:
    return [{"prediction": float(value)} for value in values]


def profile(values: list, rng: np.random.Generator) -> dict:
    """One entry of reference.json: counts for text and booleans, a sample for numbers."""
    present = [value for value in values if value is not None]
    entry = {"missing": round(1 - len(present) / len(values), 6)}
    if isinstance(present[0], (str, bool)):
        names = [str(value).lower() if isinstance(value, bool) else value for value in present]
        return {**entry, "counts": {name: names.count(name) for name in sorted(set(names))}}
    chosen = rng.choice(len(present), size=min(SAMPLE_SIZE, len(present)), replace=False)
    return {**entry, "sample": [short(present[i]) for i in chosen]}


def short(value: float) -> float | int:
    return int(value) if float(value).is_integer() else float(f"{value:.6g}")


def reference(features: list[dict], rows: list[Body], answers: Callable[[list[Body]], list[Answer]]) -> dict:
    """A profile of the training rows, and of what the trained pipeline predicts for them."""
    rng = np.random.default_rng(2026)
    given = {f["name"]: [row.get(f["name"], f.get("default")) for row in rows] for f in features}
    predictions = [answer["prediction"] for answer in answers(rows)]
    if not isinstance(predictions[0], float):
        predictions = [str(prediction) for prediction in predictions]
    return {
        "rows": len(rows),
        "features": {name: profile(values, rng) for name, values in given.items()},
        "output": profile(predictions, rng),
    }
