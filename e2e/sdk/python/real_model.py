"""Both official SDKs on a real model: what it says is its own affair, the shape of the answer is not."""

import os

import anthropic
import openai
from pydantic import BaseModel

from report import KEY, MODEL, URL, case, failing, main

messages = anthropic.Anthropic(base_url=URL, api_key=KEY, timeout=60, max_retries=0).messages
chat = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, timeout=60, max_retries=0).chat.completions
QUESTION = [{"role": "user", "content": "Say hello in one short sentence."}]
TOO_LONG = [{"role": "user", "content": "hello " * 6000}]


class Reading(BaseModel):
    city: str
    degrees: int


def prompt_tokens(usage):
    return usage.input_tokens + (usage.cache_read_input_tokens or 0)


def anthropic_summary(message):
    usage = message.usage
    return {
        "words": any(block.text.strip() for block in message.content if block.type == "text"),
        "stop": message.stop_reason,
        "counted": prompt_tokens(usage) > 5 and 0 < usage.output_tokens <= 24,
    }


def chat_summary(completion):
    usage = completion.usage
    return {
        "words": bool(completion.choices[0].message.content.strip()),
        "stop": completion.choices[0].finish_reason,
        "counted": usage.prompt_tokens > 5 and 0 < usage.completion_tokens <= 24,
    }


@case
def anthropic_create():
    message = messages.create(model=MODEL, max_tokens=24, messages=QUESTION, stop_sequences=["NEVER-SAID"])
    return {**anthropic_summary(message), "stop": message.stop_reason in ("end_turn", "max_tokens")}


@case
def anthropic_stream():
    with messages.stream(model=MODEL, max_tokens=4, messages=QUESTION) as events:
        pieces = list(events.text_stream)
        return {**anthropic_summary(events.get_final_message()), "streamed": len(pieces) > 1}


@case
def anthropic_count():
    # Long enough that the model's own template does not decide.
    story = [{"role": "user", "content": "The quick brown fox jumps over the lazy dog. " * 40}]
    count = messages.count_tokens(model=MODEL, messages=story).input_tokens
    real = prompt_tokens(messages.create(model=MODEL, max_tokens=1, messages=story).usage)
    return {"near": 0.5 < count / real < 2, "numbers": [count, real]}


def anthropic_overflow():
    try:
        return anthropic_summary(messages.create(model=MODEL, max_tokens=8, messages=TOO_LONG))
    except anthropic.APIStatusError as error:
        return failing(error)


@case
def chat_create():
    completion = chat.create(model=MODEL, max_tokens=4, messages=QUESTION)
    return chat_summary(completion)


@case
def chat_stream():
    text, reasons, counts, pieces = "", [], [], 0
    options = {"include_usage": True}
    for chunk in chat.create(model=MODEL, max_tokens=4, messages=QUESTION, stream=True, stream_options=options):
        counts += [chunk.usage.prompt_tokens > 5] if chunk.usage else []
        for choice in chunk.choices:
            text += choice.delta.content or ""
            pieces += bool(choice.delta.content)
            reasons += [choice.finish_reason] if choice.finish_reason else []
    return {"words": bool(text.strip()), "stop": reasons, "counted": counts, "streamed": pieces > 1}


def chat_overflow():
    try:
        return chat_summary(chat.create(model=MODEL, max_tokens=8, messages=TOO_LONG))
    except openai.APIStatusError as error:
        return failing(error)


def chat_parse():
    question = [{"role": "user", "content": "It is 21 degrees in Paris."}]
    completion = chat.parse(model=MODEL, max_tokens=200, messages=question, response_format=Reading, temperature=0)
    reading = completion.choices[0].message.parsed
    return {"city": type(reading.city).__name__, "degrees": type(reading.degrees).__name__}


# Over its Anthropic wire, llama.cpp has no structured output.
for function in (anthropic_overflow, chat_parse) if os.environ["LINGATE_SPEAKS"] == "chat" else (chat_overflow,):
    case(function)
main()
