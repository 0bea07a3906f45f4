"""Every official SDK against a budget that is spent, with the retries it comes with."""

import anthropic
import openai
from google import genai
from google.genai import types

from report import KEY, MODEL, URL, case, main

claude = anthropic.Anthropic(base_url=URL, api_key=KEY, timeout=30)
gpt = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, timeout=30)
gemini = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL, timeout=30_000))
said = [{"role": "user", "content": "hello"}]


@case
def anthropic_create():
    return {"text": str(claude.messages.create(model=MODEL, max_tokens=10, messages=said))}


@case
def anthropic_stream():
    with claude.messages.stream(model=MODEL, max_tokens=10, messages=said) as stream:
        return {"text": stream.get_final_text()}


@case
def chat_create():
    return {"text": str(gpt.chat.completions.create(model=MODEL, messages=said))}


@case
def chat_stream():
    return {"text": str(list(gpt.chat.completions.create(model=MODEL, messages=said, stream=True)))}


@case
def responses_create():
    return {"text": str(gpt.responses.create(model=MODEL, input="hello"))}


@case
def responses_stream():
    return {"text": str(list(gpt.responses.create(model=MODEL, input="hello", stream=True)))}


@case
def gemini_generate():
    return {"text": str(gemini.models.generate_content(model=MODEL, contents="hello"))}


@case
def gemini_stream():
    return {"text": str(list(gemini.models.generate_content_stream(model=MODEL, contents="hello")))}


main()
