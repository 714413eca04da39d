#!/usr/bin/env python3
"""Holds `fireclay eval` against lm-evaluation-harness, which asks a running server.

    pip install 'lm_eval[api]'
    fireclay serve --model runs/tiny &
    scripts/compare_lm_eval.py --fireclay target/release/fireclay --model runs/tiny --tokenizer runs/tiny/tokenizer copa.jsonl arc_easy.jsonl

Each file has objects with `query`, `choices` and `gold`. The accuracies may differ by one question: the harness finds where an answer begins by the
length of the question's ids, ours by what the choices have in common.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

TASK = """task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {file}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{query}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{gold}}}}"
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""


def ours(args, files):
    command = [args.fireclay, "eval", "--model", args.model, "--json", "--task", *map(str, files)]
    if args.limit:
        command += ["--limit", str(args.limit)]
    tasks = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["tasks"]
    return [(task["metrics"]["accuracy"], task["n"]) for task in tasks]


def theirs(args, files):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for file in files:
            name = f"fireclay_{file.stem}"
            (folder / f"{name}.yaml").write_text(TASK.format(name=name, file=file.resolve()))
        settings = {
            "model": args.name or pathlib.Path(args.model).resolve().name,
            "base_url": f"{args.url}/v1/completions",
            "tokenizer_backend": "huggingface",
            "tokenizer": args.tokenizer,
            "max_length": args.context,
            "tokenized_requests": True,
        }
        command = ["lm_eval", "--model", "local-completions", "--batch_size", "8", "--include_path", str(folder), "--output_path", str(folder / "out")]
        command += ["--tasks", ",".join(f"fireclay_{file.stem}" for file in files)]
        command += ["--model_args", ",".join(f"{key}={value}" for key, value in settings.items())]
        if args.limit:
            command += ["--limit", str(args.limit)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr[-3000:])
        results = json.loads(next((folder / "out").rglob("results*.json")).read_text())["results"]
        return [results[f"fireclay_{file.stem}"]["acc,none"] for file in files]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fireclay", default="target/release/fireclay")
    parser.add_argument("--model", required=True, help="what the server serves")
    parser.add_argument("--name", help="its name in requests, if not the folder's")
    parser.add_argument("--tokenizer", required=True, help="a folder that opens in transformers' AutoTokenizer")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--limit", type=int)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    wrong = False
    for file, (mine, n), other in zip(args.files, ours(args, args.files), theirs(args, args.files)):
        apart = math.floor(abs(mine - other) * n + 0.5)
        wrong |= apart > 1
        print(f"{file.stem:20} n {n:5}  fireclay {mine:.4f}  lm_eval {other:.4f}  {apart} questions apart")
    sys.exit(int(wrong))


if __name__ == "__main__":
    main()
