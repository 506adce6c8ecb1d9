"""Asks a running Sardonyx and scikit-learn the same rows: python verify_parity.py [BASE_URL] [--rows N] [--key KEY].

The pipelines are trained again in this process, and never see the engine. Exits 1 on any miss. The service's
limit of requests a minute must allow the rows: start it with RATE_LIMIT_MAX=1000000."""

import argparse
import http.client
import json
import os
import sys
from urllib.parse import urlsplit

import numpy as np

import parity
from train import MODELS
from version import Version

SEED = 424242  # none of the seeds of training, golden rows or export check


class Service:
    """One connection, kept alive."""

    def __init__(self, base_url: str, key: str | None):
        parts = urlsplit(base_url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=30)
        self._prefix = parts.path.rstrip("/")
        self._headers = {"content-type": "application/json", **({"x-api-key": key} if key else {})}

    def predict(self, name: str, version: str, body: dict) -> dict:
        path = f"{self._prefix}/models/{name}/versions/{version}/predict"
        self._connection.request("POST", path, json.dumps(body, allow_nan=False).encode(), self._headers)
        response = self._connection.getresponse()
        text = response.read().decode()
        if response.status != 200:
            raise ValueError(f"{response.status} for {json.dumps(body)[:200]}: {text[:400]}")
        answer = json.loads(text)
        answered = (answer["model"], answer["model_version"])
        if answered != (name, version):
            raise ValueError(f"answered by {'/'.join(answered)}")
        return answer


def compare(service: Service, version: Version, rows: int) -> parity.Parity:
    bodies = version.random_bodies(np.random.default_rng(SEED), rows)
    result = parity.Parity()
    for body, expected in zip(bodies, version.answer(bodies), strict=True):
        result.add(expected, service.predict(version.manifest["name"], version.manifest["version"], body))
    return result


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("base_url", nargs="?", default="http://127.0.0.1:8000")
    options.add_argument("--rows", type=int, default=1_000)
    options.add_argument("--key", default=os.environ.get("API_KEY"))
    given = options.parse_args()

    service = Service(given.base_url, given.key)
    misses = 0
    print(parity.HEADER)
    for version in (version for model in MODELS for version in model.build()):
        name, number = version.manifest["name"], version.manifest["version"]
        try:
            result = compare(service, version, given.rows)
        except (ValueError, KeyError, TypeError) as problem:
            print(f"{name:<15} {number:<16} MISS: {type(problem).__name__}: {problem}")
            misses += 1
            continue
        except (OSError, http.client.HTTPException) as problem:
            sys.exit(f"{given.base_url} does not answer: {problem}")
        print(parity.line(name, number, result))
        misses += not result.holds
    print("everything equal" if misses == 0 else f"{misses} versions differ")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
