#!/usr/bin/env python3
"""Fine-tunes a tiny model with each of many chat templates, and asks whether its greedy replies end by themselves, here and in transformers.

usage: check_turn_ends.py [--fireclay PATH] [--steps 200] [--only NAME[,NAME]] [--tools] [FOLDER...]
Needs: pip install torch transformers jinja2 trl

Templates are every `*.jinja` of TRL's package and of the folders named. Where a template has `{% generation %}` marks, it is tried without them too. The tokenizer
has a token for each byte and one for each mark that the template spells out, as the template's own model has. Each model learns four short conversations; then
`fireclay chat` and transformers' `generate` answer two of their questions from the saved checkpoint. Both must stop before the limit of tokens, with the same reply.
With `--tools` it learns a conversation that calls a function, and writes the call and the answer after its result: both must end, with the same tokens here (`fireclay
generate --ids`) and there. Templates that render no call are left out, and those that transformers cannot render.
A template of which `fireclay train` says that no token ends its turns, or that it shows no answers, is listed and not counted.
Exits with 1 where one goes on. Not part of CI: it takes ten minutes or so.
"""
import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CONVERSATIONS = [
    [("user", "Hi"), ("assistant", "Hello.")],
    [("user", "Is it hot?"), ("assistant", "Yes, very.")],
    [("user", "Bye"), ("assistant", "See you.")],
    [("user", "Hi"), ("assistant", "Hello."), ("user", "Is it hot?"), ("assistant", "Yes, very.")],
]
QUESTIONS = ["Hi", "Is it hot?"]
MARKS = re.compile(r"<[|｜][^|｜<>'\"\n]{1,40}[|｜]>|</?[a-z_]{3,30}>|<\|?[a-z_]{3,30}\|?>|\[/?[A-Z_]{3,30}\]")
GENERATION = re.compile(r"\{%[-+]?\s*(?:end)?generation\s*[-+]?%\}")
TOOLS = [{"type": "function", "function": {"name": "sky", "description": "The sky over a town.", "parameters": {
    "type": "object", "properties": {"town": {"type": "string", "description": "Its name."}}, "required": ["town"]}}}]
CALL = {"type": "function", "function": {"name": "sky", "arguments": {"town": "Bern"}}}
WITH_CALL = [
    {"role": "user", "content": "Sky?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "name": "sky", "content": "blue"},
    {"role": "assistant", "content": "It is blue."},
]
LIMIT = 48
LIMIT_OF_CALLS = 200


def base_model(folder, source):
    """Saves a tiny llama whose tokenizer has the template's marks; its tokenizer."""
    import tokenizers
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    marks = sorted(set(MARKS.findall(source)) | {"<s>", "</s>"})
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    core = tokenizers.Tokenizer(tokenizers.models.BPE({token: index for index, token in enumerate(marks + alphabet)}, []))
    core.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = tokenizers.decoders.ByteLevel()
    core.add_special_tokens([tokenizers.AddedToken(token, normalized=False, special=True) for token in marks])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>", chat_template=source)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(marks) + len(alphabet), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
        max_position_embeddings=16384, tie_word_embeddings=True, bos_token_id=marks.index("<s>"), eos_token_id=marks.index("</s>"))
    LlamaForCausalLM(config).save_pretrained(folder)
    return tokenizer


def messages(conversation):
    return [{"role": role, "content": content} for role, content in conversation]


def replies_of_transformers(folder):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    for question in QUESTIONS:
        asked = as_rendered(tokenizer, [{"role": "user", "content": question}])
        given = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.no_grad():
            ids = model.generate(**given, do_sample=False, max_new_tokens=LIMIT)[0, given["input_ids"].shape[1] :].tolist()
        ends = model.generation_config.eos_token_id
        ended = ids[-1] in (ends if isinstance(ends, list) else [ends])
        yield tokenizer.decode(ids[:-1] if ended else ids, skip_special_tokens=True), ended


def replies_of_fireclay(binary, folder):
    call = [binary, "chat", "--json", "--quiet", "--temperature", "0", "--max-tokens", str(LIMIT), "--model", folder]
    for question in QUESTIONS:
        done = subprocess.run(call, input=question + "\n", capture_output=True, text=True, check=True)
        reply = json.loads(done.stdout)
        yield reply["reply"], reply["finish_reason"] == "stop"


def fine_tune(binary, folder, lines, longest, steps):
    """Fine-tunes the model `folder/base` on `lines`: the checkpoint, or `None` and what training told of the template or failed by."""
    base, out, data = (os.path.join(folder, part) for part in ("base", "run", "chats.jsonl"))
    with open(data, "w") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    settings = ["sft.batch=2", f"sft.context={longest + 256}", "sft.learning_rate=5e-3", "sft.validation_fraction=0.0", "sft.warmup_steps=10", "sft.precision='f32'",
                f"sft.data=['{data}']"]
    call = [binary, "train", "--model", base, "--stages", "sft", "--steps", str(steps), "--out", out, "--seed", "1"]
    done = subprocess.run(call + [word for setting in settings for word in ("--set", setting)], capture_output=True, text=True)
    said = ("ends no turn", "ends a turn", "separates turns", "shows nothing")
    told = [line.strip() for line in done.stderr.splitlines() if "chat template" in line and any(words in line for words in said)]
    if told or done.returncode != 0:
        return None, told[0] if told else "FAILED " + done.stderr.strip().splitlines()[-1]
    return os.path.join(out, "sft", "checkpoints", f"step-{steps:06}"), None


def as_rendered(tokenizer, turns):
    """The messages, with their text as one part each if the template shows no text that is a string, as those of models that see images."""
    try:
        if turns[-1]["content"] in tokenizer.apply_chat_template(turns, tokenize=False):
            return turns
    except Exception:
        pass
    return [turn | {"content": [{"type": "text", "text": turn["content"]}]} for turn in turns]


def check(binary, name, source, steps):
    """A line about the template, and whether its model ends its replies: `None` where training says that it cannot."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = base_model(os.path.join(folder, "base"), source)
        try:
            given = [as_rendered(tokenizer, messages(conversation)) for conversation in CONVERSATIONS]
            longest = max(len(tokenizer.apply_chat_template(turns)["input_ids"]) for turns in given)
        except Exception as error:
            return f"none   {name}: transformers renders no messages of text ({error})", None
        lines = [{"messages": messages(conversation)} for conversation in CONVERSATIONS]
        saved, told = fine_tune(binary, folder, lines, longest, steps)
        if not saved:
            return f"{'FAILED' if told.startswith('FAILED') else 'told  '} {name}: {told}", False if told.startswith("FAILED") else None
        ours, theirs = list(replies_of_fireclay(binary, saved)), list(replies_of_transformers(saved))
        good = all(ended for _, ended in ours + theirs) and [text.strip() for text, _ in ours] == [text.strip() for text, _ in theirs]
        return f"{'ok    ' if good else 'FAILED'} {name}: here {ours}, transformers {theirs}", good


def check_calls(binary, name, source, steps):
    """As `check`, of a call and of the answer after its result; the line is `None` where the template renders no call."""
    import torch
    from transformers import AutoModelForCausalLM

    with tempfile.TemporaryDirectory() as folder:
        tokenizer = base_model(os.path.join(folder, "base"), source)
        rendered = lambda turns, prompt: tokenizer.apply_chat_template(turns, tools=TOOLS, add_generation_prompt=prompt, tokenize=False)
        try:
            if "Bern" not in rendered(WITH_CALL[:2], False).removeprefix(rendered(WITH_CALL[:1], True)):
                return None, None
            longest = len(tokenizer(rendered(WITH_CALL, False), add_special_tokens=False)["input_ids"])
            prompts = [rendered(WITH_CALL[:1], True), rendered(WITH_CALL[:3], True)]
        except Exception:
            return None, None
        saved, told = fine_tune(binary, folder, [{"messages": WITH_CALL, "tools": TOOLS}] * 2, longest, steps)
        if not saved:
            return f"{'FAILED' if told.startswith('FAILED') else 'told  '} {name}: {told}", False if told.startswith("FAILED") else None
        model = AutoModelForCausalLM.from_pretrained(saved).eval()
        ends = model.generation_config.eos_token_id
        replies = []
        for prompt in prompts:
            given = tokenizer(prompt, add_special_tokens=False)["input_ids"]
            with torch.no_grad():
                ids = model.generate(torch.tensor([given]), do_sample=False, max_new_tokens=LIMIT_OF_CALLS)[0, len(given) :].tolist()
            call = [binary, "generate", "--json", "--quiet", "--temperature", "0", "--max-tokens", str(LIMIT_OF_CALLS), "--model", saved, "--ids", " ".join(map(str, given))]
            ours = json.loads(subprocess.run(call, capture_output=True, text=True, check=True).stdout)
            ended = ids[-1] in (ends if isinstance(ends, list) else [ends])
            replies.append((tokenizer.decode(ids), ended and ours["finish_reason"] == "stop" and ours["ids"] == ids[: len(ours["ids"])] and len(ids) - len(ours["ids"]) < 2))
        good = all(same for _, same in replies)
        return f"{'ok    ' if good else 'FAILED'} {name}: {replies}", good


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--fireclay", default="target/release/fireclay")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--only", default="")
    parser.add_argument("--tools", action="store_true")
    args = parser.parse_args()
    spec = importlib.util.find_spec("trl")
    folders = args.folders + ([Path(spec.origin).parent / "chat_templates"] if spec else [])
    only = [name for name in args.only.split(",") if name]
    results = []
    for file in sorted(file for folder in folders for file in Path(folder).glob("*.jinja")):
        if only and file.stem not in only:
            continue
        source = file.read_text()
        plain = GENERATION.sub("", source)
        for name, text in [(file.stem, source)] + ([(file.stem + ", marks removed", plain)] if plain != source else []):
            line, good = (check_calls if args.tools else check)(args.fireclay, name, text, args.steps)
            if line:
                print(line, flush=True)
                results.append(good)
    print(f"{results.count(True)} end by themselves, {results.count(False)} do not, {results.count(None)} are told of")
    sys.exit(1 if False in results or not results else 0)


main()
