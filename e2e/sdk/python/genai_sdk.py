"""Google's Gen AI SDK, sync and async, with its chats and functions that it calls itself."""

import asyncio
import os

from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from report import KEY, MODEL, URL, case, main

client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL, timeout=30_000))
models = client.models
WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather",
            description="The weather of a city.",
            parameters=types.Schema(
                type="OBJECT",
                properties={"city": types.Schema(type="STRING", nullable=True)},
                required=["city"],
            ),
        )
    ]
)
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)
THINKING = types.ThinkingConfig(include_thoughts=True, thinking_budget=2048)


def said(text):
    return types.Content(role="user", parts=[types.Part(text=text)])


def response_of(call, value):
    response = types.FunctionResponse(id=call.id, name=call.name, response={"output": value})
    return types.Part(function_response=response)


def summary(response):
    usage = response.usage_metadata
    return {
        "text": response.text,
        "stop": response.candidates[0].finish_reason.value,
        "model": response.model_version,
        "usage": [
            usage.prompt_token_count,
            usage.cached_content_token_count,
            usage.candidates_token_count,
            usage.total_token_count,
        ],
    }


def calls_of(response):
    return [[call.name, call.args] for call in response.function_calls or []]


def failing(error):
    return {"raised": type(error).__name__, "code": error.code, "status": error.status, "message": error.message}


@case
def create():
    return summary(models.generate_content(model=MODEL, contents="SAY it"))


@case
def create_raw():
    headers = models.generate_content(model=MODEL, contents="SAY it").sdk_http_response.headers
    lower = {name.lower(): value for name, value in headers.items()}
    return {"headers": [lower.get(f"x-lingate-{name}") for name in ("lane", "provider", "attempts")]}


@case
def stream():
    pieces = list(models.generate_content_stream(model=MODEL, contents="SAY it"))
    text = "".join(piece.text or "" for piece in pieces)
    return {**summary(pieces[-1]), "text": text, "streamed": len(pieces) > 1}


@case
def tools_in_parallel():
    config = types.GenerateContentConfig(tools=[WEATHER], automatic_function_calling=BY_HAND)
    history = [said("WEATHER of two cities")]
    first = models.generate_content(model=MODEL, contents=history, config=config)
    paris, rome = first.function_calls
    parts = [response_of(paris, "sunny"), response_of(rome, "rainy")]
    history += [first.candidates[0].content, types.Content(role="user", parts=parts)]
    second = models.generate_content(model=MODEL, contents=history, config=config)
    return {"calls": calls_of(first), "text": second.text}


@case
def tools_streamed():
    config = types.GenerateContentConfig(tools=[WEATHER], automatic_function_calling=BY_HAND)
    calls = []
    for piece in models.generate_content_stream(model=MODEL, contents="WEATHER of two cities", config=config):
        calls += calls_of(piece)
        last = piece
    return {"calls": calls, "stop": last.candidates[0].finish_reason.value}


def thoughts(parts):
    return "".join(part.text for part in parts if part.thought and part.text)


@case
def thinking_goes_round():
    config = types.GenerateContentConfig(tools=[WEATHER], automatic_function_calling=BY_HAND, thinking_config=THINKING)
    history = [said("THINK first")]
    first = models.generate_content(model=MODEL, contents=history, config=config)
    content = first.candidates[0].content
    history += [content, types.Content(role="user", parts=[response_of(first.function_calls[0], "sunny")])]
    second = models.generate_content(model=MODEL, contents=history, config=config)
    signed = any(part.thought_signature for part in content.parts)
    return {"thought": thoughts(content.parts), "signed": signed, "calls": calls_of(first), "text": second.text}


@case
def thinking_in_a_chat():
    config = types.GenerateContentConfig(tools=[WEATHER], automatic_function_calling=BY_HAND, thinking_config=THINKING)
    chat = client.chats.create(model=MODEL, config=config)
    parts = []
    for piece in chat.send_message_stream("THINK first"):
        parts += piece.candidates[0].content.parts or []
    call = next(part.function_call for part in parts if part.function_call)
    last = "".join(piece.text or "" for piece in chat.send_message_stream([response_of(call, "sunny")]))
    return {"thought": thoughts(parts), "signed": any(part.thought_signature for part in parts), "text": last}


def automatic(prompt, config, is_stream):
    """With a function that the SDK offers, calls and answers for itself."""
    seen = []

    def get_weather(city: str) -> str:
        """The weather of a city."""
        seen.append(city)
        return {"Paris": "sunny", "Rome": "rainy"}[city]

    config = types.GenerateContentConfig(tools=[get_weather], **config)
    if is_stream:
        pieces = models.generate_content_stream(model=MODEL, contents=prompt, config=config)
        # What was said beside the calls comes first.
        text = "".join(piece.text or "" for piece in pieces)
    else:
        text = models.generate_content(model=MODEL, contents=prompt, config=config).text
    return {"seen": sorted(seen), "text": text}


@case
def functions_called():
    return automatic("WEATHER of two cities", {}, is_stream=False)


@case
def functions_called_streamed():
    return automatic("WEATHER of two cities", {}, is_stream=True)


@case
def functions_called_while_thinking():
    return automatic("THINK first", {"thinking_config": THINKING}, is_stream=False)


class Reading(BaseModel):
    city: str
    degrees: int


@case
def parse():
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Reading)
    return {"parsed": models.generate_content(model=MODEL, contents="READING of Paris", config=config).parsed.model_dump()}


@case
def parse_json_schema():
    schema = Reading.model_json_schema()
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=schema)
    return {"parsed": models.generate_content(model=MODEL, contents="READING of Paris", config=config).parsed}


@case
def count_tokens():
    return {"plausible": models.count_tokens(model=MODEL, contents="SAY it").total_tokens > 0}


@case
def listing():
    listed = [model.name for model in models.list()]
    one = models.get(model=MODEL)
    return {"listed": f"models/{MODEL}" in listed, "name": one.name, "shown": one.display_name, "input": one.input_token_limit}


@case
def media():
    def part(name, kind):
        with open(name, "rb") as file:
            return types.Part.from_bytes(data=file.read(), mime_type=kind)

    contents = ["SAY what this is", part("red.png", "image/png"), part("page.pdf", "application/pdf")]
    return summary(models.generate_content(model=MODEL, contents=contents))


@case
def token_limit():
    config = types.GenerateContentConfig(max_output_tokens=5)
    return summary(models.generate_content(model=MODEL, contents="CUT-SHORT please", config=config))


@case
def settings():
    only = types.FunctionCallingConfig(mode="ANY", allowed_function_names=["get_weather"])
    config = types.GenerateContentConfig(
        system_instruction="Be brief.",
        temperature=0.5,
        top_p=0.9,
        top_k=3,
        max_output_tokens=77,
        stop_sequences=["END"],
        seed=7,
        tools=[WEATHER],
        tool_config=types.ToolConfig(function_calling_config=only),
        automatic_function_calling=BY_HAND,
    )
    return {"calls": calls_of(models.generate_content(model=MODEL, contents="KNOBS all of them", config=config))}


@case
def abandoned():
    pieces = models.generate_content_stream(model=MODEL, contents="ENDLESS talk")
    for piece in pieces:
        if piece.text:
            pieces.close()
            return {"first": piece.text}


@case
async def concurrent():
    async with genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL)).aio as many:

        async def one(n):
            if n % 2:
                return (await many.models.generate_content(model=MODEL, contents="SAY it")).text
            pieces = await many.models.generate_content_stream(model=MODEL, contents="SAY it")
            return "".join([piece.text or "" async for piece in pieces])

        texts = await asyncio.gather(*(one(n) for n in range(16)))
    return {"texts": sorted(set(texts))}


def fails(name):
    """Registers a case for a provider that fails as the prompt names it."""

    def run():
        got = ""
        # A limit holds for its model: the other cases ask for another.
        model = f"{MODEL}-{name}" if name.startswith("limited") else MODEL
        config = types.GenerateContentConfig(tools=[WEATHER], automatic_function_calling=BY_HAND)
        request = {"model": model, "contents": f"FAULT-{name}", "config": config}
        try:
            if not name.endswith("_streamed"):
                return summary(models.generate_content(**request))
            for piece in models.generate_content_stream(**request):
                got += piece.text or ""
            return {**summary(piece), "text": got}
        except errors.APIError as error:
            return {**failing(error), "got": got}

    run.__name__ = name
    case(run)


for fault in os.environ["LINGATE_FAULTS"].split():
    fails(fault)


@case
def limit_is_waited_for():
    retry = types.HttpRetryOptions(attempts=2, initial_delay=1.2, jitter=0)
    config = types.GenerateContentConfig(http_options=types.HttpOptions(retry_options=retry))
    return {"text": models.generate_content(model=MODEL, contents="ONCE-LIMITED, then SAY it", config=config).text}


@case
def embeddings():
    try:
        models.embed_content(model=MODEL, contents="text")
    except errors.APIError as error:
        return failing(error)


main()
