#!/usr/bin/env python3
"""What `fireclay bench generate --streams N` measures, by llama.cpp's server.

usage: llamacpp_generate.py MODEL.gguf [--format f32|f16|bf16|q8_0|q4_0] [--streams N] [--steps 128] [--threads 2] [--rounds 3]
       llamacpp_generate.py --version

Prints one line of JSON: {"streams", "tokens_per_s", "alone_tokens_per_s", "alone_first_token_mean_s", "first_token_mean_s", "first_token_max_s"},
medians over the rounds, and {"peak_bytes", "parameters", "version", "instruction_set"}: what llama.cpp was compiled for, which the CPU may surpass.
Needs: pip install xllamacpp gguf numpy; `cargo xtask bench --peer llamacpp` runs both.

--format writes the model's matrices anew in that format first, from whatever the file has (embedding and head, which SmolLM2 shares, included), so that both programs read as many
bytes a token. Prompts are the ids of crates/cli/src/commands/bench_streams.rs, sent as ids; answers are greedy, of `steps` tokens each, and nothing
ends them. Nothing is kept from one request for another.
"""
import argparse
import concurrent.futures
import json
import statistics
import sys
import tempfile
import threading
import time
import urllib.request

try:
    import gguf
    import numpy
    import xllamacpp
except ImportError as error:
    print(
        f"{error}: install with `{sys.executable} -m pip install xllamacpp gguf numpy`, or name an interpreter that has them with --python PATH",
        file=sys.stderr,
    )
    sys.exit(2)

SHORTEST, LONGEST = 20, 400
VERSION = f"xllamacpp {xllamacpp.__version__}"
# Those that llama.cpp's kernels are written for, as it names them.
INSTRUCTION_SETS = {"AVX2", "AVX_VNNI", "AVX512", "AVX512_VBMI", "AVX512_VNNI", "AVX512_BF16", "AMX_INT8", "NEON", "DOTPROD", "MATMUL_INT8", "SVE"}


def rewritten(path, kind, out):
    """The model with its matrices in another format."""
    kind = gguf.GGMLQuantizationType[kind.upper()]
    reader = gguf.GGUFReader(path)
    writer = gguf.GGUFWriter(out, reader.fields["general.architecture"].contents())
    for field in reader.fields.values():
        if field.name == "general.architecture" or field.name.startswith("GGUF."):
            continue
        value, sub = field.contents(), field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        if field.name == "general.file_type":
            continue
        writer.add_key_value(field.name, value, field.types[0], sub)
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        if len(tensor.shape) == 2:
            writer.add_tensor(tensor.name, gguf.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(tensor.name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def prompts(streams, vocabulary):
    def length(row):
        return (SHORTEST + LONGEST) // 2 if streams == 1 else SHORTEST + (streams - 1 - row) * (LONGEST - SHORTEST) // (streams - 1)

    return [[((row * LONGEST + i) * 7919 + 13) % vocabulary for i in range(length(row))] for row in range(streams)]


def answer(address, prompt, steps, begin):
    """Tokens, and seconds to the first of them."""
    body = {"prompt": prompt, "n_predict": steps, "temperature": 0, "ignore_eos": True, "cache_prompt": False, "stream": True}
    request = urllib.request.Request(address + "/completion", json.dumps(body).encode(), {"Content-Type": "application/json"})
    first, tokens = None, 0
    with urllib.request.urlopen(request, timeout=600) as response:
        for line in response:
            if not line.startswith(b"data: "):
                continue
            event = json.loads(line[6:])
            if first is None:
                first = time.perf_counter() - begin
            tokens = max(tokens, event.get("tokens_predicted", 0))
    assert tokens == steps, f"{tokens} tokens instead of {steps}"
    return tokens, first


def together(address, prompts, steps):
    begin = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(len(prompts)) as pool:
        results = list(pool.map(lambda prompt: answer(address, prompt, steps, begin), prompts))
    return sum(tokens for tokens, _ in results) / (time.perf_counter() - begin), [first for _, first in results]


def alone(address, prompts, steps):
    begin = time.perf_counter()
    results = [answer(address, prompt, steps, time.perf_counter()) for prompt in prompts]
    return sum(tokens for tokens, _ in results) / (time.perf_counter() - begin), [first for _, first in results]


def parameters(reader):
    """Numbers of the model: a head that is the embedding once more counts once, and what follows from the settings not at all."""
    tensors = {tensor.name: tensor for tensor in reader.tensors if not tensor.name.startswith("rope_")}
    head, embedding = tensors.get("output.weight"), tensors.get("token_embd.weight")
    if head is not None and embedding is not None and numpy.array_equal(head.data, embedding.data):
        del tensors["output.weight"]
    return sum(int(tensor.n_elements) for tensor in tensors.values())


def instruction_set():
    """From `CPU : SSE3 = 1 | AVX2 = 1 | …`; None where it names none of ours."""
    said = (part.split(":")[-1].split("=") for part in xllamacpp.get_system_info().split("|") if "=" in part)
    return " ".join(name.strip() for name, value in said if value.strip() == "1" and name.strip() in INSTRUCTION_SETS) or None


def peak_bytes():
    """The most memory this process has had at once; 0 where the system does not say. Only Linux does."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return 0


def check_context(reader, steps):
    """fireclay shortens prompts to the context, and llama.cpp does not: then they would do different work."""
    architecture = reader.fields["general.architecture"].contents()
    context = reader.fields.get(f"{architecture}.context_length")
    if context and context.contents() < LONGEST + steps:
        print(f"--steps {steps}: a context of {context.contents()} tokens has no room for prompts of {LONGEST}; give fewer", file=sys.stderr)
        sys.exit(2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--format", choices=["f32", "f16", "bf16", "q8_0", "q4_0"])
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--version", action="version", version=VERSION)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.model
        if given.format:
            path = rewritten(path, given.format, f"{folder}/{given.format}.gguf")
        reader = gguf.GGUFReader(path)
        check_context(reader, given.steps)
        params = xllamacpp.CommonParams()
        params.model.path = path
        params.n_parallel = given.streams
        params.n_ctx = given.streams * (LONGEST + given.steps + 16)
        params.cpuparams.n_threads = given.threads
        params.cpuparams_batch.n_threads = given.threads
        params.port = 0
        params.n_gpu_layers = 0
        params.warmup = True
        server = xllamacpp.Server(params)
        address = server.listening_address
        asked = prompts(given.streams, len(reader.fields["tokenizer.ggml.tokens"].data))
        together(address, asked[:1], 2)
        rounds = [(*alone(address, asked, given.steps), *together(address, asked, given.steps)) for _ in range(given.rounds)]
        peak, numbers = peak_bytes(), parameters(reader)
    median, mean = statistics.median, statistics.mean
    print(json.dumps({
        "streams": given.streams,
        "tokens_per_s": median(speed for _, _, speed, _ in rounds),
        "alone_tokens_per_s": median(speed for speed, _, _, _ in rounds),
        "alone_first_token_mean_s": median(mean(first) for _, first, _, _ in rounds),
        "first_token_mean_s": median(mean(first) for _, _, _, first in rounds),
        "first_token_max_s": median(max(first) for _, _, _, first in rounds),
        "peak_bytes": peak,
        "parameters": numbers,
        "version": VERSION,
        "instruction_set": instruction_set(),
    }))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
