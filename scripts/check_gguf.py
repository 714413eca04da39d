#!/usr/bin/env python3
"""Compares Fireclay's GGUF files with llama.cpp and transformers on a real model: SmolLM2-135M-Instruct, or any model of a family that all three have.

usage: check_gguf.py MODEL.gguf DIR [--fireclay PATH] [--max-tokens 64] [--types q8_0,f16] [--tolerance 1e-3]

MODEL.gguf is the model as somebody else made it, DIR the same as a Hugging Face folder with the numbers of the file (transformers reads such a file with
`AutoModelForCausalLM.from_pretrained(…, gguf_file=…)`) and the model's own tokenizer: the one that transformers makes of a file forgets how the file says that
words are split. PATH is the built binary (default: target/release/fireclay).
Needs: pip install torch transformers gguf xllamacpp

- The log-probability of every token of some texts by `fireclay score --model MODEL.gguf` is within the tolerance of transformers' on DIR, and the ids of the
  texts are the same.
- `fireclay export` writes DIR in each of the types. llama.cpp's own library widens the file's numbers to an F32 file. On that file llama.cpp's greedy
  continuation of every prompt is the text that `fireclay generate` gives on the file of blocks, and transformers' log-probabilities are within the tolerance of
  those by `fireclay score` on the file of blocks: container, order, blocks and arithmetic are right.
- llama.cpp opens the file itself. Its text must be ours but for Q8_0, Q4_0 and BF16: there it rounds activations to 8 bits, or to bfloat16. Then it is told where
  the texts part, and by how much our token is more probable to us.
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
ROUNDED_ACTIVATIONS = {"q8_0", "q4_0", "bf16"}


def fireclay(binary, *call):
    done = subprocess.run([binary, *call], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"fireclay {call[0]} failed: {done.stderr.strip()}")
    return done.stdout


def same_scores(binary, file, model, tokenizer, tolerance):
    import torch

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


def widened(file, out):
    """Writes the numbers of a GGUF file as F32, by llama.cpp's library alone."""
    import gguf

    reader = gguf.GGUFReader(file)
    writer = gguf.GGUFWriter(out, reader.fields["general.architecture"].contents())
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        writer.add_key_value(field.name, field.contents(), kind, sub_type=field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, gguf.dequantize(tensor.data, tensor.tensor_type).astype("float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llama_cpp(file, count):
    """Greedy continuations of the texts by llama.cpp."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = file
    params.n_ctx, params.n_parallel, params.n_predict = 512, 1, count
    params.warmup, params.verbosity = False, -1
    # Keys and values as exact as ours.
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    server = xllamacpp.Server(params)
    asked = {"max_tokens": count, "temperature": 0.0, "top_k": 1, "seed": 1, "repeat_penalty": 1.0}
    return [server.handle_completions(asked | {"prompt": text})["choices"][0]["text"] for text in TEXTS]


def part_by(binary, file, prompt, ours, theirs):
    """By how many nats our token is more probable than llama.cpp's, and at which token of the continuation, where two texts part."""

    def encoded(text):
        return json.loads(fireclay(binary, "tokenizer", "encode", "--tokenizer", file, "--text", text, "--json"))["ids"]

    def last_logprob(ids):
        return json.loads(fireclay(binary, "score", "--model", file, "--ids", " ".join(map(str, ids)), "--json"))["logprobs"][-1]

    one, other = encoded(prompt + ours), encoded(prompt + theirs)
    place = next(i for i, (a, b) in enumerate(zip(one, other)) if a != b)
    return last_logprob(one[: place + 1]) - last_logprob(other[: place + 1]), place - len(encoded(prompt))


def same_continuations(binary, name, file, ours, theirs, must):
    """Whether llama.cpp's texts are ours; where it need not, where they part."""
    fine = True
    for text, one, other in zip(TEXTS, ours, theirs, strict=True):
        # The last token of theirs may be half of a character, which ours never is.
        whole = other.rstrip("\ufffd")
        good = one == other or (whole != other and one.startswith(whole))
        if good:
            print("ok    ", f"{name}: the same {text[:40]!r} → {one[:60]!r}")
            continue
        fine &= not must
        nats, place = part_by(binary, file, text, one, other)
        print("FAILED" if must else "parts ", f"{name}: at token {place + 1}, where ours is {nats:.3f} nats more probable, after {text[:40]!r}")
        print(f"       llama.cpp {other!r}\n       fireclay  {one!r}")
    return fine


def proven(binary, directory, kind, count, tolerance):
    """Exports one type and compares the file with what others make of its numbers."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        file, wide = os.path.join(folder, f"m-{kind}.gguf"), os.path.join(folder, "wide.gguf")
        print(fireclay(binary, "export", "--model", directory, "--gguf", kind, "--out", file).strip())
        print(open(file + ".receipt.json").read())
        generate = ["generate", "--model", file, "--max-tokens", str(count), "--temperature", "0", "--json", "--prompt"]
        ours = [json.loads(fireclay(binary, *generate, text))["text"] for text in TEXTS]
        fine = same_continuations(binary, kind, file, ours, llama_cpp(file, count), kind not in ROUNDED_ACTIVATIONS)
        widened(file, wide)
        fine &= same_continuations(binary, f"{kind} widened to f32", file, ours, llama_cpp(wide, count), True)
        model = AutoModelForCausalLM.from_pretrained(folder, gguf_file="wide.gguf", dtype=torch.float32).eval()
        print(f"log-probabilities of {kind} here, of its numbers as f32 in transformers:")
        return fine & same_scores(binary, file, model, AutoTokenizer.from_pretrained(directory), tolerance)


def main():
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("file")
    parser.add_argument("directory")
    parser.add_argument("--fireclay", default="target/release/fireclay")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--types", default="q8_0,f16")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    args = parser.parse_args()
    model = AutoModelForCausalLM.from_pretrained(args.directory, dtype=torch.float32).eval()
    fine = same_scores(args.fireclay, args.file, model, AutoTokenizer.from_pretrained(args.directory), args.tolerance)
    del model
    for kind in args.types.split(","):
        fine &= proven(args.fireclay, args.directory, kind, args.max_tokens, args.tolerance)
    sys.exit(0 if fine else 1)


main()
