#!/usr/bin/env python3
"""Opens every model that examples/write_models.rs wrote with transformers, as it is, and compares the logits.

usage: cargo run --release -p fireclay-model --example write_models -- DIR
       transformers_opens_ours.py DIR          exits with 1 where a logit differs by more than 1e-4
Needs: pip install torch transformers
Each model is also saved again by transformers into DIR/again-NAME, for Fireclay to read back.
"""
import json
import os
import sys

import torch
import transformers
from transformers import AutoModelForCausalLM


def main():
    root, failed = sys.argv[1], False
    for name in sorted(n for n in os.listdir(root) if not n.startswith("again-")):
        directory = os.path.join(root, name)
        record = json.load(open(os.path.join(directory, "logits.json")))
        model, report = AutoModelForCausalLM.from_pretrained(directory, output_loading_info=True)
        model.eval()
        with torch.no_grad():
            logits = model(torch.tensor(record["ids"])).logits
        difference = (logits - torch.tensor(record["logits"]).view_as(logits)).abs().max().item()
        complaints = {key: sorted(map(str, found)) for key, found in report.items() if found}
        wrong = difference > 1e-4 or model.dtype != torch.float32 or bool(complaints) or model.generation_config.eos_token_id != [0, 2]
        failed |= wrong
        print(f"{'FAILED' if wrong else 'ok':7}{name:22}{type(model).__name__:22}largest difference {difference:.1e} {complaints or ''}")
        model.save_pretrained(os.path.join(root, "again-" + name))
    print("transformers", transformers.__version__, "torch", torch.__version__)
    sys.exit(1 if failed else 0)


main()
