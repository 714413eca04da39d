"""Opens what train.rs saved in transformers' AutoTokenizer and compares ids, text and chat: check_saved.py FOLDER TEXT."""

import json
import sys

import transformers

folder, path = sys.argv[1:]
text = open(path, newline="").read()
ids = json.load(open(f"{folder}/ids.json"))
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
print(type(tokenizer).__name__, "eos", tokenizer.eos_token, tokenizer.eos_token_id, "vocabulary", len(tokenizer))
assert tokenizer(text, add_special_tokens=False)["input_ids"] == ids
assert tokenizer.decode(ids) == text
if tokenizer.chat_template:
    chat = [{"role": "user", "content": "Hot?"}, {"role": "assistant", "content": "Yes."}]
    print(repr(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)))
    encoded = tokenizer.apply_chat_template(chat, return_dict=True, return_assistant_tokens_mask=True)
    learnt = [i for i, mask in zip(encoded["input_ids"], encoded["assistant_masks"]) if mask]
    assert tokenizer.decode(learnt) == "Yes.<|im_end|>", tokenizer.decode(learnt)
print("the same in transformers", transformers.__version__)
