"""Multiple choice, schema and completion by transformers, to hold `fireclay eval` against.

    python scripts/evaluate_in_transformers.py MODEL_DIR FILE.jsonl [LIMIT]

Needs torch and transformers. One sequence at a time, f32, no padding; the answer's tokens are found as docs/evaluation.md says.
"""

import json
import os
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

model_dir, path = sys.argv[1:3]
limit = int(sys.argv[3]) if len(sys.argv) > 3 else None
tokenizer = AutoTokenizer.from_pretrained(model_dir)
model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32).eval()
context = model.config.max_position_embeddings


def encode(text):
    return tokenizer(text)["input_ids"]


@torch.no_grad()
def logprobs(ids, start):
    """log p of each token from `start` on, and whether it is the most probable."""
    cut = max(len(ids) - context - 1, 0)
    ids, start = ids[cut:], max(start - cut, 1)
    logits = model(torch.tensor([ids[:-1]])).logits[0, start - 1 :]
    targets = torch.tensor(ids[start:])
    picked = logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]
    return picked.double(), bool((logits.argmax(-1) == targets).all())


def prefix(sequences):
    return len(os.path.commonprefix(sequences))


right, right_normalised, count, nats = 0, 0, 0, 0.0
for line in open(path, encoding="utf-8"):
    if limit is not None and count == limit:
        break
    item = json.loads(line)
    count += 1
    if "choices" in item:
        rows = [encode(item["query"] + " " + choice) for choice in item["choices"]]
        start = min(prefix(rows), min(map(len, rows)) - 1)
        scores = [logprobs(ids, start)[0] for ids in rows]
        right += max(range(len(rows)), key=lambda i: scores[i].sum()) == item["gold"]
        right_normalised += max(range(len(rows)), key=lambda i: scores[i].mean()) == item["gold"]
    elif "context_options" in item:
        rows = [encode(option + " " + item["continuation"]) for option in item["context_options"]]
        ending = prefix([ids[::-1] for ids in rows])
        scores = [logprobs(ids, len(ids) - ending)[0] for ids in rows]
        right += max(range(len(rows)), key=lambda i: scores[i].sum()) == item["gold"]
    else:
        before = item["context"].strip()
        given, whole = encode(before), encode(before + " " + item["continuation"])
        scores, greedy = logprobs(whole, min(prefix([given, whole]), len(whole) - 1))
        right += greedy
        nats += scores.sum().item()
print(json.dumps({"n": count, "accuracy": right / count, "accuracy_normalised": right_normalised / count, "logprob": nats / count}))
