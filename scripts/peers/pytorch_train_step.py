#!/usr/bin/env python3
"""What `fireclay bench train` measures, in PyTorch: the other half of `cargo xtask bench --peer pytorch`.

usage: pytorch_train_step.py [--layers 6 --width 384 --heads 6 --context 256 --batch 8 --vocab 4096] [--steps 8]
                             [--precision f32|bf16] [--threads N] [--compile] [--device cpu|cuda]
       pytorch_train_step.py --version

Prints one line of JSON: {"tokens_per_s", "peak_bytes", "parameters", "losses"} as `fireclay bench train --json` does, "version" and "instruction_set":
the best that PyTorch's own kernels use, to which ATEN_CPU_CAPABILITY=avx2 holds them (ONEDNN_MAX_CPU_ISA=AVX2 and MKL_ENABLE_INSTRUCTIONS=AVX2
hold its libraries).
Needs: pip install torch --index-url https://download.pytorch.org/whl/cpu

The decoder has learned positions, layer norm, ReLU, biases, and an untied head without one. AdamW runs with learning rate 1e-3, β .9 and .95,
decay 0.1 on everything and clipping at 1. Every step sees the same ids, made by the formulas of crates/train/src/bench.rs. With bf16 the matrix
products and attention are autocast; weights, gradients and the loss stay f32. PyTorch is given what makes it fast: one product for queries, keys
and values, its fused attention and its fused AdamW; on a GPU also TF32 where f32 is asked, as its users do. The peak is of the host's memory, on
a GPU of the card's.
"""
import argparse
import json
import math
import statistics
import sys
import time

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError as error:
    print(
        f"PyTorch cannot be imported by {sys.executable} ({error}): install it with `{sys.executable} -m pip install torch "
        "--index-url https://download.pytorch.org/whl/cpu`, or name an interpreter that has it with --python PATH",
        file=sys.stderr,
    )
    sys.exit(2)

# The first steps prepare: memory, threads, compiled code.
UNTIMED_STEPS = 3


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_output = nn.Linear(width, width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def attention(self, x):
        rows, time_steps, width = x.shape
        heads = self.query_key_value(x).view(rows, time_steps, 3, self.heads, width // self.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.attention_output(mixed.transpose(1, 2).reshape(rows, time_steps, width))

    def forward(self, x):
        x = x + self.attention(self.attention_norm(x))
        return x + self.down(F.relu(self.up(self.feed_forward_norm(x))))


class Decoder(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.token_embedding = nn.Embedding(shape.vocab, shape.width)
        self.position_embedding = nn.Embedding(shape.context, shape.width)
        self.blocks = nn.ModuleList(Block(shape.width, shape.heads) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        self.head = nn.Linear(shape.width, shape.vocab, bias=False)
        self.initialise(shape.layers)

    def initialise(self, layers):
        """GPT-2's: deviation 0.02, less for what writes into the residual stream."""
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                residual = name.endswith(("attention_output.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * layers) if residual else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, ids, targets):
        x = self.token_embedding(ids) + self.position_embedding.weight
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x))
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))


def data(shape):
    """Ids and targets by formula, so that any program can make the same."""
    i = torch.arange(shape.batch * shape.context)
    ids, targets = (7919 * i + 13) % shape.vocab, (104_729 * i + 5) % shape.vocab
    return (x.view(shape.batch, shape.context).to(shape.device) for x in (ids, targets))


def train(decoder, shape):
    """Seconds and loss of every step."""
    forward = torch.compile(decoder) if shape.compile else decoder
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, fused=True)
    ids, targets = data(shape)
    seconds, losses = [], []
    for _ in range(shape.steps):
        start = time.perf_counter()
        with torch.autocast(shape.device, dtype=torch.bfloat16, enabled=shape.precision == "bf16"):
            loss = forward(ids, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
    return seconds, losses


def peak_bytes(shape):
    """The most memory this process has had at once; 0 where the system does not say. Only Linux does."""
    if shape.device == "cuda":
        return torch.cuda.max_memory_allocated()
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = {"layers": 6, "width": 384, "heads": 6, "context": 256, "batch": 8, "vocab": 4096, "steps": 8, "threads": None}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--version", action="version", version=torch.__version__)
    shape = parser.parse_args()
    if shape.steps <= UNTIMED_STEPS:
        parser.error(f"--steps {shape.steps}: make it more than {UNTIMED_STEPS}, which are not timed")
    if shape.width % shape.heads:
        parser.error(f"--width {shape.width} is not a multiple of --heads {shape.heads}; make it one")
    return shape


def main():
    shape = arguments()
    if shape.threads:
        torch.set_num_threads(shape.threads)
    if shape.device == "cuda":
        torch.set_float32_matmul_precision("high")
    torch.manual_seed(0)
    decoder = Decoder(shape).to(shape.device)
    try:
        seconds, losses = train(decoder, shape)
    except Exception as error:
        if not shape.compile:
            raise
        # No compiler, no headers, no support for this Python: the first line says which.
        sys.exit(f"torch.compile failed: {next(iter(str(error).splitlines()), type(error).__name__)}")
    report = {
        "tokens_per_s": shape.batch * shape.context / statistics.median(seconds[UNTIMED_STEPS:]),
        "peak_bytes": peak_bytes(shape),
        "parameters": sum(parameter.numel() for parameter in decoder.parameters()),
        "losses": losses,
        "version": torch.__version__,
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
