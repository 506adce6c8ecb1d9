"""Sends requests to a server with KServe's own client and with urllib, and prints the answers as JSON."""

import asyncio
import json
import sys
import urllib.error
import urllib.request

import httpx
from kserve import InferenceRESTClient, RESTConfig

BASE = sys.argv[1]
ROWS = [
    {"age": 42, "income": 51234.5, "credit_score": 688},
    {"age": 30, "income": 1000, "credit_score": 400},
]
IN_ORDER = [list(row.values()) for row in ROWS]


async def ask_with_client():
    client = InferenceRESTClient(RESTConfig(protocol="v1", retries=0))

    async def infer(data, model="credit-risk"):
        try:
            return await client.infer(BASE, data, model_name=model)
        except httpx.HTTPStatusError as error:
            return {"raised": str(error)}

    async def ready(model):
        try:
            return await client.is_model_ready(BASE, model)
        except httpx.HTTPStatusError as error:
            return {"raised": str(error)}

    async with client:
        return {
            "live": await client.is_server_live(BASE),
            "ready": [await ready(name) for name in ("credit-risk", "broken", "nope")],
            "by_name": await infer({"instances": ROWS}),
            "in_order": await infer({"instances": IN_ORDER}),
            "whole": await infer({"instances": ROWS, "parameters": {"probabilities": True}}),
            "bad_row": await infer({"instances": [ROWS[0], {**ROWS[1], "age": 130}]}),
            "no_model": await infer({"instances": ROWS}, "nope"),
            "broken": await infer({"instances": ROWS}, "broken"),
        }


def ask_with_urllib(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request) as response:
            return [response.status, json.load(response)]
    except urllib.error.HTTPError as error:
        return [error.code, json.load(error)]


print(
    json.dumps(
        {
            "client": asyncio.run(ask_with_client()),
            "urllib": {
                "models": ask_with_urllib("/v1/models"),
                "model": ask_with_urllib("/v1/models/credit-risk"),
                "predict": ask_with_urllib("/v1/models/credit-risk:predict", {"instances": IN_ORDER}),
                "encoded": ask_with_urllib("/v1/models/credit-risk%3Apredict", {"instances": IN_ORDER}),
                "empty": ask_with_urllib("/v1/models/credit-risk:predict", {"instances": []}),
            },
        }
    )
)
