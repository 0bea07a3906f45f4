"""The official OpenAI SDK on Chat Completions, sync and async, with its helpers."""

import asyncio
import base64
import json
import os

import openai
from pydantic import BaseModel

from report import KEY, MODEL, URL, case, failing, main

client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, timeout=30)
once = client.with_options(max_retries=0)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


def ask(content):
    return {"model": MODEL, "messages": [{"role": "user", "content": content}]}


def summary(completion):
    choice = completion.choices[0]
    usage = completion.usage
    return {
        "text": choice.message.content,
        "stop": choice.finish_reason,
        "model": completion.model,
        "usage": [
            usage.prompt_tokens,
            usage.prompt_tokens_details.cached_tokens,
            usage.completion_tokens,
            usage.total_tokens,
        ],
    }


def calls_of(message):
    return [[call.function.name, json.loads(call.function.arguments)] for call in message.tool_calls]


@case
def create():
    completion = client.chat.completions.create(**ask("SAY it"))
    return {**summary(completion), "object": completion.object}


@case
def create_raw():
    response = client.chat.completions.with_raw_response.create(**ask("SAY it"))
    names = ["x-lingate-lane", "x-lingate-provider", "x-lingate-attempts"]
    return {"headers": [response.headers.get(name) for name in names]}


@case
def stream():
    pieces, counts, reasons, objects = [], [], [], set()
    request = {**ask("SAY it"), "stream_options": {"include_usage": True}}
    for chunk in client.chat.completions.create(**request, stream=True):
        objects.add(chunk.object)
        if chunk.usage:
            counts.append([chunk.usage.prompt_tokens, chunk.usage.completion_tokens])
        for choice in chunk.choices:
            pieces.append(choice.delta.content or "")
            if choice.finish_reason:
                reasons.append(choice.finish_reason)
    return {"text": "".join(pieces), "usage": counts, "stop": reasons, "objects": sorted(objects)}


@case
def stream_without_usage():
    chunks = client.chat.completions.create(**ask("SAY it"), stream=True)
    return {"counted": any(chunk.usage for chunk in chunks)}


@case
def stream_helper():
    kinds = []
    with client.chat.completions.stream(**ask("SAY it"), stream_options={"include_usage": True}) as events:
        for event in events:
            if not kinds or kinds[-1] != event.type:
                kinds.append(event.type)
        final = events.get_final_completion()
    return {**summary(final), "ends": [kind for kind in kinds if kind.endswith("done")]}


@case
def tools_in_parallel():
    request = {**ask("WEATHER of two cities"), "tools": [WEATHER]}
    first = client.chat.completions.create(**request, tool_choice="required").choices[0]
    calls = first.message.tool_calls
    request["messages"] += [
        first.message,
        {"role": "tool", "tool_call_id": calls[0].id, "content": "sunny"},
        {"role": "tool", "tool_call_id": calls[1].id, "content": [{"type": "text", "text": "rainy"}]},
    ]
    second = client.chat.completions.create(**request).choices[0]
    return {
        "stop": first.finish_reason,
        "calls": calls_of(first.message),
        "ids_differ": calls[0].id != calls[1].id,
        "text": second.message.content,
    }


@case
def tools_streamed():
    done = []
    with client.chat.completions.stream(**ask("WEATHER of two cities"), tools=[WEATHER]) as events:
        for event in events:
            if event.type == "tool_calls.function.arguments.done":
                done.append([event.name, event.parsed_arguments or json.loads(event.arguments)])
        final = events.get_final_completion().choices[0]
    return {"stop": final.finish_reason, "calls": calls_of(final.message), "done": done}


@case
def reasoning_goes_round():
    request = {**ask("THINK first"), "tools": [WEATHER], "reasoning_effort": "high"}
    first = client.chat.completions.create(**request).choices[0].message
    history = {"role": "assistant", "content": first.content, "tool_calls": [call.model_dump() for call in first.tool_calls]}
    thought = getattr(first, "reasoning_content", None)
    history["reasoning_content"] = thought
    request["messages"] += [
        history,
        {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "sunny"},
    ]
    second = client.chat.completions.create(**request).choices[0].message
    return {"thought": thought, "calls": calls_of(first), "text": second.content}


class Reading(BaseModel):
    city: str
    degrees: int


@case
def parse():
    completion = client.chat.completions.parse(**ask("READING of Paris"), response_format=Reading)
    return {"parsed": completion.choices[0].message.parsed.model_dump()}


@case
def parse_streamed():
    with client.chat.completions.stream(**ask("READING of Paris"), response_format=Reading) as events:
        completion = events.get_final_completion()
    return {"parsed": completion.choices[0].message.parsed.model_dump()}


@case
def parse_tool():
    class get_weather(BaseModel):
        """The weather of a city."""

        city: str

    tool = openai.pydantic_function_tool(get_weather)
    completion = client.chat.completions.parse(**ask("KNOBS"), tools=[tool])
    return {"city": completion.choices[0].message.tool_calls[0].function.parsed_arguments.city}


@case
def models():
    listed = [model.id for model in client.models.list()]
    one = client.models.retrieve(MODEL)
    return {"listed": MODEL in listed, "id": one.id, "object": one.object}


@case
def media():
    def data_url(name, kind):
        with open(name, "rb") as file:
            return f"data:{kind};base64," + base64.b64encode(file.read()).decode()

    parts = [
        {"type": "text", "text": "SAY what this is"},
        {"type": "image_url", "image_url": {"url": data_url("red.png", "image/png"), "detail": "low"}},
        {"type": "file", "file": {"filename": "page.pdf", "file_data": data_url("page.pdf", "application/pdf")}},
    ]
    return summary(client.chat.completions.create(**ask(parts)))


@case
def token_limit():
    return summary(client.chat.completions.create(**ask("CUT-SHORT please"), max_completion_tokens=5))


@case
def token_limit_parsed():
    try:
        client.chat.completions.parse(**ask("CUT-SHORT please"), response_format=Reading)
    except openai.OpenAIError as error:
        return {"raised": type(error).__name__}


@case
def settings():
    completion = client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "KNOBS all of them", "name": "ada"},
        ],
        temperature=0.5,
        top_p=0.9,
        stop=["END"],
        max_completion_tokens=77,
        seed=7,
        user="u-1",
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        parallel_tool_calls=False,
    )
    return {"calls": calls_of(completion.choices[0].message)}


@case
def abandoned():
    with client.chat.completions.create(**ask("ENDLESS talk"), stream=True) as events:
        for chunk in events:
            if chunk.choices and chunk.choices[0].delta.content:
                return {"first": chunk.choices[0].delta.content}


@case
async def concurrent():
    async with openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY) as many:

        async def one(n):
            if n % 2:
                completion = await many.chat.completions.create(**ask("SAY it"))
            else:
                async with many.chat.completions.stream(**ask("SAY it")) as events:
                    completion = await events.get_final_completion()
            return completion.choices[0].message.content

        texts = await asyncio.gather(*(one(n) for n in range(16)))
    return {"texts": sorted(set(texts))}


def fails(name):
    """Registers a case for a provider that fails as the prompt names it."""

    def run():
        got = ""
        # Of a tool without `strict`, the helper leaves the arguments as they are.
        tool = {"type": "function", "function": {**WEATHER["function"], "strict": False}}
        request = {**ask(f"FAULT-{name}"), "tools": [tool]}
        # A limit holds for its model: the other cases ask for another.
        if name.startswith("limited"):
            request["model"] = f"{MODEL}-{name}"
        try:
            if not name.endswith("_streamed"):
                return summary(once.chat.completions.create(**request))
            with once.chat.completions.stream(**request, stream_options={"include_usage": True}) as events:
                for event in events:
                    if event.type == "content.delta":
                        got += event.delta
                return summary(events.get_final_completion())
        except openai.OpenAIError as error:
            return {**failing(error), "got": got}

    run.__name__ = name
    case(run)


for fault in os.environ["LINGATE_FAULTS"].split():
    fails(fault)


@case
def limit_is_waited_for():
    completion = client.chat.completions.create(**ask("ONCE-LIMITED, then SAY it"))
    return {"text": completion.choices[0].message.content}


@case
def wrong_key_is_not_retried():
    try:
        client.chat.completions.create(**ask("FAULT-wrong-key, PATIENTLY"))
    except openai.APIStatusError as error:
        return {"raised": type(error).__name__, "status": error.status_code}


@case
def embeddings():
    return {"model": once.embeddings.create(model=MODEL, input="text").model}


main()
