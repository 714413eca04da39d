#!/usr/bin/env python3
"""Weights after each of some updates by `torch.optim.Muon`, which crates/train/tests/train/muon.rs compares ours with.

usage: muon_reference.py > crates/train/tests/fixtures/muon.json
Needs: pip install torch --index-url https://download.pytorch.org/whl/cpu   (2.9 or newer; the fixture: 2.15)
"""
import json

import torch

LEARNING_RATE, DECAY, MOMENTUM, UPDATES = 0.02, 0.1, 0.95, 4


def matrix(rows, columns, seed):
    """Numbers by a formula, so that any program can make the same."""
    i = torch.arange(rows * columns, dtype=torch.float64)
    return torch.sin(i * i * 0.37 + seed).to(torch.float32).view(rows, columns)


def main():
    cases = []
    for rows, columns in [(6, 16), (20, 8), (12, 12)]:
        weight = torch.nn.Parameter(matrix(rows, columns, 1.0))
        optimizer = torch.optim.Muon(
            [weight], lr=LEARNING_RATE, weight_decay=DECAY, momentum=MOMENTUM, nesterov=True, adjust_lr_fn="match_rms_adamw"
        )
        after = []
        for update in range(UPDATES):
            weight.grad = matrix(rows, columns, 2.0 + update)
            optimizer.step()
            after.append([round(x, 6) for x in weight.detach().flatten().tolist()])
        cases.append({"rows": rows, "columns": columns, "after": after})
    print(json.dumps({"learning_rate": LEARNING_RATE, "weight_decay": DECAY, "momentum": MOMENTUM, "cases": cases}))


if __name__ == "__main__":
    main()
