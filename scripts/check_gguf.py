#!/usr/bin/env python3
"""Compares Fireclay's GGUF files with llama.cpp and transformers on a real model: SmolLM2-135M-Instruct, or any model of a family that all three have.

usage: check_gguf.py MODEL.gguf DIR [--fireclay PATH] [--max-tokens 64] [--types q8_0,f16] [--tolerance 1e-3] [--margin 0.2]

MODEL.gguf is the model as somebody else made it, DIR the same as a Hugging Face folder with the numbers of the file (transformers reads such a file with
`AutoModelForCausalLM.from_pretrained(…, gguf_file=…)`) and the model's own tokenizer: the one that transformers makes of a file forgets how the file says that
words are split. PATH is the built binary (default: target/release/fireclay).
Needs: pip install torch transformers gguf xllamacpp

- The log-probability of every token of some texts by `fireclay score --model MODEL.gguf` is within the tolerance of transformers' on DIR, and the ids of the
  texts are the same.
- `fireclay export` writes DIR in each of the types; llama.cpp opens the file, and its greedy continuation of every prompt is the text that
  `fireclay generate --model FILE` gives. llama.cpp multiplies Q8_0 with activations that it rounds to 8 bits, and F16 with such of 16 bits, so that it may take
  another token where two are about as probable: where the texts part, its token is at most `--margin` nats less probable to us than ours, which is said. The
  same numbers as F32 (`--types f32`, or a Q8_0 file exported once more as F32) are multiplied exactly, and must give the same text.
Exits with 1 where one differs. Not part of CI: the model is half a gigabyte.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

TEXTS = [
    "Once upon a time there was a potter who lived at the edge of a forest. Every morning she",
    "The capital of France is Paris, and the capital of Japan is",
    "从前有座山，山里有座庙，庙里有个老和尚。",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "  3 * (17 - 5) = 36.\n\n\tTabs, émojis 🙂 and   spaces: ",
]


def fireclay(binary, *call):
    done = subprocess.run([binary, *call], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"fireclay {call[0]} failed: {done.stderr.strip()}")
    return done.stdout


def same_scores(binary, file, directory, tolerance):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    fine = True
    for text in TEXTS:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        ours = json.loads(fireclay(binary, "tokenizer", "encode", "--tokenizer", file, "--text", text, "--json"))["ids"]
        scored = json.loads(fireclay(binary, "score", "--model", file, "--ids", " ".join(map(str, ids)), "--json"))["logprobs"]
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
        theirs = logits.gather(1, torch.tensor(ids)[1:, None]).flatten().tolist()
        worst = max(abs(a - b) for a, b in zip(scored, theirs, strict=True))
        good = ours == ids and worst < tolerance
        fine &= good
        print("ok    " if good else "FAILED", f"{len(ids):3} ids {'same' if ours == ids else 'DIFFER'}, largest difference {worst:.1e}  {text[:40]!r}")
    return fine


def part_by(binary, file, prompt, ours, theirs):
    """By how many nats our token is more probable than llama.cpp's, and at which token of the continuation, where two texts part."""

    def encoded(text):
        return json.loads(fireclay(binary, "tokenizer", "encode", "--tokenizer", file, "--text", text, "--json"))["ids"]

    def last_logprob(ids):
        return json.loads(fireclay(binary, "score", "--model", file, "--ids", " ".join(map(str, ids)), "--json"))["logprobs"][-1]

    one, other = encoded(prompt + ours), encoded(prompt + theirs)
    place = next(i for i, (a, b) in enumerate(zip(one, other)) if a != b)
    return last_logprob(one[: place + 1]) - last_logprob(other[: place + 1]), place - len(encoded(prompt))


def same_continuations(binary, directory, kind, count, margin):
    import xllamacpp

    fine = True
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, f"m-{kind}.gguf")
        print(fireclay(binary, "export", "--model", directory, "--gguf", kind, "--out", file).strip())
        print(open(file + ".receipt.json").read())
        params = xllamacpp.CommonParams()
        params.model.path = file
        params.n_ctx, params.n_parallel, params.n_predict = 512, 1, count
        params.warmup, params.verbosity = False, -1
        # Keys and values as exact as ours.
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        server = xllamacpp.Server(params)
        for text in TEXTS:
            asked = {"prompt": text, "max_tokens": count, "temperature": 0.0, "top_k": 1, "seed": 1, "repeat_penalty": 1.0}
            theirs = server.handle_completions(asked)["choices"][0]["text"]
            ours = json.loads(fireclay(binary, "generate", "--model", file, "--prompt", text, "--max-tokens", str(count), "--temperature", "0", "--json"))["text"]
            # The last token of theirs may be half of a character, which ours never is.
            whole = theirs.rstrip("\ufffd")
            good = ours == theirs or (whole != theirs and ours.startswith(whole))
            print("same  " if good else "parts ", kind, repr(text[:40]), "→", repr(ours[:60]))
            if not good:
                nats, place = part_by(binary, file, text, ours, theirs)
                good = -1e-3 < nats < margin
                print("       llama.cpp", repr(theirs))
                print("       fireclay ", repr(ours))
                print("ok    " if good else "FAILED", f"they part at token {place + 1}, where ours is {nats:.3f} nats more probable")
            fine &= good
        del server
    return fine


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("file")
    parser.add_argument("directory")
    parser.add_argument("--fireclay", default="target/release/fireclay")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--types", default="q8_0,f16")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    parser.add_argument("--margin", type=float, default=0.2)
    args = parser.parse_args()
    fine = same_scores(args.fireclay, args.file, args.directory, args.tolerance)
    for kind in args.types.split(","):
        fine &= same_continuations(args.fireclay, args.directory, kind, args.max_tokens, args.margin)
    sys.exit(0 if fine else 1)


main()
