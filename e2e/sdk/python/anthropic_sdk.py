"""The official Anthropic SDK, sync and async, with its helpers. Runs on 2.x and on the last 0.x."""

import asyncio
import base64
import json
import os

import anthropic
from anthropic import beta_tool
from pydantic import BaseModel

from report import KEY, MODEL, URL, case, failing, main

client = anthropic.Anthropic(base_url=URL, api_key=KEY, timeout=30)
once = client.with_options(max_retries=0)
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def ask(text):
    return {
        "model": MODEL,
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": text}],
    }


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def summary(message):
    usage = message.usage
    return {
        "text": text_of(message),
        "blocks": [block.type for block in message.content],
        "stop": message.stop_reason,
        "model": message.model,
        "usage": [
            usage.input_tokens,
            usage.cache_read_input_tokens,
            usage.output_tokens,
        ],
    }


@case
def create():
    message = client.messages.create(**ask("SAY it"))
    return {**summary(message), "has_request_id": bool(message._request_id)}


@case
def create_raw():
    response = client.messages.with_raw_response.create(**ask("SAY it"))
    names = ["x-lingate-lane", "x-lingate-provider", "x-lingate-attempts"]
    return {"headers": [response.headers.get(name) for name in names]}


@case
def stream():
    with client.messages.stream(**ask("SAY it")) as events:
        pieces = list(events.text_stream)
        final = events.get_final_message()
    return {**summary(final), "same": "".join(pieces) == text_of(final), "streamed": len(pieces) > 1}


@case
def stream_events():
    kinds = []
    for event in client.messages.create(**ask("SAY it"), stream=True):
        if event.type != "ping" and (not kinds or kinds[-1] != event.type):
            kinds.append(event.type)
    return {"kinds": kinds}


@case
def thinking_goes_round():
    request = ask("THINK first")
    request["max_tokens"] = 4000
    request["thinking"] = {"type": "enabled", "budget_tokens": 2000}
    request["tools"] = [WEATHER]
    with client.messages.stream(**request) as events:
        first = events.get_final_message()
    thought = first.content[0]
    call = first.content[-1]
    request["messages"] += [
        {"role": "assistant", "content": first.content},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}],
        },
    ]
    second = client.messages.create(**request)
    return {
        "blocks": [block.type for block in first.content],
        "thought": thought.thinking,
        "signed": bool(thought.signature),
        "call": [call.name, call.input],
        "text": text_of(second),
    }


@case
def tools_in_parallel():
    request = ask("WEATHER of two cities")
    request["tools"] = [WEATHER]
    request["tool_choice"] = {"type": "any"}
    first = client.messages.create(**request)
    calls = [block for block in first.content if block.type == "tool_use"]
    results = [
        {"type": "tool_result", "tool_use_id": calls[0].id, "content": "sunny"},
        {
            "type": "tool_result",
            "tool_use_id": calls[1].id,
            "content": [{"type": "text", "text": "no such station"}],
            "is_error": True,
        },
    ]
    del request["tool_choice"]
    request["messages"] += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]
    second = client.messages.create(**request)
    return {
        "stop": first.stop_reason,
        "calls": [[call.name, call.input] for call in calls],
        "ids_differ": calls[0].id != calls[1].id,
        "text": text_of(second),
    }


@case
def tools_streamed():
    request = ask("WEATHER of two cities")
    request["tools"] = [WEATHER]
    pieces = []
    with client.messages.stream(**request) as events:
        for event in events:
            if event.type == "input_json":
                pieces.append(event.partial_json)
        final = events.get_final_message()
    calls = [[block.name, block.input] for block in final.content if block.type == "tool_use"]
    whole = [json.dumps(call[1], separators=(",", ":")) for call in calls]
    return {"stop": final.stop_reason, "calls": calls, "same": "".join(pieces).replace(" ", "") == "".join(whole)}


def runner(streamed):
    seen = []

    @beta_tool
    def get_weather(city: str) -> str:
        """The weather of a city.

        Args:
            city: Its name.
        """
        seen.append(city)
        return {"Paris": "sunny", "Rome": "rainy"}[city]

    run = client.beta.messages.tool_runner(**ask("WEATHER of two cities"), tools=[get_weather], stream=streamed)
    messages = []
    for turn in run:
        messages.append(turn.get_final_message() if streamed else turn)
    return {"seen": sorted(seen), "turns": len(messages), "text": text_of(messages[-1])}


@case
def tool_runner():
    return runner(False)


@case
def tool_runner_streamed():
    return runner(True)


class Reading(BaseModel):
    city: str
    degrees: int


@case
def parse():
    message = client.messages.parse(**ask("READING of Paris"), output_format=Reading)
    return {"parsed": message.parsed_output.model_dump()}


@case
def parse_streamed():
    with client.messages.stream(**ask("READING of Paris"), output_format=Reading) as events:
        message = events.get_final_message()
    return {"parsed": message.parsed_output.model_dump()}


@case
def count_tokens():
    request = ask("SAY it " * 100)
    del request["max_tokens"]
    count = client.messages.count_tokens(**request, tools=[WEATHER]).input_tokens
    return {"plausible": 200 < count < 800}


@case
def models():
    listed = [model.id for model in client.models.list()]
    one = client.models.retrieve(MODEL)
    return {"listed": MODEL in listed, "id": one.id, "type": one.type, "name": one.display_name}


@case
def media():
    def source(name, kind):
        with open(name, "rb") as file:
            data = base64.b64encode(file.read()).decode()
        return {"type": "base64", "media_type": kind, "data": data}

    parts = [
        {"type": "text", "text": "SAY what this is"},
        {"type": "image", "source": source("red.png", "image/png")},
        {"type": "document", "source": source("page.pdf", "application/pdf"), "title": "A page"},
    ]
    return summary(client.messages.create(**ask(parts)))


@case
def token_limit():
    with client.messages.stream(**ask("CUT-SHORT please")) as events:
        return summary(events.get_final_message())


@case
def settings():
    message = client.messages.create(
        **ask("KNOBS all of them"),
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        extra_body={"temperature": 0.5, "top_k": 3},
        stop_sequences=["END"],
        metadata={"user_id": "u-1"},
        tools=[WEATHER],
        tool_choice={"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True},
    )
    return {"blocks": [block.type for block in message.content]}


@case
def abandoned():
    with client.messages.stream(**ask("ENDLESS talk")) as events:
        first = next(iter(events.text_stream))
    return {"first": first}


@case
async def concurrent():
    async with anthropic.AsyncAnthropic(base_url=URL, api_key=KEY) as many:

        async def one(n):
            if n % 2:
                return text_of(await many.messages.create(**ask("SAY it")))
            async with many.messages.stream(**ask("SAY it")) as events:
                return await events.get_final_text()

        texts = await asyncio.gather(*(one(n) for n in range(16)))
    return {"texts": sorted(set(texts))}


def fails(name):
    """Registers a case for a provider that fails as the prompt names it."""

    def run():
        got = ""
        try:
            request = ask(f"FAULT-{name}")
            request["tools"] = [WEATHER]
            # A limit holds for its model: the other cases ask for another.
            if name.startswith("limited"):
                request["model"] = f"{MODEL}-{name}"
            if not name.endswith("_streamed"):
                return summary(once.messages.create(**request))
            with once.messages.stream(**request) as events:
                for piece in events.text_stream:
                    got += piece
                return summary(events.get_final_message())
        except anthropic.AnthropicError as error:
            return {**failing(error), "got": got}

    run.__name__ = name
    case(run)


for fault in os.environ["LINGATE_FAULTS"].split():
    fails(fault)


@case
def limit_is_waited_for():
    return {"text": text_of(client.messages.create(**ask("ONCE-LIMITED, then SAY it")))}


@case
def wrong_key_is_not_retried():
    try:
        client.messages.create(**ask("FAULT-wrong-key, PATIENTLY"))
    except anthropic.APIStatusError as error:
        return {"raised": type(error).__name__, "status": error.status_code}


@case
def batches():
    return {"listed": [batch.id for batch in once.messages.batches.list()]}


main()
