#!/usr/bin/env python3
"""Opens every model, score model and adapter that examples/write_models.rs wrote with transformers and PEFT, as it is, and compares the numbers.

usage: cargo run --release -p fireclay-model --example write_models -- DIR
       transformers_opens_ours.py DIR          exits with 1 where a logit or score differs by more than 1e-4
Needs: pip install torch transformers peft
Each model is also saved again by transformers into DIR/again-NAME, for Fireclay to read back.
"""
import json
import os
import sys

import peft
import torch
import transformers
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification


def language_model(directory, ids):
    model, report = AutoModelForCausalLM.from_pretrained(directory, output_loading_info=True, attn_implementation="eager")
    complaints = {key: sorted(map(str, found)) for key, found in report.items() if found}
    if model.generation_config.eos_token_id != [0, 2]:
        complaints["eos_token_id"] = model.generation_config.eos_token_id
    model.save_pretrained(os.path.join(os.path.dirname(directory), "again-" + os.path.basename(directory)))
    return model, model.eval()(ids).logits, complaints


def score_model(directory, ids):
    """Scores as far as each token: those of the rows cut off there and filled up with padding."""
    model, report = AutoModelForSequenceClassification.from_pretrained(directory, output_loading_info=True, attn_implementation="eager")
    complaints = {key: sorted(map(str, found)) for key, found in report.items() if found}
    if model.config.num_labels != 1 or model.config.fireclay_reward != {"mean": 0.5, "std": 2.0}:
        complaints["config"] = (model.config.num_labels, model.config.fireclay_reward)
    cut = [torch.where(torch.arange(ids.shape[1]) < length, ids, model.config.pad_token_id) for length in range(1, ids.shape[1] + 1)]
    return model, torch.cat([model.eval()(rows).logits for rows in cut], 1), complaints


def adapted_model(directory, ids):
    base = AutoModelForCausalLM.from_pretrained(os.path.join(directory, "base"), attn_implementation="eager")
    plain = base.eval()(ids).logits
    model = PeftModel.from_pretrained(base, directory)
    logits = model.eval()(ids).logits
    adapters = sum("lora_" in name for name, _ in model.named_parameters())
    complaints = {} if (logits - plain).abs().max() > 0.1 and adapters > 0 else {"adapters": "change nothing"}
    # Merging is where PEFT transposes GPT-2's, so it shows whether fan_in_fan_out is right.
    merged = model.merge_and_unload()(ids).logits
    if (merged - logits).abs().max() > 1e-4:
        complaints["merged"] = "differs"
    return model, logits, complaints


def main():
    root, failed = sys.argv[1], False
    for name in sorted(n for n in os.listdir(root) if not n.startswith("again-")):
        directory = os.path.join(root, name)
        record = json.load(open(os.path.join(directory, "expected.json")))
        opened = {"score": score_model, "lora": adapted_model}.get(name.split("-")[0], language_model)
        with torch.no_grad():
            model, numbers, complaints = opened(directory, torch.tensor(record["ids"]))
        ours = torch.tensor(record.get("logits") or record["scores"])
        difference = (numbers - ours.view_as(numbers)).abs().max().item()
        wrong = difference > 1e-4 or model.dtype != torch.float32 or bool(complaints)
        failed |= wrong
        print(f"{'FAILED' if wrong else 'ok':7}{name:26}{type(model).__name__:32}largest difference {difference:.1e} {complaints or ''}")
    print("transformers", transformers.__version__, "peft", peft.__version__, "torch", torch.__version__)
    sys.exit(1 if failed else 0)


main()
