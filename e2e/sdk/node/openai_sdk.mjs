// The official OpenAI SDK on Chat Completions with its helpers.

import { readFile } from "node:fs/promises";
import OpenAI, { OpenAIError } from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { KEY, MODEL, URL, add, failing, main } from "./report.mjs";

const client = new OpenAI({ baseURL: `${URL}/v1`, apiKey: KEY, timeout: 30_000 });
const once = client.withOptions({ maxRetries: 0 });
const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const WEATHER = {
  type: "function",
  function: { name: "get_weather", description: "The weather of a city.", parameters },
};
const Reading = z.object({ city: z.string(), degrees: z.number() });

const ask = (content) => ({ model: MODEL, messages: [{ role: "user", content }] });
const callsOf = (message) => message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
const summary = ({ choices: [choice], model, usage }) => ({
  text: choice.message.content,
  stop: choice.finish_reason,
  model,
  usage: [usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens, usage.total_tokens],
});

add("create", async () => {
  const completion = await client.chat.completions.create(ask("SAY it"));
  return { ...summary(completion), object: completion.object };
});

add("create_raw", async () => {
  const { response } = await client.chat.completions.create(ask("SAY it")).withResponse();
  const names = ["x-lingate-lane", "x-lingate-provider", "x-lingate-attempts"];
  return { headers: names.map((name) => response.headers.get(name)) };
});

add("stream", async () => {
  const [counts, reasons, objects] = [[], [], new Set()];
  let text = "";
  const request = { ...ask("SAY it"), stream: true, stream_options: { include_usage: true } };
  for await (const chunk of await client.chat.completions.create(request)) {
    objects.add(chunk.object);
    if (chunk.usage) counts.push([chunk.usage.prompt_tokens, chunk.usage.completion_tokens]);
    for (const choice of chunk.choices) {
      text += choice.delta.content ?? "";
      if (choice.finish_reason) reasons.push(choice.finish_reason);
    }
  }
  return { text, usage: counts, stop: reasons, objects: [...objects] };
});

add("stream_helper", async () => {
  let pieces = "";
  const request = { ...ask("SAY it"), stream_options: { include_usage: true } };
  const stream = client.chat.completions.stream(request).on("content", (piece) => (pieces += piece));
  return { ...summary(await stream.finalChatCompletion()), same: pieces === (await stream.finalContent()) };
});

add("tools_in_parallel", async () => {
  const request = { ...ask("WEATHER of two cities"), tools: [WEATHER] };
  const [first] = (await client.chat.completions.create({ ...request, tool_choice: "required" })).choices;
  const calls = first.message.tool_calls;
  request.messages.push(
    first.message,
    { role: "tool", tool_call_id: calls[0].id, content: "sunny" },
    { role: "tool", tool_call_id: calls[1].id, content: [{ type: "text", text: "rainy" }] },
  );
  const [second] = (await client.chat.completions.create(request)).choices;
  return {
    stop: first.finish_reason,
    calls: callsOf(first.message),
    ids_differ: calls[0].id !== calls[1].id,
    text: second.message.content,
  };
});

add("tools_streamed", async () => {
  const done = [];
  const stream = client.chat.completions.stream({ ...ask("WEATHER of two cities"), tools: [WEATHER] });
  stream.on("tool_calls.function.arguments.done", (call) => done.push([call.name, JSON.parse(call.arguments)]));
  const [final] = (await stream.finalChatCompletion()).choices;
  return { stop: final.finish_reason, calls: callsOf(final.message), done };
});

async function runner(stream) {
  const seen = [];
  const tool = zodFunction({
    name: "get_weather",
    description: "The weather of a city.",
    parameters: z.object({ city: z.string() }),
    function: ({ city }) => {
      seen.push(city);
      return { Paris: "sunny", Rome: "rainy" }[city];
    },
  });
  const run = client.chat.completions.runTools({ ...ask("WEATHER of two cities"), tools: [tool], stream });
  const text = await run.finalContent();
  return { seen: seen.sort(), turns: run.allChatCompletions().length, text };
}
add("tool_runner", () => runner(false));
add("tool_runner_streamed", () => runner(true));

add("reasoning_goes_round", async () => {
  const request = { ...ask("THINK first"), tools: [WEATHER], reasoning_effort: "high" };
  const [{ message: first }] = (await client.chat.completions.create(request)).choices;
  request.messages.push(first, { role: "tool", tool_call_id: first.tool_calls[0].id, content: "sunny" });
  const [{ message: second }] = (await client.chat.completions.create(request)).choices;
  return { thought: first.reasoning_content, calls: callsOf(first), text: second.content };
});

add("parse", async () => {
  const format = zodResponseFormat(Reading, "reading");
  const completion = await client.chat.completions.parse({ ...ask("READING of Paris"), response_format: format });
  return { parsed: completion.choices[0].message.parsed };
});

add("parse_streamed", async () => {
  const format = zodResponseFormat(Reading, "reading");
  const stream = client.chat.completions.stream({ ...ask("READING of Paris"), response_format: format });
  return { parsed: (await stream.finalChatCompletion()).choices[0].message.parsed };
});

add("models", async () => {
  const listed = [];
  for await (const model of client.models.list()) listed.push(model.id);
  const one = await client.models.retrieve(MODEL);
  return { listed: listed.includes(MODEL), id: one.id, object: one.object };
});

add("media", async () => {
  const dataUrl = async (name, kind) => `data:${kind};base64,${await readFile(name, "base64")}`;
  const parts = [
    { type: "text", text: "SAY what this is" },
    { type: "image_url", image_url: { url: await dataUrl("red.png", "image/png"), detail: "low" } },
    { type: "file", file: { filename: "page.pdf", file_data: await dataUrl("page.pdf", "application/pdf") } },
  ];
  return summary(await client.chat.completions.create(ask(parts)));
});

add("token_limit", async () =>
  summary(await client.chat.completions.create({ ...ask("CUT-SHORT please"), max_completion_tokens: 5 })),
);

add("token_limit_parsed", async () => {
  try {
    const format = zodResponseFormat(Reading, "reading");
    await client.chat.completions.parse({ ...ask("CUT-SHORT please"), response_format: format });
  } catch (error) {
    return { raised: error.constructor.name };
  }
});

add("settings", async () => {
  const completion = await client.chat.completions.create({
    model: MODEL,
    messages: [
      { role: "developer", content: "Be brief." },
      { role: "user", content: "KNOBS all of them", name: "ada" },
    ],
    temperature: 0.5,
    top_p: 0.9,
    stop: ["END"],
    max_completion_tokens: 77,
    seed: 7,
    user: "u-1",
    tools: [WEATHER],
    tool_choice: { type: "function", function: { name: "get_weather" } },
    parallel_tool_calls: false,
  });
  return { calls: callsOf(completion.choices[0].message) };
});

add("abandoned", async () => {
  for await (const chunk of await client.chat.completions.create({ ...ask("ENDLESS talk"), stream: true }))
    if (chunk.choices[0]?.delta.content) return { first: chunk.choices[0].delta.content };
});

add("concurrent", async () => {
  const one = async (n) => {
    if (n % 2) return (await client.chat.completions.create(ask("SAY it"))).choices[0].message.content;
    return client.chat.completions.stream(ask("SAY it")).finalContent();
  };
  const texts = await Promise.all(Array.from({ length: 16 }, (_, n) => one(n)));
  return { texts: [...new Set(texts)].sort() };
});

for (const fault of process.env.LINGATE_FAULTS.split(" "))
  add(fault, async () => {
    let got = "";
    try {
      const request = { ...ask(`FAULT-${fault}`), tools: [WEATHER] };
      // A limit holds for its model: the other cases ask for another.
      if (fault.startsWith("limited")) request.model = `${MODEL}-${fault}`;
      if (!fault.endsWith("_streamed")) return summary(await once.chat.completions.create(request));
      const stream = once.chat.completions.stream({ ...request, stream_options: { include_usage: true } });
      return summary(await stream.on("content", (piece) => (got += piece)).finalChatCompletion());
    } catch (error) {
      if (error instanceof OpenAIError) return { ...failing(error), got };
      throw error;
    }
  });

add("limit_is_waited_for", async () => {
  const completion = await client.chat.completions.create(ask("ONCE-LIMITED, then SAY it"));
  return { text: completion.choices[0].message.content };
});

add("wrong_key_is_not_retried", async () => {
  try {
    await client.chat.completions.create(ask("FAULT-wrong-key, PATIENTLY"));
  } catch (error) {
    return { raised: error.constructor.name, status: error.status };
  }
});

add("embeddings", async () => ({ model: (await once.embeddings.create({ model: MODEL, input: "text" })).model }));

await main();
