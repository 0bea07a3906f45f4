"""pydantic-ai agents on both wires: tools, structured results, streams and errors."""

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, NativeOutput, PromptedOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from report import CASES, KEY, MODEL, URL, failing, main


class Reading(BaseModel):
    city: str
    degrees: int


def get_weather(city: str) -> str:
    """The weather of a city."""
    return {"Paris": "sunny", "Rome": "rainy"}[city]


def counts(usage):
    return [usage.input_tokens, usage.cache_read_tokens, usage.output_tokens]


async def run(model):
    result = await Agent(model).run("SAY it")
    return {"text": result.output, "usage": counts(result.usage)}


async def stream(model):
    async with Agent(model).run_stream("SAY it") as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
    return {"text": "".join(pieces), "streamed": len(pieces) > 1}


async def tools(model):
    result = await Agent(model, tools=[get_weather]).run("WEATHER of two cities")
    return {"text": result.output, "messages": len(result.all_messages())}


async def tools_streamed(model):
    async with Agent(model, tools=[get_weather]).run_stream("THINK first") as result:
        return {"text": await result.get_output(), "messages": len(result.all_messages())}


async def structured(model):
    # The library sends Anthropic's own form only for models that it knows by name.
    kind = NativeOutput if isinstance(model, OpenAIChatModel) else PromptedOutput
    result = await Agent(model, output_type=kind(Reading)).run("READING of Paris")
    return {"parsed": result.output.model_dump()}


async def picture(model):
    with open("red.png", "rb") as file:
        image = BinaryContent(file.read(), media_type="image/png")
    return {"text": (await Agent(model).run(["SAY what this is", image])).output}


async def refused(model):
    try:
        return {"text": (await Agent(model).run("FAULT-wrong-key")).output}
    except Exception as error:  # noqa: BLE001 (which one it is, is the result)
        return failing(error)


async def broken(model):
    got = ""
    try:
        async with Agent(model).run_stream("FAULT-cut-after-text") as result:
            async for piece in result.stream_text(delta=True, debounce_by=None):
                got += piece
        return {"got": got}
    except Exception as error:  # noqa: BLE001
        return {**failing(error), "got": got}


def anthropic_model():
    client = AsyncAnthropic(base_url=URL, api_key=KEY, timeout=30)
    return AnthropicModel(MODEL, provider=AnthropicProvider(anthropic_client=client))


def chat_model():
    client = AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, timeout=30)
    return OpenAIChatModel(MODEL, provider=OpenAIProvider(openai_client=client))


# A model for every case: its connections belong to the event loop of that case.
for wire, make in (("anthropic", anthropic_model), ("chat", chat_model)):
    for function in (run, stream, tools, tools_streamed, structured, picture, refused, broken):
        CASES.append((f"{wire} {function.__name__}", lambda make=make, case=function: case(make())))

main()
