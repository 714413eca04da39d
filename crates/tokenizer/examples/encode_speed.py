"""Python's `tokenizers`, measured as encode_speed.rs measures Fireclay: encode_speed.py TOKENIZER_JSON TEXT [MODE].

For GPT-2's pair of files, first save them as a tokenizer.json (`Tokenizer::save`).
"""

import sys
import time

import tokenizers

REPEATS = 5
PIECE_BYTES = 4096


def pieces(data):
    """Whole lines, of at least PIECE_BYTES together."""
    found, start = [], 0
    while len(data) - start > PIECE_BYTES:
        end = data.find(b"\n", start + PIECE_BYTES)
        if end < 0:
            break
        found.append(data[start : end + 1].decode())
        start = end + 1
    return found + [data[start:].decode()]


def main():
    tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
    tokenizer.encode_special_tokens = True
    data = open(sys.argv[2], "rb").read()
    text, parts = data.decode(), pieces(data)
    modes = {
        "whole": lambda: len(tokenizer.encode(text, add_special_tokens=False).ids),
        "lines": lambda: sum(len(tokenizer.encode(part, add_special_tokens=False).ids) for part in parts),
        "batch": lambda: sum(len(e.ids) for e in tokenizer.encode_batch(parts, add_special_tokens=False)),
        "batch_fast": lambda: sum(len(e.ids) for e in tokenizer.encode_batch_fast(parts, add_special_tokens=False)),
    }
    for mode, run in modes.items():
        if len(sys.argv) > 3 and mode != sys.argv[3]:
            continue
        best = float("inf")
        for _ in range(REPEATS):
            start = time.perf_counter()
            tokens = run()
            best = min(best, time.perf_counter() - start)
        speed = len(data) / 1e6 / best
        print(f"tokenizers {tokenizers.__version__} {mode}: {tokens} tokens, {speed:.2f} MB/s (best of {REPEATS})")


main()
