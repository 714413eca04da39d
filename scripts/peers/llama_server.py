#!/usr/bin/env python3
"""llama.cpp's own HTTP server on a GGUF file, until it is interrupted; its address is the first line on standard output.

    pip install xllamacpp
    scripts/peers/llama_server.py model.gguf --threads 2 --streams 8 [--context 512] [--port 8090]

`--context` is that of each stream. Tested with xllamacpp 2026.10.
"""

import argparse
import signal

import xllamacpp


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gguf")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--port", type=int, default=8090)
    args = parser.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = args.gguf
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = args.threads
    params.n_parallel = args.streams
    params.n_ctx = args.streams * args.context
    params.port = args.port
    params.n_gpu_layers = 0
    params.warmup = True
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
