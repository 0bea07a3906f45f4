"""The SDKs of the Responses and the Gemini wire on a real model: the shape of its answers, and of its refusals."""

import json

import openai
from google import genai
from google.genai import errors, types

from report import KEY, MODEL, URL, case, failing, main

responses = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, timeout=60, max_retries=0).responses
# Kept, for it closes its connections when nobody holds it.
google = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL, timeout=60_000))
models = google.models
QUESTION = "Say hello in one short sentence."
WEATHER = "What is the weather in Paris?"
TOO_LONG = "hello " * 6000
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "name": "get_weather", "description": "The weather of a city.", "parameters": PARAMETERS}
FUNCTION = types.FunctionDeclaration(name="get_weather", description="The weather of a city.", parameters_json_schema=PARAMETERS)


def ask(text, **more):
    return {"model": MODEL, "store": False, "input": text, "temperature": 0, **more}


def response_summary(response):
    usage = response.usage
    return {
        "words": bool(response.output_text.strip()),
        "stop": [response.status, response.incomplete_details and response.incomplete_details.reason],
        "counted": usage.input_tokens > 5 and 0 < usage.output_tokens <= 24,
    }


def content_summary(response, text):
    usage = response.usage_metadata
    return {
        "words": bool(text.strip()),
        "stop": response.candidates[0].finish_reason.value,
        "counted": usage.prompt_token_count > 5 and 0 < usage.candidates_token_count <= 24,
    }


def call_summary(name, arguments):
    return {"name": name, "arguments": arguments}


@case
def responses_create():
    # The least that this wire lets a client ask for.
    return response_summary(responses.create(**ask(QUESTION, max_output_tokens=16)))


@case
def responses_stream():
    pieces = []
    # Not with the SDK's helper: it wants numbers of the items, which this server leaves out.
    for event in responses.create(**ask(QUESTION, max_output_tokens=16), stream=True):
        if event.type == "response.output_text.delta":
            pieces.append(event.delta)
    final = event.response
    return {**response_summary(final), "streamed": len(pieces) > 1, "same": "".join(pieces) == final.output_text}


@case
def responses_call():
    response = responses.create(**ask(WEATHER, tools=[TOOL], max_output_tokens=200))
    call = next(item for item in response.output if item.type == "function_call")
    return {**call_summary(call.name, json.loads(call.arguments)), "identified": bool(call.call_id)}


@case
def responses_call_streamed():
    pieces = ""
    request = ask(WEATHER, tools=[TOOL], max_output_tokens=200)
    for event in responses.create(**request, stream=True):
        if event.type == "response.function_call_arguments.delta":
            pieces += event.delta
        if event.type == "response.output_item.done" and event.item.type == "function_call":
            call = event.item
        last = event.type
    return {**call_summary(call.name, json.loads(call.arguments)), "same": pieces == call.arguments, "last": last}


@case
def responses_overflow():
    try:
        return response_summary(responses.create(**ask(TOO_LONG, max_output_tokens=16)))
    except openai.APIStatusError as error:
        return failing(error)


@case
def content_create():
    config = types.GenerateContentConfig(max_output_tokens=4, temperature=0)
    response = models.generate_content(model=MODEL, contents=QUESTION, config=config)
    return content_summary(response, response.text)


@case
def content_stream():
    config = types.GenerateContentConfig(max_output_tokens=4, temperature=0)
    pieces = list(models.generate_content_stream(model=MODEL, contents=QUESTION, config=config))
    texts = [piece.text for piece in pieces if piece.text]
    return {**content_summary(pieces[-1], "".join(texts)), "streamed": len(texts) > 1}


def calling():
    return types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[FUNCTION])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        max_output_tokens=200,
        temperature=0,
    )


@case
def content_call():
    call = models.generate_content(model=MODEL, contents=WEATHER, config=calling()).function_calls[0]
    return call_summary(call.name, call.args)


@case
def content_call_streamed():
    pieces = models.generate_content_stream(model=MODEL, contents=WEATHER, config=calling())
    calls = [call for piece in pieces for call in piece.function_calls or []]
    return {**call_summary(calls[0].name, calls[0].args), "calls": len(calls)}


@case
def content_count():
    story = "The quick brown fox jumps over the lazy dog. " * 40
    count = models.count_tokens(model=MODEL, contents=story).total_tokens
    config = types.GenerateContentConfig(max_output_tokens=1)
    real = models.generate_content(model=MODEL, contents=story, config=config).usage_metadata.prompt_token_count
    return {"near": 0.5 < count / real < 2, "numbers": [count, real]}


@case
def content_overflow():
    config = types.GenerateContentConfig(max_output_tokens=8)
    try:
        response = models.generate_content(model=MODEL, contents=TOO_LONG, config=config)
        return content_summary(response, response.text)
    except errors.APIError as error:
        return {"raised": type(error).__name__, "code": error.code, "status": error.status, "message": error.message}


main()
