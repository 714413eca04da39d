#!/usr/bin/env python3
"""CPU time of a decoding step by fireclay and by llama.cpp, with one row and with eight, on a machine that others use too.

    scripts/decode_cpu.py SmolLM2-135M-Instruct --weights int8 --fireclay target/release/fireclay [other/fireclay] --gguf model-q8_0.gguf [--rounds 2]

Both answer the prompts of `fireclay bench generate --streams` with one thread on one core (Linux): a step's time is that of 136 tokens less that of 8. CPU
time is read from /proc; fireclay's phases are known from the times that the benchmark prints. llama.cpp needs `pip install xllamacpp`.
"""
import argparse
import bisect
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import urllib.request

FEW, MANY, ROWS, SHORTEST, LONGEST = 8, 136, 8, 20, 400
PEERS = pathlib.Path(__file__).parent / "peers"


def cpu_seconds(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            total += int(pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
        except OSError:
            pass
    return total / 1e9


def pinned(command, core, **options):
    return subprocess.Popen(["taskset", "-c", str(core), *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **options)


class Fireclay:
    def __init__(self, binary, given):
        self.name, self.given = binary, given
        self.command = [binary, "bench", "generate", "--model", given.model, "--weights", given.weights, "--json"]

    def seconds(self, rows, steps):
        """CPU time of answering `rows` prompts at once."""
        command = [*self.command, "--streams", str(rows), "--steps", str(steps)]
        process = pinned(command, self.given.core, env=dict(os.environ, RAYON_NUM_THREADS="1"))
        times, used, ended = [], [], threading.Event()

        def poll():
            while not ended.is_set():
                try:
                    used.append(cpu_seconds(process.pid))
                except OSError:
                    return
                times.append(time.monotonic())
                time.sleep(0.004)

        poller = threading.Thread(target=poll)
        poller.start()
        line, end = process.stdout.readline(), time.monotonic()
        ended.set()
        poller.join()
        assert process.wait() == 0, f"{command} failed"
        found = json.loads(line)
        assert found["same_tokens"], found
        begun = bisect.bisect(times, end - rows * steps / found["tokens_per_s"])
        return used[-1] - used[begun]


class Llama:
    def __init__(self, given):
        self.name = given.gguf
        command = [sys.executable, str(PEERS / "llama_server.py"), given.gguf, "--threads", "1", "--streams", str(ROWS), "--context", "1024", "--port", str(given.port)]
        self.process = pinned(command, given.core)
        self.address = self.process.stdout.readline().strip()

    def answer(self, prompt, steps):
        body = {"prompt": prompt, "n_predict": steps, "temperature": 0, "ignore_eos": True, "cache_prompt": False}
        request = urllib.request.Request(self.address + "/completion", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=600) as response:
            assert json.load(response)["tokens_predicted"] == steps

    def seconds(self, rows, steps):
        before = cpu_seconds(self.process.pid)
        with concurrent.futures.ThreadPoolExecutor(rows) as pool:
            list(pool.map(lambda prompt: self.answer(prompt, steps), prompts(rows)))
        return cpu_seconds(self.process.pid) - before


def prompts(rows, vocabulary=49152):
    """Those of crates/cli/src/commands/bench_streams.rs."""
    def length(row):
        return (SHORTEST + LONGEST) // 2 if rows == 1 else SHORTEST + (rows - 1 - row) * (LONGEST - SHORTEST) // (rows - 1)

    return [[((row * LONGEST + i) * 7919 + 13) % vocabulary for i in range(length(row))] for row in range(rows)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--weights", default="int8")
    parser.add_argument("--fireclay", nargs="+", default=[])
    parser.add_argument("--gguf")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--core", type=int, default=1)
    parser.add_argument("--port", type=int, default=8094)
    given = parser.parse_args()
    programs = [Fireclay(binary, given) for binary in given.fireclay]
    if given.gguf:
        programs.append(Llama(given))
        programs[-1].seconds(1, FEW)
    try:
        for _ in range(given.rounds):
            for program in programs:
                row = [program.name]
                for rows in (1, ROWS):
                    few = program.seconds(rows, FEW)
                    step = (program.seconds(rows, MANY) - few) / (MANY - FEW)
                    tokens = sum(map(len, prompts(rows)))
                    row.append(f"{rows} rows: {step * 1e3:.2f} ms a step, {rows / step:.0f} tokens/s, {tokens / (few - FEW * step):.0f} of the prompts")
                print("; ".join(row), flush=True)
    finally:
        if given.gguf:
            programs[-1].process.terminate()


if __name__ == "__main__":
    main()
