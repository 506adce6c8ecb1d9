"""Writes schemas.json: the schemas of ONNX's operators, by version.

The engine has no schemas for Node. Run this with the release of the package `onnx` whose newest opset is the
newest one that the engine supports:

    pip install onnx==1.21.0
    python scripts/operators/schemas.py
"""

import json
from pathlib import Path

import onnx
from onnx import defs

DOMAINS = ("", "ai.onnx.ml")
OPTIONAL = {
    defs.OpSchema.FormalParameterOption.Single: "",
    defs.OpSchema.FormalParameterOption.Optional: "?",
    defs.OpSchema.FormalParameterOption.Variadic: "*",
}


def types_of(parameter):
    return sorted(parameter.types)


def to_entry(schema):
    constraints = {c.type_param_str: sorted(c.allowed_type_strs) for c in schema.type_constraints}
    return {
        "since": schema.since_version,
        **({"deprecated": True} if schema.deprecated else {}),
        # `name:type` with a mark for optional and for any number.
        "inputs": [f"{p.type_str}{OPTIONAL[p.option]}" for p in schema.inputs],
        "outputs": [f"{p.type_str}{OPTIONAL[p.option]}" for p in schema.outputs],
        "types": constraints,
    }


operators = {}
for schema in defs.get_all_schemas_with_history():
    if schema.domain not in DOMAINS:
        continue
    name = schema.name if schema.domain == "" else f"{schema.domain}:{schema.name}"
    operators.setdefault(name, []).append(to_entry(schema))

sets = []
places = {}


def place_of(types):
    """Stores each list of types once, since there are few long ones. Operators name its place."""
    key = tuple(types)
    if key not in places:
        places[key] = len(sets)
        sets.append(" ".join(types))
    return places[key]


for name in sorted(operators):
    for entry in sorted(operators[name], key=lambda e: e["since"]):
        entry["types"] = {k: place_of(v) for k, v in sorted(entry["types"].items())}

lines = ",\n".join(
    f"    {json.dumps(name)}: [\n"
    + ",\n".join("      " + json.dumps(e) for e in sorted(operators[name], key=lambda e: e["since"]))
    + "\n    ]"
    for name in sorted(operators)
)
listed = ",\n".join("    " + json.dumps(s) for s in sets)
newest = {d: defs.onnx_opset_version() if d == "" else max(s.since_version for s in defs.get_all_schemas_with_history() if s.domain == d) for d in DOMAINS}
text = (
    "{\n"
    f'  "onnx": {json.dumps(onnx.__version__)},\n'
    f'  "newest": {json.dumps(newest)},\n'
    f'  "typeSets": [\n{listed}\n  ],\n'
    f'  "operators": {{\n{lines}\n  }}\n}}\n'
)
Path(__file__).with_name("schemas.json").write_text(text)
