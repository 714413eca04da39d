#!/usr/bin/env python3
"""Runs every training stage with two builds of fireclay and compares what they computed, bit for bit: for a change that must not change results.

usage: compare_binaries.py BEFORE AFTER [DIR]        DIR: keeps the runs there; a temporary folder unless told

Both binaries train the recipe `tiny` on a small corpus for a few steps (tokenizer, pretrain, sft, reward, ppo), then rloo, reinforce, grpo, dpo and kto in the
same run. Compared are the numbers of metrics.jsonl as they were written, without those that a clock gives, samples.jsonl, battery.jsonl, all weights and
optimiser moments of every checkpoint, recipe.toml by its values, `plan --json` without times and free memory, and what `data show` prints.
Every difference is printed; the exit code is 1 if there is one.
"""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib

SMALL = """corpus.documents=300 corpus.validation_documents=10 tokenizer.vocab_size=400 model.layers=2 model.width=32 model.heads=2
pretrain.batch=2 pretrain.context=128 pretrain.warmup_steps=2 pretrain.eval_every=4 pretrain.eval_batches=4 pretrain.sample_every=4
pretrain.sample_tokens=8 pretrain.checkpoint_every=4
sft.batch=2 sft.conversations=60 sft.validation_conversations=8 sft.accumulate=2 sft.eval_every=3 sft.sample_tokens=8 sft.sample_every=3
reward.batch=4 reward.pairs=80 reward.validation_pairs=12 reward.eval_every=3
dpo.batch=4 dpo.pairs=80 dpo.validation_pairs=12 dpo.eval_every=3 dpo.lora={rank=2}
kto.batch=4 kto.pairs=80 kto.validation_pairs=12 kto.eval_every=3
ppo.batch=6 ppo.minibatch=3 ppo.max_tokens=12 ppo.prompts=40 ppo.held_out=4 ppo.ema_decay=0.9 ppo.pretrain_coefficient=0.1 ppo.eval_every=3
ppo.critic_warmup_steps=1 ppo.kl_target=0.1
rloo.group_size=3 grpo.group_size=3 grpo.epochs=2 grpo.minibatch=4 reinforce.minibatch=1 reinforce.entropy_coefficient=0.01
battery.per_topic=1 battery.final_per_topic=2 battery.max_tokens=8""".split()
for stage in ["rloo", "reinforce", "grpo"]:
    SMALL += [f"{stage}.{key}" for key in ["batch=3", "max_tokens=12", "prompts=40", "held_out=4", "eval_every=3"]]
SMALL += [
    "rloo.rewards={learned=0.0,unfinished=1.0}",
    "grpo.rewards={learned=0.0,correct=1.0,repetition=0.5}",
    "reinforce.rewards={learned=0.5,length=0.1,most_tokens=4}",
]

TOGETHER = ["tokenizer,pretrain,sft,reward,ppo", "rloo", "reinforce", "grpo", "dpo", "kto"]
CLOCK = {"seconds", "tokens_per_s", "mfu", "time_generating", "time_scoring", "time_learning"}


def run(binary, *arguments):
    environment = {**os.environ, "RAYON_NUM_THREADS": os.environ.get("RAYON_NUM_THREADS", "1"), "NO_COLOR": "1"}
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{binary} {' '.join(arguments)}\nexit code {done.returncode}\n{done.stderr}")
    return done.stdout


def train(binary, command, out, stages, *more):
    settings = [f"--set={setting}" for setting in SMALL]
    where = ["--out", out, "--quiet"] if command == "train" else []
    return run(binary, command, f"--stages={stages}", *settings, "--steps=6", *where, *more)


def without(tree, keys):
    if isinstance(tree, dict):
        return {key: without(value, keys) for key, value in tree.items() if key not in keys}
    return [without(value, keys) for value in tree] if isinstance(tree, list) else tree


def lines(file):
    # Numbers stay as they were written: text that differs is a value that differs.
    read = lambda line: json.loads(line, parse_float=str, parse_int=str)
    return [without(read(line), CLOCK) for line in file.read_text().splitlines()]


def collect(binary, out):
    """Everything that is compared, by name."""
    found = {}
    for stages in TOGETHER:
        plan = json.loads(train(binary, "plan", out, stages, "--json"))
        found[f"plan {stages}"] = without(plan, {"seconds", "memory_available"})
        print(f"{binary}: {stages}", flush=True)
        train(binary, "train", out, stages)
    folder = pathlib.Path(out)
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        if file.suffix == ".jsonl":
            found[name] = lines(file)
        elif file.suffix == ".safetensors":
            found[name] = hashlib.sha256(file.read_bytes()).hexdigest()
        elif file.name == "recipe.toml":
            found[name] = tomllib.loads(file.read_text())
        elif file.name == "DONE" and file.parent.name != "tokenizer" and file.stat().st_size > 0:
            # The tokenizer's has the time at which the run began.
            found[name] = without(json.loads(file.read_text(), parse_float=str), CLOCK)
    for kind in ["text", "conversations", "preferences"]:
        found[f"data show {kind}"] = run(binary, "data", "show", f"--kind={kind}", "--model", out, "--json")
    # Which stage a run stands for.
    generated = run(binary, "generate", "--model", out, "--prompt=Once", "--max-tokens=8", "--seed=1", "--json")
    found["generate"] = without(json.loads(generated), {"tokens_per_s"})
    return found


def differences(before, after, path):
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from differences(before.get(key), after.get(key), f"{path} {key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after)):
            yield from differences(one, other, f"{path} [{index}]")
    elif before != after:
        yield f"{path}: {str(before)[:200]} != {str(after)[:200]}"


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(sys.argv[3] if len(sys.argv) == 4 else temporary)
        both = [collect(binary, str(folder / name / "run")) for binary, name in zip(sys.argv[1:3], ["before", "after"])]
    found = list(differences(*both, ""))
    print("\n".join(found))
    steps = sum(len(value) for name, value in both[0].items() if name.endswith("metrics.jsonl"))
    stages = sum(name.endswith("metrics.jsonl") for name in both[0])
    print(f"{len(both[0])} things compared ({stages} stages, {steps} lines of metrics): {len(found)} differences")
    sys.exit(1 if found else 0)


main()
