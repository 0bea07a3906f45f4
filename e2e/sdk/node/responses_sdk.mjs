// The official OpenAI SDK on Responses with its helpers.

import { readFile } from "node:fs/promises";
import OpenAI, { OpenAIError } from "openai";
import { zodResponsesFunction, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { KEY, MODEL, URL, add, failing, main } from "./report.mjs";

const client = new OpenAI({ baseURL: `${URL}/v1`, apiKey: KEY, timeout: 30_000 });
const once = client.withOptions({ maxRetries: 0 });
const WEATHER = {
  type: "function",
  name: "get_weather",
  description: "The weather of a city.",
  strict: true,
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
};
const NOTE = { type: "custom", name: "note", description: "Keeps a text, just as it is." };
// As agents ask: reasoning comes back with the next request.
const SEALED = { include: ["reasoning.encrypted_content"] };
const THINKING = { ...SEALED, tools: [WEATHER], reasoning: { effort: "high", summary: "auto" } };
const Reading = z.object({ city: z.string(), degrees: z.number() });

const ask = (content) => ({ model: MODEL, store: false, input: [{ role: "user", content }] });
const ofType = (response, type) => response.output.filter((item) => item.type === type);
const callsOf = (response) =>
  ofType(response, "function_call").map((item) => [item.name, JSON.parse(item.arguments)]);
const outputOf = (call, output) => ({ type: "function_call_output", call_id: call.call_id, output });
const summary = ({ output_text, status, model, usage }) => ({
  text: output_text,
  status,
  model,
  usage: [usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens, usage.total_tokens],
});

add("create", async () => {
  const response = await client.responses.create(ask("SAY it"));
  return { ...summary(response), object: response.object, kinds: response.output.map((item) => item.type) };
});

add("create_text_only", async () => summary(await client.responses.create({ ...ask(""), input: "SAY it" })));

add("create_raw", async () => {
  const { response } = await client.responses.create(ask("SAY it")).withResponse();
  const names = ["x-lingate-lane", "x-lingate-provider", "x-lingate-attempts"];
  return { headers: names.map((name) => response.headers.get(name)) };
});

add("stream", async () => {
  const [kinds, pieces, numbers] = [[], [], []];
  let final;
  for await (const event of await client.responses.create({ ...ask("SAY it"), stream: true })) {
    numbers.push(event.sequence_number);
    if (kinds.at(-1) !== event.type) kinds.push(event.type);
    if (event.type === "response.output_text.delta") pieces.push(event.delta);
    if (event.type === "response.completed") final = event.response;
  }
  // The raw event has no `output_text`: the SDK adds it to whole answers only.
  const text = final.output[0].content[0].text;
  return {
    ...summary({ ...final, output_text: text }),
    same: pieces.join("") === text,
    streamed: pieces.length > 1,
    in_order: numbers.every((number, n) => n === 0 || number > numbers[n - 1]),
    kinds: kinds.map((kind) => kind.replace("response.", "")),
  };
});

add("stream_helper", async () => {
  const done = [];
  const stream = client.responses.stream(ask("SAY it"));
  stream.on("response.output_text.done", (event) => done.push(event.text));
  return { ...summary(await stream.finalResponse()), done };
});

add("tools_in_parallel", async () => {
  const request = { ...ask("WEATHER of two cities"), tools: [WEATHER] };
  const first = await client.responses.create({ ...request, tool_choice: "required" });
  const calls = ofType(first, "function_call");
  request.input.push(
    ...first.output,
    outputOf(calls[0], "sunny"),
    outputOf(calls[1], [{ type: "input_text", text: "rainy" }]),
  );
  const second = await client.responses.create(request);
  return {
    status: first.status,
    said: first.output_text,
    calls: callsOf(first),
    ids_differ: calls[0].call_id !== calls[1].call_id,
    text: second.output_text,
  };
});

add("tools_streamed", async () => {
  const done = [];
  const stream = client.responses.stream({ ...ask("WEATHER of two cities"), tools: [WEATHER] });
  stream.on("response.function_call_arguments.done", (event) => done.push(JSON.parse(event.arguments)));
  const final = await stream.finalResponse();
  return { status: final.status, calls: callsOf(final), done };
});

add("reasoning_goes_round", async () => {
  const request = { ...ask("THINK first"), ...THINKING };
  const first = await client.responses.create(request);
  request.input.push(...first.output, outputOf(first.output.at(-1), "sunny"));
  const second = await client.responses.create(request);
  return {
    kinds: first.output.map((item) => item.type),
    thought: first.output[0].summary[0].text,
    sealed: Boolean(first.output[0].encrypted_content),
    calls: callsOf(first),
    text: second.output_text,
  };
});

add("reasoning_streamed", async () => {
  const request = { ...ask("THINK first"), ...THINKING };
  let thought = "";
  const stream = client.responses.stream(request);
  stream.on("response.reasoning_summary_text.delta", (event) => (thought += event.delta));
  const first = await stream.finalResponse();
  request.input.push(...first.output, outputOf(first.output.at(-1), "sunny"));
  const second = await client.responses.stream(request).finalResponse();
  return { thought, sealed: Boolean(first.output[0].encrypted_content), text: second.output_text };
});

add("free_form_tool", async () => {
  const request = { ...ask("FREE-FORM note"), ...SEALED, tools: [NOTE] };
  const first = await client.responses.create(request);
  const call = first.output.at(-1);
  request.input.push(...first.output, { type: "custom_tool_call_output", call_id: call.call_id, output: "kept" });
  const second = await client.responses.create(request);
  return { kind: call.type, name: call.name, input: call.input, text: second.output_text };
});

add("free_form_streamed", async () => {
  let pieces = "";
  const stream = client.responses.stream({ ...ask("FREE-FORM note"), tools: [NOTE] });
  stream.on("response.custom_tool_call_input.delta", (event) => (pieces += event.delta));
  const call = (await stream.finalResponse()).output.at(-1);
  return { kind: call.type, input: call.input, same: pieces === call.input };
});

add("parse", async () => {
  const format = zodTextFormat(Reading, "reading");
  const response = await client.responses.parse({ ...ask("READING of Paris"), text: { format } });
  return { parsed: response.output_parsed };
});

add("parse_streamed", async () => {
  const format = zodTextFormat(Reading, "reading");
  const response = await client.responses.stream({ ...ask("READING of Paris"), text: { format } }).finalResponse();
  return { parsed: response.output_parsed };
});

add("parse_tool", async () => {
  const tool = zodResponsesFunction({ name: "get_weather", parameters: z.object({ city: z.string() }) });
  const response = await client.responses.parse({ ...ask("KNOBS"), tools: [tool] });
  return { city: response.output[0].parsed_arguments.city };
});

add("media", async () => {
  const dataUrl = async (name, kind) => `data:${kind};base64,${await readFile(name, "base64")}`;
  const parts = [
    { type: "input_text", text: "SAY what this is" },
    { type: "input_image", image_url: await dataUrl("red.png", "image/png"), detail: "low" },
    { type: "input_file", filename: "page.pdf", file_data: await dataUrl("page.pdf", "application/pdf") },
  ];
  return summary(await client.responses.create(ask(parts)));
});

add("token_limit", async () => {
  const response = await client.responses.create({ ...ask("CUT-SHORT please"), max_output_tokens: 16 });
  return { text: response.output_text, status: response.status, reason: response.incomplete_details.reason };
});

add("token_limit_streamed", async () => {
  let last;
  const request = { ...ask("CUT-SHORT please"), max_output_tokens: 16, stream: true };
  for await (const event of await client.responses.create(request)) last = event;
  return { last: last.type, reason: last.response.incomplete_details.reason };
});

add("settings", async () => {
  const response = await client.responses.create({
    model: MODEL,
    store: false,
    instructions: "Be brief.",
    input: [
      { role: "developer", content: "In English." },
      { role: "user", content: "KNOBS all of them" },
    ],
    temperature: 0.5,
    top_p: 0.9,
    max_output_tokens: 77,
    metadata: { team: "a" },
    prompt_cache_key: "k-1",
    tools: [WEATHER],
    tool_choice: { type: "function", name: "get_weather" },
    parallel_tool_calls: false,
    ...SEALED,
  });
  return { calls: callsOf(response) };
});

add("kept_by_a_provider", async () =>
  summary(await once.responses.create({ ...ask("SAY it"), previous_response_id: "resp_1" })),
);
add("background", async () => summary(await once.responses.create({ ...ask("SAY it"), background: true })));
add("retrieve", async () => ({ status: (await once.responses.retrieve("resp_1")).status }));

add("abandoned", async () => {
  for await (const event of await client.responses.create({ ...ask("ENDLESS talk"), stream: true }))
    if (event.type === "response.output_text.delta") return { first: event.delta };
});

add("concurrent", async () => {
  const one = async (n) => {
    if (n % 2) return (await client.responses.create(ask("SAY it"))).output_text;
    return (await client.responses.stream(ask("SAY it")).finalResponse()).output_text;
  };
  const texts = await Promise.all(Array.from({ length: 16 }, (_, n) => one(n)));
  return { texts: [...new Set(texts)].sort() };
});

for (const fault of process.env.LINGATE_FAULTS.split(" "))
  add(fault, async () => {
    let got = "";
    let failed;
    try {
      const request = { ...ask(`FAULT-${fault}`), tools: [{ ...WEATHER, strict: false }] };
      // A limit holds for its model: the other cases ask for another.
      if (fault.startsWith("limited")) request.model = `${MODEL}-${fault}`;
      if (!fault.endsWith("_streamed")) return summary(await once.responses.create(request));
      const stream = once.responses.stream(request);
      for await (const event of stream) {
        if (event.type === "response.output_text.delta") got += event.delta;
        // A failure in the stream is an event to this SDK; a bare `error` is thrown as it is.
        if (event.type === "response.failed") failed = event.response.error;
      }
      if (!failed) return summary(await stream.finalResponse());
      return { raised: "response.failed", ...failed, got };
    } catch (error) {
      if (error instanceof OpenAIError) return { ...failing(error), got };
      if (error.type !== "error") throw error;
      return { raised: "error", code: error.code, message: error.message, got };
    }
  });

add("limit_is_waited_for", async () => ({
  text: (await client.responses.create(ask("ONCE-LIMITED, then SAY it"))).output_text,
}));

add("wrong_key_is_not_retried", async () => {
  try {
    await client.responses.create(ask("FAULT-wrong-key, PATIENTLY"));
  } catch (error) {
    return { raised: error.constructor.name, status: error.status };
  }
});

await main();
