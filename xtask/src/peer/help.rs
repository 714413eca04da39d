//! What `cargo xtask bench --peer … --help` prints.

/// Flags, examples, and what the result means.
pub const HELP: &str = "\
Compare fireclay's speed with a peer's on the CPU: the same work, threads and number format, measured in turn.

Usage: cargo xtask bench --peer pytorch [--work train|prefill] [FLAGS]
       cargo xtask bench --peer llamacpp --model DIR [FLAGS]

  --peer pytorch|llamacpp
                         whom to compare with
  --threads N            threads of either side [every core]
  --rounds N             runs of each, in turn [3]
  --python PATH          the interpreter that has the peer installed [python3]
  --json                 print one JSON object, with every run
  --features, --no-default-features, --help

With --peer pytorch: a decoder that both make, of fresh weights
  --work train|prefill   training steps, or reading a prompt of half a context [train]
  --shape NAME           for training medium if left out, for a prompt gpt2
                           small   4 layers, width 128, 4 heads, context 128, batch 32, vocabulary 1024
                           medium  6 layers, width 384, 6 heads, context 256, batch 8, vocabulary 4096
                           gpt2    12 layers, width 768, 12 heads, context 512, batch 4, vocabulary 50257
                         with --work prefill one row of twice the context
  --layers N, --width N, --heads N, --context N, --batch N, --vocab N
                         one number of the shape, instead of what its name stands for; --batch for training only
  --steps N              for training: steps a run, of which the first three are not timed [8]
  --precision f32|bf16   number format of the matrix products, and with --work prefill of the weights [f32]
  --isa avx2|avx512      hold either side to an instruction set below the CPU's best
  --compile              PyTorch must compile; it is an error if it cannot
  --no-compile           PyTorch does not compile

With --peer llamacpp: requests with prompts of 20 to 400 tokens, one after the other and at once
  --model DIR            the model, as fireclay reads it
  --gguf FILE            the same for llama.cpp; if left out, `fireclay export` writes it in the format that is nearest
                         to --weights, into a temporary folder
  --server PATH          a llama-server of your own, in place of that of xllamacpp, which is compiled for AVX2
  --weights int8|bf16|int4|f32
                         number format of our weights, beside q8_0, f16, q4_0 and f32 of the file that is written [int8]
  --streams N            requests at once [8]
  --steps N              new tokens for each [128]

Each round runs fireclay and the peer; PyTorch twice, eager and compiled. The faster of these two counts;
compiled falls away where it does not work. A ratio is fireclay's tokens a second by the peer's, of times to
the first token the peer's by fireclay's, the median over the rounds of the ratio in each: above 1 fireclay is
faster. The result names the instruction set that each side used: of fireclay what it computed with, of
PyTorch what its own kernels use, of llama.cpp what it was compiled for, to which nothing can hold it.

Measure on a quiet machine. The peers' threads wait for one another by spinning; where other programs take the
cores, two threads of them can be several times slower than one, and the ratio flatters fireclay. Before each
round the cores that others keep busy are counted, and the result says so when too few are left. Where no
machine is quiet, --threads 1 is fair to both; OMP_WAIT_POLICY=PASSIVE in front makes PyTorch's threads sleep
instead of spin.

The peers are not part of this workspace:
  python3 -m venv .venv && .venv/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
  .venv/bin/pip install xllamacpp gguf numpy
  cargo xtask bench --peer pytorch --python .venv/bin/python

Examples
  cargo xtask bench --peer pytorch --shape small --threads 1
  cargo xtask bench --peer pytorch --shape gpt2 --precision bf16 --rounds 5 --json
  cargo xtask bench --peer pytorch --width 512 --heads 8 --no-compile
  cargo xtask bench --peer pytorch --isa avx2 --no-compile
  cargo xtask bench --peer pytorch --work prefill --precision bf16
  cargo xtask bench --peer llamacpp --model SmolLM2-135M-Instruct
  cargo xtask bench --peer llamacpp --model SmolLM2-135M-Instruct --gguf smollm2-q4_0.gguf --weights int4 --steps 64
  cargo xtask bench --peer llamacpp --model SmolLM2-135M-Instruct --server llama.cpp/build/bin/llama-server

A program that ends without a result, or counts other parameters, is an error. Compiling takes a minute, once
for each shape.";
