#!/usr/bin/env python3
"""What `fireclay bench generate` measures as prefill, in PyTorch: a prompt through the decoder, to the logits behind its last token.

usage: pytorch_prefill.py [--layers 12 --width 768 --heads 12 --context 1024 --prompt 512 --vocab 50257] [--rounds 10]
                          [--precision f32|bf16|autocast] [--threads N] [--compile]
       pytorch_prefill.py --version

Prints one line of JSON: {"prefill_tokens_per_s", "peak_bytes", "parameters", "version", "instruction_set"}, the speed that of the median round. bf16
rounds the weights beforehand, autocast while it runs. The instruction set is as pytorch_train_step.py tells it.
Needs: pip install torch --index-url https://download.pytorch.org/whl/cpu

GPT-2's decoder (learned positions, layer norm, GELU by tanh, biases, a head that is the embedding), with the keys and values of every layer kept as a cache would, and the head
computed for the last token alone, as ours are.
"""
import argparse
import json
import statistics
import sys
import time

# First, because it says what to do where PyTorch is missing.
from pytorch_train_step import Decoder, peak_bytes

import torch
import torch.nn.functional as F


def prefill(decoder, ids):
    x = decoder.token_embedding(ids) + decoder.position_embedding.weight[: ids.shape[1]]
    cache = []
    for block in decoder.blocks:
        normal = block.attention_norm(x)
        rows, tokens, width = normal.shape
        heads = block.query_key_value(normal).view(rows, tokens, 3, block.heads, width // block.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        cache.append((key, value))
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + block.attention_output(mixed.transpose(1, 2).reshape(rows, tokens, width))
        x = x + block.down(F.gelu(block.up(block.feed_forward_norm(x)), approximate="tanh"))
    return decoder.head(decoder.norm(x[:, -1:])), cache


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = {"layers": 12, "width": 768, "heads": 12, "context": None, "prompt": 512, "vocab": 50257, "rounds": 10, "threads": None}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--precision", choices=["f32", "bf16", "autocast"], default="bf16")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--version", action="version", version=torch.__version__)
    shape = parser.parse_args()
    shape.context = shape.context or 2 * shape.prompt
    if shape.prompt > shape.context:
        parser.error(f"--prompt {shape.prompt} is longer than --context {shape.context}")
    shape.device = "cpu"
    return shape


def seconds_of_rounds(decoder, shape):
    ids = ((7919 * torch.arange(shape.prompt) + 13) % shape.vocab).view(1, -1)
    run = torch.compile(prefill) if shape.compile else prefill
    seconds = []
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=shape.precision == "autocast"):
        for _ in range(shape.rounds + 2):
            start = time.perf_counter()
            run(decoder, ids)
            seconds.append(time.perf_counter() - start)
    # The first two prepare: memory, threads, compiled code.
    return seconds[2:]


def main():
    shape = arguments()
    if shape.threads:
        torch.set_num_threads(shape.threads)
    decoder = Decoder(shape).eval()
    decoder.head.weight = decoder.token_embedding.weight
    if shape.precision == "bf16":
        decoder = decoder.to(torch.bfloat16)
    try:
        seconds = seconds_of_rounds(decoder, shape)
    except Exception as error:
        if not shape.compile:
            raise
        # No compiler, no headers, no support for this Python: the first line says which.
        sys.exit(f"torch.compile failed: {next(iter(str(error).splitlines()), type(error).__name__)}")
    print(json.dumps({
        "prefill_tokens_per_s": shape.prompt / statistics.median(seconds),
        "peak_bytes": peak_bytes(shape),
        "parameters": sum(parameter.numel() for parameter in decoder.parameters()),
        "version": torch.__version__,
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
    }))


if __name__ == "__main__":
    main()
