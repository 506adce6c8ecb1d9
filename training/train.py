"""Trains the sample models and writes them into the registry. Run it by train.sh, which fixes what must be fixed."""

import os
import sys
from pathlib import Path

import breast_cancer
import churn
import credit_risk
import diabetes
import digits
import export
import parity

MODELS = [credit_risk, breast_cancer, churn, diabetes, digits]
ALIASES = {
    "aliases.json": {"default": "credit-risk"},
    "credit-risk/aliases.json": {"default": "20261115_143000", "challenger": "20261101_090000"},
}


def main(registry: Path) -> int:
    print("onnxruntime against scikit-learn on random rows over the whole range of each feature")
    print(parity.HEADER)
    for model in MODELS:
        for version in model.build():
            result = export.check(version)
            print(parity.line(version.manifest["name"], version.manifest["version"], result), end="  ")
            if not result.holds:
                print("refused")
                return 1
            try:
                print(export.write(version, registry), version.manifest["metrics"])
            except export.Refused as reason:
                print(f"\n{reason}")
                return 1
    for path, aliases in ALIASES.items():
        (registry / path).write_bytes(export.to_json(aliases))
    return 0


if __name__ == "__main__":
    # skl2onnx 1.20.0 orders nodes by walking sets of strings.
    if os.environ.get("PYTHONHASHSEED") != "0":
        sys.exit("PYTHONHASHSEED must be 0, or model.onnx differs from run to run: use train.sh")
    here = Path(__file__).resolve().parent
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent / "models"))
