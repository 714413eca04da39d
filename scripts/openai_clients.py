#!/usr/bin/env python3
"""Exercises a running server with OpenAI's own Python package.

    pip install openai
    fireclay serve --model runs/tiny &
    scripts/openai_clients.py [--base-url http://127.0.0.1:8080/v1] [--api-key KEY] [--model NAME]

Every check prints a line; the first that fails ends the script with a traceback and exit code 1.
"""

import argparse
import asyncio
import json

import openai
from openai import AsyncOpenAI, OpenAI

QUESTION = "What is a kiln?"


def passed(what):
    print(f"ok  {what}")


def models(client, name):
    listed = [model.id for model in client.models.list()]
    assert name in listed, listed
    assert client.models.retrieve(name).id == name
    passed(f"models: {', '.join(listed)}")


def chat(client, name):
    ask = dict(model=name, messages=[{"role": "user", "content": QUESTION}], temperature=0, max_tokens=24)
    whole = client.chat.completions.create(**ask)
    text = whole.choices[0].message.content
    assert text and whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    passed(f"chat: {text!r}, {whole.usage.total_tokens} tokens")

    pieces, usage = [], None
    for chunk in client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}):
        pieces += [choice.delta.content or "" for choice in chunk.choices]
        usage = chunk.usage or usage
    assert "".join(pieces) == text and usage.completion_tokens == whole.usage.completion_tokens
    passed(f"chat, streamed: {len(pieces)} pieces, the same text and usage")

    with client.chat.completions.stream(**ask) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.content == text
    passed("chat, by the stream helper")

    told = client.chat.completions.create(**ask, logprobs=True, top_logprobs=3).choices[0].logprobs.content
    assert b"".join(bytes(token.bytes) for token in told).decode() == text
    assert all(len(token.top_logprobs) == 3 and token.logprob <= 0 for token in told)
    assert all(token.logprob == max(top.logprob for top in token.top_logprobs) for token in told), "greedy takes the best"
    passed(f"chat, log-probabilities of {len(told)} tokens")

    several = client.chat.completions.create(**{**ask, "temperature": 1.0}, n=3, seed=1)
    again = client.chat.completions.create(**{**ask, "temperature": 1.0}, n=3, seed=1)
    texts = [choice.message.content for choice in several.choices]
    assert texts == [choice.message.content for choice in again.choices]
    passed(f"chat, three choices by a seed: {len(set(texts))} different")

    stop = text[len(text) // 2 :][:2]
    stopped = client.chat.completions.create(**ask, stop=[stop]).choices[0]
    assert stopped.message.content == text[: text.index(stop)] and stopped.finish_reason == "stop"
    passed(f"chat, stopped before {stop!r}")


def completions(client, name):
    ask = dict(model=name, prompt="Once upon a time", temperature=0, max_tokens=8)
    text = client.completions.create(**ask).choices[0].text
    streamed = "".join(chunk.choices[0].text for chunk in client.completions.create(**ask, stream=True))
    assert streamed == text
    scored = client.completions.create(**{**ask, "max_tokens": 1}, echo=True, logprobs=1).choices[0]
    logprobs = scored.logprobs
    assert scored.text.startswith("Once upon a time")
    assert logprobs.token_logprobs[0] is None and all(number <= 0 for number in logprobs.token_logprobs[1:])
    assert len(logprobs.tokens) == len(logprobs.text_offset) == len(logprobs.top_logprobs)
    passed(f"completions: {text!r}; echo with {len(logprobs.tokens)} log-probabilities")
    lists = client.completions.create(model=name, prompt=["One", "Two"], max_tokens=2, temperature=0)
    assert [choice.index for choice in lists.choices] == [0, 1]
    passed("completions of a list")


POT = {
    "type": "object",
    "properties": {
        "hot": {"type": "boolean"},
        "glaze": {"enum": ["celadon", "tenmoku"]},
        "cone": {"type": "integer", "minimum": 1, "maximum": 13},
    },
    "required": ["hot", "glaze", "cone"],
    "additionalProperties": False,
}


def is_a_pot(text):
    pot = json.loads(text)
    assert list(pot) == ["hot", "glaze", "cone"] and isinstance(pot["hot"], bool), text
    assert pot["glaze"] in POT["properties"]["glaze"]["enum"] and 1 <= pot["cone"] <= 13, text


def formats(client, name):
    messages = [{"role": "user", "content": QUESTION}]
    asked = {"type": "json_schema", "json_schema": {"name": "pot", "strict": True, "schema": POT}}
    reply = client.chat.completions.create(model=name, messages=messages, response_format=asked, max_tokens=200)
    is_a_pot(reply.choices[0].message.content)
    with client.chat.completions.stream(model=name, messages=messages, response_format=asked, max_tokens=200) as events:
        is_a_pot("".join(event.delta for event in events if event.type == "content.delta"))
    asked = {"format": {"type": "json_schema", "name": "pot", "schema": POT, "strict": True}}
    response = client.responses.create(model=name, input=QUESTION, text=asked, max_output_tokens=200, store=False)
    is_a_pot(response.output_text)
    try:
        schema = {"type": "integer", "minimum": 2, "maximum": 1}
        asked = {"type": "json_schema", "json_schema": {"name": "none", "schema": schema}}
        client.chat.completions.create(model=name, messages=messages, response_format=asked)
        raise AssertionError("a schema that nothing satisfies was accepted")
    except openai.BadRequestError as error:
        assert error.body["param"] == "response_format", error
    passed("answers by a JSON schema: chat, streamed, responses; one that nothing satisfies is refused")


def responses(client, name):
    first = client.responses.create(model=name, input=QUESTION, temperature=0, max_output_tokens=24)
    assert first.output_text and first.status in ("completed", "incomplete")
    second = client.responses.create(
        model=name, input="And what is clay?", previous_response_id=first.id, temperature=0, max_output_tokens=24
    )
    whole = client.chat.completions.create(
        model=name,
        messages=[
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": first.output_text},
            {"role": "user", "content": "And what is clay?"},
        ],
        temperature=0,
        max_tokens=24,
    )
    assert second.output_text == whole.choices[0].message.content
    passed(f"responses: a second turn by id equals one call, {second.usage.input_tokens_details.cached_tokens} tokens cached")
    assert client.responses.retrieve(first.id).output_text == first.output_text

    said = [item.content[0].text for item in client.responses.input_items.list(second.id, order="asc", limit=1)]
    assert said == [QUESTION, first.output_text, "And what is clay?"], said
    assert [item.role for item in client.responses.input_items.list(first.id)] == ["user"]
    passed("responses: what was said before each, by pages of one")

    pieces, last = [], None
    for event in client.responses.create(model=name, input=QUESTION, temperature=0, max_output_tokens=24, stream=True):
        if event.type == "response.output_text.delta":
            pieces.append(event.delta)
        last = event
    assert "".join(pieces) == first.output_text == last.response.output_text
    passed(f"responses, streamed: {len(pieces)} pieces, ended by {last.type}")
    with client.responses.stream(model=name, input=QUESTION, temperature=0, max_output_tokens=24) as stream:
        for _ in stream:
            pass
    passed("responses, by the stream helper")
    client.responses.delete(first.id)
    try:
        client.responses.retrieve(first.id)
        raise AssertionError("it was deleted")
    except openai.NotFoundError:
        passed("responses: read and deleted")


def conversations(client, name):
    conversation = client.conversations.create(
        metadata={"topic": "clay"}, items=[{"type": "message", "role": "user", "content": "Hello"}]
    )
    reply = client.responses.create(model=name, input=QUESTION, conversation=conversation.id, max_output_tokens=8)
    assert reply.conversation.id == conversation.id
    items = list(client.conversations.items.list(conversation.id, order="asc", limit=1))
    assert [item.role for item in items] == ["user", "user", "assistant"], items
    client.conversations.items.create(conversation.id, items=[{"type": "message", "role": "user", "content": "And?"}])
    assert client.conversations.items.retrieve(items[0].id, conversation_id=conversation.id).id == items[0].id
    assert client.conversations.update(conversation.id, metadata={"topic": "kiln"}).metadata == {"topic": "kiln"}
    assert client.conversations.retrieve(conversation.id).metadata == {"topic": "kiln"}
    client.conversations.items.delete(items[0].id, conversation_id=conversation.id)
    call = {"type": "function_call", "call_id": "call_1", "name": "heat", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "1200 degrees"}
    added = client.conversations.items.create(conversation.id, items=[call, result]).data
    assert [item.type for item in added] == ["function_call", "function_call_output"], added
    assert added[0].id.startswith("fc_") and len({item.id for item in added}) == 2, added
    for item in added:
        assert client.conversations.items.retrieve(item.id, conversation_id=conversation.id) == item
        assert item in list(client.conversations.items.list(conversation.id, limit=2))
    client.conversations.items.delete(added[0].id, conversation_id=conversation.id)
    left = [item.id for item in client.conversations.items.list(conversation.id, limit=2)]
    assert added[0].id not in left and left[0] == added[1].id, left
    assert client.conversations.delete(conversation.id).deleted
    passed(f"conversations: {len(items)} items by pages of one, changed and deleted")


def refusals(client, name):
    messages = [{"role": "user", "content": QUESTION}]
    for kind, wrong in [
        (openai.NotFoundError, dict(model="no such model")),
        (openai.BadRequestError, dict(model=name, temperature=-1)),
        (openai.BadRequestError, dict(model=name, response_format={"type": "grammar"})),
        (openai.BadRequestError, dict(model=name, extra_body={"strange": 1})),
        (openai.BadRequestError, dict(model=name, extra_query={"strange": 1})),
        (openai.BadRequestError, dict(model=name, stream_options={"include_usage": True})),
    ]:
        try:
            client.chat.completions.create(messages=messages, **wrong)
            raise AssertionError(f"{wrong} was accepted")
        except kind as error:
            assert error.body["message"] and error.request_id, error
    passed("refusals are the package's own exceptions, with the request's id")
    usual = dict(model=name, service_tier="auto", parallel_tool_calls=True, store=True, metadata={"a": "b"}, user="me")
    client.chat.completions.create(messages=messages, max_tokens=2, n=1, modalities=["text"], **usual)
    client.completions.create(model=name, prompt="Once", max_tokens=2, best_of=1, n=1, user="me")
    client.responses.create(input=QUESTION, max_output_tokens=2, reasoning={}, background=False, **usual)
    passed("the usual values of what cannot be chosen are accepted")


async def at_once(client, name):
    async def ask(number):
        reply = await client.chat.completions.create(
            model=name, messages=[{"role": "user", "content": f"{QUESTION} {number}"}], temperature=0, max_tokens=16
        )
        return reply.choices[0].message.content

    together = await asyncio.gather(*(ask(number) for number in range(8)))
    alone = [await ask(number) for number in range(8)]
    assert together == alone
    pieces = []
    stream = await client.chat.completions.create(
        model=name, messages=[{"role": "user", "content": QUESTION}], max_tokens=64, stream=True
    )
    async for chunk in stream:
        pieces.append(chunk)
        if len(pieces) == 3:
            break
    await stream.close()
    passed("async: eight at once equal each alone; a stream can be left")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base-url", default="http://127.0.0.1:8080/v1")
    parser.add_argument("--api-key", default="none-is-needed")
    parser.add_argument("--model", help="the first one, if not given")
    args = parser.parse_args()
    settings = dict(base_url=args.base_url, api_key=args.api_key, max_retries=0, timeout=120)
    client = OpenAI(**settings)
    name = args.model or client.models.list().data[0].id
    print(f"openai {openai.__version__}, model {name}")
    for check in (models, chat, completions, formats, responses, conversations, refusals):
        check(client, name)
    asyncio.run(at_once(AsyncOpenAI(**settings), name))
    print("all passed")


if __name__ == "__main__":
    main()
