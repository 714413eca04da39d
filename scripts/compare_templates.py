"""Compares chat templates as Fireclay renders them with `apply_chat_template` of transformers.

    pip install transformers jinja2 trl
    cargo build --release -p fireclay-tokenizer --example render_chats
    python scripts/compare_templates.py target/release/examples/render_chats [FOLDER...]

Templates are every `*.jinja` of TRL's package and of the folders named. Each is rendered over each conversation below,
with and without the generation prompt. Both must give the same text, or both refuse; only arguments of calls that a
template joins to text are written as JSON here. Exit code 1 if any differ.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import jinja2
from transformers.utils import chat_template_utils

TOOLS = [{"type": "function", "function": {"name": "get_temp", "description": "Temperature of a \"town\" & more",
          "parameters": {"type": "object", "properties": {"town": {"type": "string", "description": "Its name"},
                         "unit": {"type": "string", "enum": ["C", "F"]}}, "required": ["town"]}}}]
CALL = {"id": "call00001", "type": "function", "function": {"name": "get_temp", "arguments": {"town": "Bern", "days": 2}}}


def turn(role, content, **more):
    return {"role": role, "content": content} | more


ASKED = turn("user", "How warm is it in Bern?")
CONVERSATIONS = {
    "one turn": [turn("user", "Hi"), turn("assistant", "Hello")],
    "question": [turn("user", "  What is 1 + 1?\n")],
    "system": [turn("system", "Be kind."), turn("user", "Hi"), turn("assistant", "Hello")],
    "system of spaces": [turn("system", " "), turn("user", "Hi"), turn("assistant", "Hello")],
    "developer": [turn("developer", "Be brief."), turn("user", "Hi"), turn("assistant", "Hello")],
    "three turns": [turn(r, c) for r, c in zip(["user", "assistant"] * 3, ["One?", "1", "Two?", "2", "Three?", "3"])],
    "other scripts": [turn("user", "你好 <b>&\"'\\ 🏺"), turn("assistant", "é\n\nü\t—")],
    "empty answer": [turn("user", "Say nothing."), turn("assistant", "")],
    "spaces around": [turn("user", "\n a \n"), turn("assistant", "  b  ")],
    "reasoning in text": [turn("user", "2 + 2?"), turn("assistant", "<think>\nTwo twos.\n</think>\n\n4"),
                          turn("user", "3?"), turn("assistant", "<think>\nThree.\n</think>\n\n3")],
    "reasoning beside": [turn("user", "2 + 2?"), turn("assistant", "4", reasoning_content="Two twos."),
                         turn("user", "3?"), turn("assistant", "3", thinking="Three.")],
    "two users": [turn("user", "a"), turn("user", "b")],
    "begins with the assistant": [turn("assistant", "Welcome."), turn("user", "Hi"), turn("assistant", "Hello")],
    "tool call": [ASKED, turn("assistant", "", tool_calls=[CALL]), turn("tool", "9", name="get_temp", tool_call_id="call00001"),
                  turn("assistant", "It is 9 degrees.")],
    "tool call, nulls": [turn("user", ASKED["content"], name=None, tool_calls=None),
                         turn("assistant", None, tool_calls=[CALL]), turn("tool", "9", name="get_temp", tool_call_id="call00001"),
                         turn("assistant", "It is 9.", tool_calls=None)],
    "words and a call": [ASKED, turn("assistant", "Let me look.", tool_calls=[CALL]),
                         turn("tool", "{\"c\": 9}", name="get_temp", tool_call_id="call00001"), turn("assistant", "9.")],
    "two calls": [ASKED, turn("assistant", "", tool_calls=[CALL, CALL | {"id": "call00002"}]),
                  turn("tool", "9", tool_call_id="call00001"), turn("tool", "10", tool_call_id="call00002"), turn("assistant", "9 or 10.")],
    "ends with a call": [ASKED, turn("assistant", "", tool_calls=[CALL])],
}
VARIABLES = {"bos_token": "<s>", "eos_token": "</s>", "date_string": "01 Jan 2025"}


def theirs(template, messages, tools, opened):
    messages = chat_template_utils._normalize_chat_messages(messages)
    try:
        rendered, _ = chat_template_utils.render_jinja_template(
            [messages], tools=tools, chat_template=template, add_generation_prompt=opened, **VARIABLES)
        return {"text": rendered[0]}
    except (jinja2.exceptions.TemplateError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def in_parts(messages):
    def part(message):
        content = message.get("content")
        return message | {"content": [{"type": "text", "text": content}]} if isinstance(content, str) else message

    return [part(message) for message in messages]


def main():
    binary, *folders = sys.argv[1:]
    spec = importlib.util.find_spec("trl")
    if spec:
        folders.append(Path(spec.origin).parent / "chat_templates")
    files = sorted(file for folder in folders for file in Path(folder).glob("*.jinja"))
    cases = []
    for file in files:
        for name, messages in CONVERSATIONS.items():
            for opened in (False, True):
                for tools in ([None, TOOLS] if "call" in name else [None]):
                    cases.append((file, name, messages, tools, opened))
    tasks = [json.dumps({"template": file.read_text(), "messages": messages, "tools": tools, "variables": VARIABLES,
                         "add_generation_prompt": opened}) for file, _, messages, tools, opened in cases]
    done = subprocess.run([binary], input="\n".join(tasks) + "\n", capture_output=True, text=True, check=True)
    wrong, given, of_parts = {}, 0, 0
    for (file, name, messages, tools, opened), line in zip(cases, done.stdout.splitlines(), strict=True):
        ours, expected = json.loads(line), theirs(file.read_text(), messages, tools, opened)
        # A template that joins a call's arguments to text takes them as a string: there we write the object as JSON.
        if "text" in ours and expected.get("error", "").startswith('TypeError: can only concatenate str (not "dict")'):
            given += 1
        # Templates of models that see images take content as a list of parts: there we give text as one part.
        elif "text" in ours and ours["text"] == theirs(file.read_text(), in_parts(messages), tools, opened).get("text"):
            of_parts += ours.get("text") != expected.get("text")
        elif ours.get("text") != expected.get("text"):
            wrong.setdefault(file.name, []).append((name, bool(tools), opened, ours, expected))
    refused = sum("error" in json.loads(line) for line in done.stdout.splitlines())
    for file, differences in wrong.items():
        print(f"{file}: {len(differences)} differ")
        for name, tools, opened, ours, expected in differences[:1]:
            print(f"  {name}, tools {tools}, opened {opened}\n  ours:   {ours}\n  theirs: {expected}")
    count = sum(map(len, wrong.values()))
    print(f"{len(files)} templates, {len(cases)} renderings, {refused} refused by us, {count} differ, and "
          f"{given} are refused by transformers only, as arguments are no string; {of_parts} are those of text in parts")
    return 1 if count else 0


sys.exit(main())
