#!/usr/bin/env python3
"""Holds `fireclay eval` against lm-evaluation-harness, which asks a running server.

    pip install 'lm_eval[api]'
    fireclay serve --model runs/tiny &
    scripts/compare_lm_eval.py --fireclay target/release/fireclay --model runs/tiny --tokenizer runs/tiny/tokenizer copa.jsonl arc_easy.jsonl

Each file has objects with `query`, `choices` and `gold`. The accuracies may differ by one question: the harness finds where an answer begins by the
length of the question's ids, ours by what the choices have in common. Questions that do not fit the model's context are left out and counted: the
harness fails where an answer alone is longer.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

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


def context_of(args):
    """The context of the served model."""
    with urllib.request.urlopen(f"{args.url}/tokenizer_info?model={model_name(args)}") as answer:
        return json.load(answer)["max_model_len"]


def model_name(args):
    return args.name or pathlib.Path(args.model).resolve().name


def fitting(args, file, folder):
    """A copy of the file without questions that do not fit the context."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
    length = lambda text: len(tokenizer(text)["input_ids"])
    questions = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    fit = [each for each in questions if all(length(f"{each['query']} {choice}") < args.context for choice in each["choices"])]
    copy = folder / file.name
    copy.write_text("".join(json.dumps(each) + "\n" for each in fit))
    return copy, len(questions) - len(fit)


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
            "model": model_name(args),
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
    parser.add_argument("--context", type=int, help="most tokens of a question with an answer, if not the model's context")
    parser.add_argument("--limit", type=int)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    args.context = args.context or context_of(args)
    wrong = False
    with tempfile.TemporaryDirectory() as folder:
        files, left_out = zip(*(fitting(args, file, pathlib.Path(folder)) for file in args.files))
        for file, (mine, n), other, longer in zip(files, ours(args, files), theirs(args, files), left_out):
            apart = math.floor(abs(mine - other) * n + 0.5)
            wrong |= apart > 1
            print(f"{file.stem:20} n {n:5}  fireclay {mine:.4f}  lm_eval {other:.4f}  {apart} questions apart  ({longer} too long)")
    sys.exit(int(wrong))


if __name__ == "__main__":
    main()
