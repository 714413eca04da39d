#!/usr/bin/env python3
"""Runs the examples of docs/serve.md's section "Asking" against a running server: each block of sh, python or js as it stands there.

    pip install openai
    mkdir /tmp/clients && (cd /tmp/clients && npm install openai)
    fireclay serve --model runs/tiny --db :memory: &
    scripts/check_serve_docs.py --node-folder /tmp/clients [--url http://127.0.0.1:8080] [--model tiny] [--api-key KEY]

Another address, model or key is put in the place of the examples' own. A block that fails, or prints nothing, ends the script with exit code 1.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

DOCS = pathlib.Path(__file__).parent.parent / "docs" / "serve.md"
SECTION = re.compile(r"^## Asking\n(.*?)^## ", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(sh|python|js)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run(language, code, node_folder):
    if language == "js":
        with tempfile.NamedTemporaryFile("w", suffix=".mjs", dir=node_folder, delete=False) as file:
            file.write(code)
        try:
            return subprocess.run(["node", file.name], capture_output=True, text=True, timeout=300)
        finally:
            os.unlink(file.name)
    # A pipe whose first command fails has failed, and so has a request that is refused.
    command = ["bash", "-ceo", "pipefail", code.replace("curl ", "curl --fail-with-body -sS ")]
    if language == "python":
        command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--api-key", default="none-is-needed")
    parser.add_argument("--node-folder", required=True)
    args = parser.parse_args()
    blocks = BLOCK.findall(SECTION.search(DOCS.read_text()).group(1))
    assert {language for language, _ in blocks} == {"sh", "python", "js"}, "the section lost its examples"
    for number, (language, code) in enumerate(blocks, 1):
        code = code.replace("http://127.0.0.1:8080", args.url).replace('"tiny"', f'"{args.model}"')
        code = code.replace("none-is-needed", args.api_key)
        done = run(language, code, args.node_folder)
        if done.returncode != 0 or not done.stdout.strip():
            raise SystemExit(f"block {number} ({language}) ended with {done.returncode}:\n{code}\n{done.stdout}\n{done.stderr}")
        print(f"ok  block {number}, {language}: {done.stdout.strip()[:100]!r}")
    print(f"all {len(blocks)} passed")


if __name__ == "__main__":
    main()
