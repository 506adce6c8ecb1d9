"""Checks manifests against the types of KServe's own client: each key must exist, and each value have its type."""

import re
import sys

import kserve
import kubernetes.client
import yaml

KINDS = {
    "ClusterServingRuntime": kserve.V1alpha1ClusterServingRuntime,
    "InferenceService": kserve.V1beta1InferenceService,
}
PLAIN = {"str": str, "int": int, "bool": bool, "float": (int, float), "object": object}


def check(value, kind, path):
    """Raises if a value does not have its type."""
    for shape, inner in ((list, r"list\[(.*)\]"), (dict, r"dict\(str, (.*)\)|dict\[str, (.*)\]")):
        found = re.fullmatch(inner, kind, re.IGNORECASE)
        if found:
            of = next(group for group in found.groups() if group)
            assert isinstance(value, shape), f"{path} must be a {shape.__name__}"
            parts = value.items() if shape is dict else enumerate(value)
            for key, part in parts:
                check(part, of, f"{path}.{key}")
            return
    if kind in PLAIN:
        assert isinstance(value, PLAIN[kind]), f"{path} must be a {kind}, got {value!r}"
        return
    model = getattr(kserve, kind, None) or getattr(kubernetes.client, kind)
    # Quantities and ports are texts or numbers: the client's types have no members for them.
    if not hasattr(model, "attribute_map") or kind in ("ResourceQuantity", "IntstrIntOrString"):
        return
    names = {json_name: name for name, json_name in model.attribute_map.items()}
    for key, part in value.items():
        assert key in names, f"{path}.{key} is no member of {kind}"
        check(part, model.openapi_types[names[key]], f"{path}.{key}")


for file in sys.argv[1:]:
    with open(file, encoding="utf-8") as text:
        for document in yaml.safe_load_all(text):
            check(document, KINDS[document["kind"]].__name__, document["kind"])
            print(document["kind"], document["metadata"]["name"])
