// The official Anthropic SDK with its helpers.

import { readFile } from "node:fs/promises";
import Anthropic, { AnthropicError } from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { z } from "zod";
import { KEY, MODEL, URL, add, failing, main } from "./report.mjs";

const client = new Anthropic({ baseURL: URL, apiKey: KEY, timeout: 30_000 });
const once = client.withOptions({ maxRetries: 0 });
const WEATHER = {
  name: "get_weather",
  description: "The weather of a city.",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const Reading = z.object({ city: z.string(), degrees: z.number() });

const ask = (content) => ({ model: MODEL, max_tokens: 1000, messages: [{ role: "user", content }] });
const textOf = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");
const callsOf = (message) => message.content.filter((block) => block.type === "tool_use");
const summary = (message) => ({
  text: textOf(message),
  blocks: message.content.map((block) => block.type),
  stop: message.stop_reason,
  model: message.model,
  usage: [message.usage.input_tokens, message.usage.cache_read_input_tokens, message.usage.output_tokens],
});

add("create", async () => {
  const message = await client.messages.create(ask("SAY it"));
  return { ...summary(message), has_request_id: Boolean(message._request_id) };
});

add("create_raw", async () => {
  const { response } = await client.messages.create(ask("SAY it")).withResponse();
  const names = ["x-lingate-lane", "x-lingate-provider", "x-lingate-attempts"];
  return { headers: names.map((name) => response.headers.get(name)) };
});

add("stream", async () => {
  const pieces = [];
  const stream = client.messages.stream(ask("SAY it")).on("text", (piece) => pieces.push(piece));
  const final = await stream.finalMessage();
  return { ...summary(final), same: pieces.join("") === textOf(final), streamed: pieces.length > 1 };
});

add("stream_events", async () => {
  const kinds = [];
  for await (const { type } of await client.messages.create({ ...ask("SAY it"), stream: true }))
    if (type !== "ping" && kinds.at(-1) !== type) kinds.push(type);
  return { kinds };
});

add("thinking_goes_round", async () => {
  const request = { ...ask("THINK first"), max_tokens: 4000, thinking: { type: "enabled", budget_tokens: 2000 }, tools: [WEATHER] };
  const first = await client.messages.stream(request).finalMessage();
  const [thought, call] = [first.content[0], first.content.at(-1)];
  request.messages.push(
    { role: "assistant", content: first.content },
    { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "sunny" }] },
  );
  const second = await client.messages.create(request);
  return {
    blocks: first.content.map((block) => block.type),
    thought: thought.thinking,
    signed: Boolean(thought.signature),
    call: [call.name, call.input],
    text: textOf(second),
  };
});

add("tools_in_parallel", async () => {
  const request = { ...ask("WEATHER of two cities"), tools: [WEATHER] };
  const first = await client.messages.create({ ...request, tool_choice: { type: "any" } });
  const calls = callsOf(first);
  request.messages.push(
    { role: "assistant", content: first.content },
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: calls[0].id, content: "sunny" },
        { type: "tool_result", tool_use_id: calls[1].id, content: [{ type: "text", text: "no such station" }], is_error: true },
      ],
    },
  );
  const second = await client.messages.create(request);
  return {
    stop: first.stop_reason,
    calls: calls.map((call) => [call.name, call.input]),
    ids_differ: calls[0].id !== calls[1].id,
    text: textOf(second),
  };
});

add("tools_streamed", async () => {
  let pieces = "";
  const stream = client.messages.stream({ ...ask("WEATHER of two cities"), tools: [WEATHER] });
  const final = await stream.on("inputJson", (piece) => (pieces += piece)).finalMessage();
  const calls = callsOf(final).map((call) => [call.name, call.input]);
  return { stop: final.stop_reason, calls, same: pieces === calls.map((call) => JSON.stringify(call[1])).join("") };
});

async function runner(stream) {
  const seen = [];
  const tool = betaZodTool({
    name: "get_weather",
    description: "The weather of a city.",
    inputSchema: z.object({ city: z.string() }),
    run: ({ city }) => {
      seen.push(city);
      return { Paris: "sunny", Rome: "rainy" }[city];
    },
  });
  const messages = [];
  for await (const turn of client.beta.messages.toolRunner({ ...ask("WEATHER of two cities"), tools: [tool], stream }))
    messages.push(stream ? await turn.finalMessage() : turn);
  return { seen: seen.sort(), turns: messages.length, text: textOf(messages.at(-1)) };
}
add("tool_runner", () => runner(false));
add("tool_runner_streamed", () => runner(true));

add("parse", async () => {
  const message = await client.messages.parse({ ...ask("READING of Paris"), output_config: { format: zodOutputFormat(Reading) } });
  return { parsed: message.parsed_output };
});

add("parse_streamed", async () => {
  const stream = client.messages.stream({ ...ask("READING of Paris"), output_config: { format: zodOutputFormat(Reading) } });
  return { parsed: (await stream.finalMessage()).parsed_output };
});

add("count_tokens", async () => {
  const { max_tokens: _, ...request } = ask("SAY it ".repeat(100));
  const count = (await client.messages.countTokens({ ...request, tools: [WEATHER] })).input_tokens;
  return { plausible: count > 200 && count < 800 };
});

add("models", async () => {
  const listed = [];
  for await (const model of client.models.list()) listed.push(model.id);
  const one = await client.models.retrieve(MODEL);
  return { listed: listed.includes(MODEL), id: one.id, type: one.type, name: one.display_name };
});

add("media", async () => {
  const source = async (name, media_type) => ({ type: "base64", media_type, data: await readFile(name, "base64") });
  const parts = [
    { type: "text", text: "SAY what this is" },
    { type: "image", source: await source("red.png", "image/png") },
    { type: "document", source: await source("page.pdf", "application/pdf"), title: "A page" },
  ];
  return summary(await client.messages.create(ask(parts)));
});

add("token_limit", async () => summary(await client.messages.stream(ask("CUT-SHORT please")).finalMessage()));

add("settings", async () => {
  const message = await client.messages.create({
    ...ask("KNOBS all of them"),
    system: [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }],
    temperature: 0.5,
    top_k: 3,
    stop_sequences: ["END"],
    metadata: { user_id: "u-1" },
    tools: [WEATHER],
    tool_choice: { type: "tool", name: "get_weather", disable_parallel_tool_use: true },
  });
  return { blocks: message.content.map((block) => block.type) };
});

add("abandoned", async () => {
  for await (const event of client.messages.stream(ask("ENDLESS talk")))
    if (event.delta?.type === "text_delta") return { first: event.delta.text };
});

add("concurrent", async () => {
  const one = async (n) =>
    n % 2 ? textOf(await client.messages.create(ask("SAY it"))) : client.messages.stream(ask("SAY it")).finalText();
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
      if (!fault.endsWith("_streamed")) return summary(await once.messages.create(request));
      return summary(await once.messages.stream(request).on("text", (piece) => (got += piece)).finalMessage());
    } catch (error) {
      if (error instanceof AnthropicError) return { ...failing(error), got };
      throw error;
    }
  });

add("limit_is_waited_for", async () => ({ text: textOf(await client.messages.create(ask("ONCE-LIMITED, then SAY it"))) }));

add("wrong_key_is_not_retried", async () => {
  try {
    await client.messages.create(ask("FAULT-wrong-key, PATIENTLY"));
  } catch (error) {
    return { raised: error.constructor.name, status: error.status };
  }
});

add("batches", async () => {
  const listed = [];
  for await (const batch of once.messages.batches.list()) listed.push(batch.id);
  return { listed };
});

await main();
