#!/usr/bin/env python3
"""What `fireclay bench generate --streams N` measures, by llama.cpp's server.

usage: llamacpp_generate.py MODEL.gguf [--format f32|f16|bf16|q8_0|q4_0] [--streams N] [--steps 128] [--threads 2] [--rounds 3]
                            [--server PATH]
       llamacpp_generate.py --version [--server PATH]

Prints one line of JSON: {"streams", "tokens_per_s", "alone_tokens_per_s", "alone_first_token_mean_s", "first_token_mean_s", "first_token_max_s"},
medians over the rounds, and {"peak_bytes", "parameters", "version", "instruction_set"}: what llama.cpp was compiled for, which the CPU may surpass.
Needs: pip install xllamacpp gguf numpy; `cargo xtask bench --peer llamacpp` runs both.

--server is a `llama-server` of your own, built for your CPU, in place of xllamacpp, which is then not needed. Its
memory is that of its process; of a shell script around it, unless that ends in `exec`, it would be the shell's.

--format writes the model's matrices anew in that format first, from whatever the file has (embedding and head, which SmolLM2 shares, included), so that both programs read as many
bytes a token. Prompts are the ids of crates/cli/src/commands/bench_streams.rs, sent as ids; answers are greedy, of `steps` tokens each, and nothing
ends them. Nothing is kept from one request for another.
"""
import argparse
import concurrent.futures
import contextlib
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request


def fail(message):
    """What the user can mend is one line."""
    print(message, file=sys.stderr)
    sys.exit(2)


def missing(error):
    """Only llama.cpp by xllamacpp needs xllamacpp."""
    packages = "gguf numpy" if any(word.startswith("--server") for word in sys.argv) else "xllamacpp gguf numpy"
    fail(f"{error}: install with `{sys.executable} -m pip install {packages}`, or name an interpreter that has them with --python PATH")


try:
    import gguf
    import numpy
except ImportError as error:
    missing(error)

SHORTEST, LONGEST = 20, 400
# Seconds that a server has to read its model.
PATIENCE = 600
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


def instruction_sets(system_info):
    """From `CPU : SSE3 = 1 | AVX2 = 1 | …`; None where it names none of ours."""
    said = (part.split(":")[-1].partition("=") for part in system_info.split("|"))
    return " ".join(name.strip() for name, _, value in said if value.strip() == "1" and name.strip() in INSTRUCTION_SETS) or None


def peak_bytes(process):
    """The most memory a process has had at once; 0 where the system does not say. Only Linux does."""
    try:
        with open(f"/proc/{process}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return 0


class Package:
    """llama.cpp as the package xllamacpp has it, in this process."""

    def __init__(self):
        try:
            import xllamacpp
        except ImportError as error:
            missing(error)
        self.xllamacpp, self.version, self.process = xllamacpp, f"xllamacpp {xllamacpp.__version__}", "self"

    def system_info(self):
        return self.xllamacpp.get_system_info()

    @contextlib.contextmanager
    def serving(self, path, given):
        """Its address."""
        params = self.xllamacpp.CommonParams()
        params.model.path = path
        params.n_parallel = given.streams
        params.n_ctx = given.streams * (LONGEST + given.steps + 16)
        params.cpuparams.n_threads = given.threads
        params.cpuparams_batch.n_threads = given.threads
        params.port = 0
        params.n_gpu_layers = 0
        params.warmup = True
        server = self.xllamacpp.Server(params)
        yield server.listening_address


class Binary:
    """A `llama-server`, in a process of its own. What no flag sets is its default and `Package`'s: it warms up, and
    copies prompts into its cache, from which none of our requests takes any."""

    # Not every version knows them. The first keeps a build for GPUs from multiplying large matrices there; streams share
    # no memory of keys and values in `Package` either.
    OPTIONAL = ["--device none", "--no-kv-unified", "--no-webui"]

    def __init__(self, path):
        self.given, self.path, self.process = path, os.path.abspath(path), None
        # Its flags can be set by variables, which xllamacpp does not read.
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_")}
        # `version: 6789 (abc123)`
        said = self.said(["--version"])
        version = re.search(r"^version: (.*\S)", said, re.MULTILINE)
        if not version:
            fail(f"--server {path} names no version of llama.cpp: {last_line(said)}")
        self.version = f"llama-server {version[1]}"

    def said(self, flags):
        """All that it prints before it ends by itself."""
        try:
            run = subprocess.run(
                [self.path, *flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env=self.environment, timeout=60,
            )
        except OSError as error:
            fail(f"--server {self.given} cannot be started: {error.strerror}")
        except subprocess.TimeoutExpired:
            fail(f"--server {self.given} {flags[0]} does not end")
        return run.stdout.decode(errors="replace")

    def flags(self, path, given, port):
        known = self.said(["--help"])
        optional = [word for flag in self.OPTIONAL if flag.split()[0] in known for word in flag.split()]
        threads, context = str(given.threads), given.streams * (LONGEST + given.steps + 16)
        return [
            "-m", path, "-c", str(context), "-np", str(given.streams), "-t", threads, "-tb", threads, "-ngl", "0",
            "--host", "127.0.0.1", "--port", str(port), *optional,
        ]

    def system_info(self):
        """Newer ones say it only where they are asked for more than is good while one measures, and that before they
        look for a model, which is missing here."""
        with tempfile.TemporaryDirectory() as folder:
            said = self.said(["-m", f"{folder}/none.gguf", "--host", "127.0.0.1", "--port", str(free_port()), "-lv", "4"])
        return next((line for line in said.splitlines() if "system_info:" in line), "")

    @contextlib.contextmanager
    def serving(self, path, given):
        """Its address, when it has read the model. It is ended in any case."""
        port = free_port()
        flags = self.flags(path, given, port)
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                [self.path, *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment
            )
            try:
                self.process = process.pid
                wait_until_ready(process, f"http://127.0.0.1:{port}/health")
                yield f"http://127.0.0.1:{port}"
            except Exception:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    # Connections break a moment before the process has ended.
                    process.wait(1)
                if process.returncode is None:
                    raise
                log.seek(0)
                said = last_line(log.read().decode(errors="replace"))
                fail(f"--server {self.given} ended early, with status {process.returncode}: {said}")
            finally:
                end(process)


def last_line(text):
    return next((line for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until_ready(process, health):
    """Until then it refuses connections or answers with 503."""
    begin = time.monotonic()
    while True:
        try:
            return urllib.request.urlopen(health, timeout=10).close()
        except OSError:
            if process.poll() is not None or time.monotonic() - begin > PATIENCE:
                raise
            time.sleep(0.05)


def end(process):
    """Asks a process to end, and kills it where it does not."""
    process.terminate()
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
    finally:
        process.kill()
        process.wait()


def check_context(reader, steps):
    """fireclay shortens prompts to the context, and llama.cpp does not: then they would do different work."""
    architecture = reader.fields["general.architecture"].contents()
    context = reader.fields.get(f"{architecture}.context_length")
    if context and context.contents() < LONGEST + steps:
        fail(f"--steps {steps}: a context of {context.contents()} tokens has no room for prompts of {LONGEST}; give fewer")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--format", choices=["f32", "f16", "bf16", "q8_0", "q4_0"])
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--server", metavar="PATH")
    parser.add_argument("--version", action="store_true")
    given = parser.parse_args()
    # Ended by a signal, it ends its server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # No proxy leads to this machine.
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
    peer = Binary(given.server) if given.server else Package()
    if given.version:
        print(peer.version)
        return
    if given.model is None:
        parser.error("the following arguments are required: model")
    with tempfile.TemporaryDirectory() as folder:
        path = given.model
        if given.format:
            path = rewritten(path, given.format, f"{folder}/{given.format}.gguf")
        reader = gguf.GGUFReader(path)
        check_context(reader, given.steps)
        system_info = peer.system_info()
        with peer.serving(path, given) as address:
            asked = prompts(given.streams, len(reader.fields["tokenizer.ggml.tokens"].data))
            together(address, asked[:1], 2)
            rounds = [(*alone(address, asked, given.steps), *together(address, asked, given.steps)) for _ in range(given.rounds)]
            peak = peak_bytes(peer.process)
        numbers = parameters(reader)
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
        "version": peer.version,
        "instruction_set": instruction_sets(system_info),
    }))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
