"""LangChain on every wire: the chat models, bound tools and structured output that its agents are made of."""

import base64
import os

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from report import CASES, KEY, MODEL, URL, failing, main


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return {"Paris": "sunny", "Rome": "rainy"}[city]


class Reading(BaseModel):
    """A thermometer's reading."""

    city: str
    degrees: int


def usage(message):
    counts = message.usage_metadata
    return [counts["input_tokens"], counts["output_tokens"], counts["total_tokens"]]


def invoke(model):
    message = model.invoke("SAY it")
    return {"text": message.text, "usage": usage(message)}


def stream(model):
    pieces = [piece for piece in model.stream("SAY it")]
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    return {"text": whole.text, "usage": usage(whole), "streamed": len(pieces) > 3}


async def stream_async(model):
    pieces = [piece.text async for piece in model.astream("SAY it")]
    return {"text": "".join(pieces)}


def tools(model):
    bound = model.bind_tools([get_weather])
    history = [HumanMessage("WEATHER of two cities")]
    while True:
        answer = bound.invoke(history)
        history.append(answer)
        if not answer.tool_calls:
            return {"text": answer.text, "messages": len(history)}
        for call in answer.tool_calls:
            history.append(ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"]))


def tools_streamed(model):
    bound = model.bind_tools([get_weather])
    whole = None
    for piece in bound.stream("WEATHER of two cities"):
        whole = piece if whole is None else whole + piece
    return {"text": whole.text, "calls": [[call["name"], call["args"]] for call in whole.tool_calls]}


def structured(model):
    reading = model.with_structured_output(Reading, method="json_schema").invoke("READING of Paris")
    return {"parsed": reading.model_dump()}


def picture(model):
    with open("red.png", "rb") as file:
        data = base64.b64encode(file.read()).decode()
    block = {"type": "image", "base64": data, "mime_type": "image/png"}
    message = model.invoke([HumanMessage(content=[{"type": "text", "text": "SAY what this is"}, block])])
    return {"text": message.text}


def refused(model):
    try:
        return invoke_with(model, "FAULT-wrong-key")
    except Exception as error:  # noqa: BLE001 (which one it is, is the result)
        return failing(error)


def overflow(model):
    try:
        return invoke_with(model, "FAULT-overflow")
    except Exception as error:  # noqa: BLE001
        return failing(error)


def broken(model):
    got = ""
    try:
        for piece in model.stream("FAULT-cut-after-text"):
            got += piece.text
        return {"got": got}
    except Exception as error:  # noqa: BLE001
        return {**failing(error), "got": got}


def invoke_with(model, prompt):
    return {"text": model.invoke(prompt).text}


def chat_model(wire):
    """A model on one wire. Each package takes seconds to load."""
    if wire == "anthropic":
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(model=MODEL, base_url=URL, api_key=KEY, max_tokens=1000, timeout=30)
    if wire == "gemini":
        from langchain_google_genai import ChatGoogleGenerativeAI

        return ChatGoogleGenerativeAI(model=MODEL, base_url=URL, api_key=KEY, timeout=30, max_retries=1)
    from langchain_openai import ChatOpenAI

    more = {"stream_usage": True}
    if wire == "responses":
        more = {"use_responses_api": True, "store": False, "include": ["reasoning.encrypted_content"]}
    return ChatOpenAI(model=MODEL, base_url=f"{URL}/v1", api_key=KEY, timeout=30, **more)


for wire in os.environ["LINGATE_CLIENTS"].split():
    own = chat_model(wire)
    for function in (invoke, stream, stream_async, tools, tools_streamed, structured, picture, refused, overflow, broken):
        CASES.append((f"{wire} {function.__name__}", lambda model=own, run=function: run(model)))

os.environ["LANGSMITH_TRACING"] = "false"
main()
