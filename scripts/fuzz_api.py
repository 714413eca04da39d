#!/usr/bin/env python3
"""Asks a running server everything that its OpenAPI document allows, and much that it does not, and looks for errors of the server (5xx).

    pip install schemathesis
    fireclay serve --model runs/tiny --db :memory: &
    scripts/fuzz_api.py [--url http://127.0.0.1:8080] [--api-key KEY] [--examples 100] [more options of `schemathesis run`]

Schemathesis makes the requests; here most of them get a model, ids and short answers, so that they pass the first checks and reach what lies behind.
Tested with schemathesis 4.32.
"""

import argparse
import json
import os
import random
import sys
import urllib.request

# This file is the program, which starts Schemathesis, and the module of hooks, which Schemathesis imports.
URL, KEY = "FUZZ_API_URL", "FUZZ_API_KEY"


def ask(method, path, body=None):
    headers = {"Content-Type": "application/json"}
    if os.environ.get(KEY):
        headers["Authorization"] = f"Bearer {os.environ[KEY]}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(os.environ[URL] + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def install_hooks():
    import schemathesis

    model = ask("GET", "/v1/models")["data"][0]["id"]

    def known_ids():
        """Ids of a conversation with a response, made anew: requests may delete it."""
        conversation = ask("POST", "/v1/conversations", {})["id"]
        turn = {"model": model, "input": "Hello", "conversation": conversation, "max_output_tokens": 2}
        response = ask("POST", "/v1/responses", turn)
        items = ask("GET", f"/v1/conversations/{conversation}/items")["data"]
        item = next(item["id"] for item in items if item["role"] == "assistant")
        return {"conversation": conversation, "response": response["id"], "item": item, "message": item, "model": model}

    # Unseeded: which requests are helped does not have to repeat, and a failure prints the request itself.
    dice = random.Random(0)

    @schemathesis.hook
    def map_path_parameters(context, path_parameters):
        if path_parameters and dice.random() < 0.5:
            ids = known_ids()
            # The page's routes call both `id`.
            ids["id"] = ids["message" if "/messages/" in context.operation.path else "conversation"]
            path_parameters.update({name: ids[name] for name in path_parameters if name in ids})
        return path_parameters

    @schemathesis.hook
    def map_body(context, body):
        if not isinstance(body, dict) or dice.random() < 0.1:
            return body
        if "model" in body:
            body["model"] = model
        for limit in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
            if isinstance(body.get(limit), int) and not isinstance(body[limit], bool) and body[limit] > 8:
                body[limit] = 8
        # Most random messages are refused for their roles.
        for message in body.get("messages") if isinstance(body.get("messages"), list) else []:
            if isinstance(message, dict):
                message.setdefault("role", "user")
                message.setdefault("content", "Hello")
        return body


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--api-key", default="")
    parser.add_argument("--examples", default="100")
    args, more = parser.parse_known_args()
    here = os.path.dirname(os.path.abspath(__file__))
    os.environ.update({URL: args.url, KEY: args.api_key, "SCHEMATHESIS_HOOKS": "fuzz_api"})
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    # The same environment of Python that this script runs in.
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{args.url}/openapi.json"]
    command += ["--checks", "not_a_server_error", "--continue-on-failure", "--request-timeout", "120"]
    command += ["--max-examples", args.examples, *more]
    if args.api_key:
        command += ["--header", f"Authorization: Bearer {args.api_key}"]
    os.execv(sys.executable, command)


if __name__ == "__main__":
    main()
elif URL in os.environ:
    install_hooks()
