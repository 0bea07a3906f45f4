"""The official OpenAI SDK on Responses, sync and async, with its helpers."""

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
    "name": "get_weather",
    "description": "The weather of a city.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
NOTE = {"type": "custom", "name": "note", "description": "Keeps a text, just as it is."}
# As agents ask: reasoning comes back with the next request.
SEALED = {"include": ["reasoning.encrypted_content"]}


def ask(content):
    return {"model": MODEL, "store": False, "input": [{"role": "user", "content": content}]}


def summary(response):
    usage = response.usage
    return {
        "text": response.output_text,
        "status": response.status,
        "model": response.model,
        "usage": [usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens, usage.total_tokens],
    }


def calls_of(response):
    return [[item.name, json.loads(item.arguments)] for item in response.output if item.type == "function_call"]


def output_of(call, output):
    return {"type": "function_call_output", "call_id": call.call_id, "output": output}


@case
def create():
    response = client.responses.create(**ask("SAY it"))
    return {**summary(response), "object": response.object, "kinds": [item.type for item in response.output]}


@case
def create_text_only():
    return summary(client.responses.create(**{**ask(""), "input": "SAY it"}))


@case
def create_raw():
    response = client.responses.with_raw_response.create(**ask("SAY it"))
    names = ["x-lingate-lane", "x-lingate-provider", "x-lingate-attempts"]
    return {"headers": [response.headers.get(name) for name in names]}


@case
def stream():
    kinds, pieces, numbers = [], [], []
    for event in client.responses.create(**ask("SAY it"), stream=True):
        numbers.append(event.sequence_number)
        if not kinds or kinds[-1] != event.type:
            kinds.append(event.type)
        if event.type == "response.output_text.delta":
            pieces.append(event.delta)
        if event.type == "response.completed":
            final = event.response
    return {
        **summary(final),
        "same": "".join(pieces) == final.output_text,
        "streamed": len(pieces) > 1,
        "in_order": numbers == sorted(set(numbers)),
        "kinds": [kind.removeprefix("response.") for kind in kinds],
    }


@case
def stream_helper():
    texts = []
    with client.responses.stream(**ask("SAY it")) as events:
        for event in events:
            if event.type == "response.output_text.done":
                texts.append(event.text)
        final = events.get_final_response()
    return {**summary(final), "done": texts}


@case
def tools_in_parallel():
    request = {**ask("WEATHER of two cities"), "tools": [WEATHER]}
    first = client.responses.create(**request, tool_choice="required")
    calls = [item for item in first.output if item.type == "function_call"]
    request["input"] += first.output
    request["input"] += [
        output_of(calls[0], "sunny"),
        output_of(calls[1], [{"type": "input_text", "text": "rainy"}]),
    ]
    second = client.responses.create(**request)
    return {
        "status": first.status,
        "said": first.output_text,
        "calls": calls_of(first),
        "ids_differ": calls[0].call_id != calls[1].call_id,
        "text": second.output_text,
    }


@case
def tools_streamed():
    done = []
    with client.responses.stream(**ask("WEATHER of two cities"), tools=[WEATHER]) as events:
        for event in events:
            if event.type == "response.function_call_arguments.done":
                done.append(json.loads(event.arguments))
        final = events.get_final_response()
    return {"status": final.status, "calls": calls_of(final), "done": done}


@case
def reasoning_goes_round():
    request = {**ask("THINK first"), **SEALED, "tools": [WEATHER], "reasoning": {"effort": "high", "summary": "auto"}}
    first = client.responses.create(**request)
    thought = first.output[0]
    call = first.output[-1]
    request["input"] += [*first.output, output_of(call, "sunny")]
    second = client.responses.create(**request)
    return {
        "kinds": [item.type for item in first.output],
        "thought": thought.summary[0].text,
        "sealed": bool(thought.encrypted_content),
        "calls": calls_of(first),
        "text": second.output_text,
    }


@case
def reasoning_streamed():
    request = {**ask("THINK first"), **SEALED, "tools": [WEATHER], "reasoning": {"effort": "high", "summary": "auto"}}
    thought = ""
    with client.responses.stream(**request) as events:
        for event in events:
            if event.type == "response.reasoning_summary_text.delta":
                thought += event.delta
        first = events.get_final_response()
    request["input"] += [item.to_dict() for item in first.output]
    request["input"].append(output_of(first.output[-1], "sunny"))
    with client.responses.stream(**request) as events:
        second = events.get_final_response()
    return {"thought": thought, "sealed": bool(first.output[0].encrypted_content), "text": second.output_text}


@case
def free_form_tool():
    request = {**ask("FREE-FORM note"), **SEALED, "tools": [NOTE]}
    first = client.responses.create(**request)
    call = first.output[-1]
    request["input"] += [*first.output, {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "kept"}]
    second = client.responses.create(**request)
    return {"kind": call.type, "name": call.name, "input": call.input, "text": second.output_text}


@case
def free_form_streamed():
    pieces = ""
    with client.responses.stream(**ask("FREE-FORM note"), tools=[NOTE]) as events:
        for event in events:
            if event.type == "response.custom_tool_call_input.delta":
                pieces += event.delta
        call = events.get_final_response().output[-1]
    return {"kind": call.type, "input": call.input, "same": pieces == call.input}


class Reading(BaseModel):
    city: str
    degrees: int


@case
def parse():
    response = client.responses.parse(**ask("READING of Paris"), text_format=Reading)
    return {"parsed": response.output_parsed.model_dump()}


@case
def parse_streamed():
    with client.responses.stream(**ask("READING of Paris"), text_format=Reading) as events:
        return {"parsed": events.get_final_response().output_parsed.model_dump()}


@case
def parse_tool():
    class get_weather(BaseModel):
        """The weather of a city."""

        city: str

    tool = openai.pydantic_function_tool(get_weather)
    response = client.responses.parse(**ask("KNOBS"), tools=[tool])
    return {"city": response.output[0].parsed_arguments.city}


@case
def media():
    def data_url(name, kind):
        with open(name, "rb") as file:
            return f"data:{kind};base64," + base64.b64encode(file.read()).decode()

    parts = [
        {"type": "input_text", "text": "SAY what this is"},
        {"type": "input_image", "image_url": data_url("red.png", "image/png"), "detail": "low"},
        {"type": "input_file", "filename": "page.pdf", "file_data": data_url("page.pdf", "application/pdf")},
    ]
    return summary(client.responses.create(**ask(parts)))


@case
def token_limit():
    response = client.responses.create(**ask("CUT-SHORT please"), max_output_tokens=16)
    return {"text": response.output_text, "status": response.status, "reason": response.incomplete_details.reason}


@case
def token_limit_streamed():
    for event in client.responses.create(**ask("CUT-SHORT please"), max_output_tokens=16, stream=True):
        last = event
    return {"last": last.type, "reason": last.response.incomplete_details.reason}


@case
def settings():
    response = client.responses.create(
        model=MODEL,
        store=False,
        instructions="Be brief.",
        input=[
            {"role": "developer", "content": "In English."},
            {"role": "user", "content": "KNOBS all of them"},
        ],
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=77,
        metadata={"team": "a"},
        prompt_cache_key="k-1",
        tools=[WEATHER],
        tool_choice={"type": "function", "name": "get_weather"},
        parallel_tool_calls=False,
        **SEALED,
    )
    return {"calls": calls_of(response)}


def refused(**more):
    try:
        return summary(once.responses.create(**{**ask("SAY it"), **more}))
    except openai.APIStatusError as error:
        return failing(error)


@case
def kept_by_a_provider():
    return refused(previous_response_id="resp_1")


@case
def background():
    return refused(background=True)


@case
def retrieve():
    return {"status": once.responses.retrieve("resp_1").status}


@case
def abandoned():
    with client.responses.create(**ask("ENDLESS talk"), stream=True) as events:
        for event in events:
            if event.type == "response.output_text.delta":
                return {"first": event.delta}


@case
async def concurrent():
    async with openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY) as many:

        async def one(n):
            if n % 2:
                response = await many.responses.create(**ask("SAY it"))
            else:
                async with many.responses.stream(**ask("SAY it")) as events:
                    response = await events.get_final_response()
            return response.output_text

        texts = await asyncio.gather(*(one(n) for n in range(16)))
    return {"texts": sorted(set(texts))}


def fails(name):
    """Registers a case for a provider that fails as the prompt names it."""

    def run():
        got = ""
        # Of a tool without `strict`, the helper leaves the arguments as they are.
        request = {**ask(f"FAULT-{name}"), "tools": [{**WEATHER, "strict": False}]}
        # A limit holds for its model: the other cases ask for another.
        if name.startswith("limited"):
            request["model"] = f"{MODEL}-{name}"
        try:
            if not name.endswith("_streamed"):
                return summary(once.responses.create(**request))
            failed = None
            with once.responses.stream(**request) as events:
                for event in events:
                    if event.type == "response.output_text.delta":
                        got += event.delta
                    # A failure in the stream is an event to this SDK.
                    if event.type in ("error", "response.failed"):
                        failed = event if event.type == "error" else event.response.error
                        kind = event.type
                if failed is None:
                    return summary(events.get_final_response())
            return {"raised": kind, "code": failed.code, "message": failed.message, "got": got}
        except openai.OpenAIError as error:
            return {**failing(error), "got": got}

    run.__name__ = name
    case(run)


for fault in os.environ["LINGATE_FAULTS"].split():
    fails(fault)


@case
def limit_is_waited_for():
    return {"text": client.responses.create(**ask("ONCE-LIMITED, then SAY it")).output_text}


@case
def wrong_key_is_not_retried():
    try:
        client.responses.create(**ask("FAULT-wrong-key, PATIENTLY"))
    except openai.APIStatusError as error:
        return {"raised": type(error).__name__, "status": error.status_code}


main()
