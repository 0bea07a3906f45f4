// Google's Gen AI SDK with its chats and functions that it calls itself.

import { readFile } from "node:fs/promises";
import { ApiError, FunctionCallingConfigMode, GoogleGenAI, Type } from "@google/genai";
import { KEY, MODEL, URL, add, main } from "./report.mjs";

const { models, chats } = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: URL, timeout: 30_000 } });
const declaration = {
  name: "get_weather",
  description: "The weather of a city.",
  parameters: {
    type: Type.OBJECT,
    properties: { city: { type: Type.STRING, nullable: true } },
    required: ["city"],
  },
};
const tools = [{ functionDeclarations: [declaration] }];
const thinkingConfig = { includeThoughts: true, thinkingBudget: 2048 };

const ask = (contents, config) => ({ model: MODEL, contents, config });
const said = (text) => ({ role: "user", parts: [{ text }] });
const callsOf = (response) => (response.functionCalls ?? []).map((call) => [call.name, call.args]);
const responseOf = ({ id, name }, output) => ({ functionResponse: { id, name, response: { output } } });
const thoughts = (parts) => parts.map((part) => (part.thought && part.text) || "").join("");
const signed = (parts) => parts.some((part) => part.thoughtSignature);
const summary = (response) => {
  const usage = response.usageMetadata;
  return {
    text: response.text,
    stop: response.candidates[0].finishReason,
    model: response.modelVersion,
    usage: [
      usage.promptTokenCount,
      usage.cachedContentTokenCount,
      usage.candidatesTokenCount,
      usage.totalTokenCount,
    ],
  };
};
/** Its errors hold the whole body in their message. */
const failing = (error) => ({ raised: error.constructor.name, code: error.status, ...told(error.message) });
function told(text) {
  try {
    const { status, message } = JSON.parse(text.slice(text.indexOf("{"))).error;
    return { status, message };
  } catch {
    return { message: text };
  }
}
async function collect(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}
const textOf = (pieces) => pieces.map((piece) => piece.text ?? "").join("");

add("create", async () => summary(await models.generateContent(ask("SAY it"))));

add("create_raw", async () => {
  const { headers } = (await models.generateContent(ask("SAY it"))).sdkHttpResponse;
  return { headers: ["lane", "provider", "attempts"].map((name) => headers[`x-lingate-${name}`]) };
});

add("stream", async () => {
  const pieces = await collect(await models.generateContentStream(ask("SAY it")));
  return { ...summary(pieces.at(-1)), text: textOf(pieces), streamed: pieces.length > 1 };
});

add("tools_in_parallel", async () => {
  const history = [said("WEATHER of two cities")];
  const first = await models.generateContent(ask(history, { tools }));
  const [paris, rome] = first.functionCalls;
  const parts = [responseOf(paris, "sunny"), responseOf(rome, "rainy")];
  history.push(first.candidates[0].content, { role: "user", parts });
  const second = await models.generateContent(ask(history, { tools }));
  return { calls: callsOf(first), text: second.text };
});

add("tools_streamed", async () => {
  const pieces = await collect(await models.generateContentStream(ask("WEATHER of two cities", { tools })));
  return { calls: pieces.flatMap(callsOf), stop: pieces.at(-1).candidates[0].finishReason };
});

add("thinking_goes_round", async () => {
  const history = [said("THINK first")];
  const first = await models.generateContent(ask(history, { tools, thinkingConfig }));
  const { content } = first.candidates[0];
  history.push(content, { role: "user", parts: [responseOf(first.functionCalls[0], "sunny")] });
  const second = await models.generateContent(ask(history, { tools, thinkingConfig }));
  return {
    thought: thoughts(content.parts),
    signed: signed(content.parts),
    calls: callsOf(first),
    text: second.text,
  };
});

add("thinking_in_a_chat", async () => {
  const chat = chats.create({ model: MODEL, config: { tools, thinkingConfig } });
  const pieces = await collect(await chat.sendMessageStream({ message: "THINK first" }));
  const parts = pieces.flatMap((piece) => piece.candidates[0].content.parts ?? []);
  const call = parts.find((part) => part.functionCall).functionCall;
  const last = await collect(await chat.sendMessageStream({ message: [responseOf(call, "sunny")] }));
  return { thought: thoughts(parts), signed: signed(parts), text: textOf(last) };
});

/** With a function that the SDK offers, calls and answers for itself. */
function automatic(prompt, config, isStream) {
  return async () => {
    const seen = [];
    const callable = {
      tool: async () => tools[0],
      callTool: async (calls) =>
        calls.map((call) => {
          seen.push(call.args.city);
          return responseOf(call, { Paris: "sunny", Rome: "rainy" }[call.args.city]);
        }),
    };
    const request = ask(prompt, { ...config, tools: [callable] });
    // What was said beside the calls comes first in a stream.
    const text = isStream
      ? textOf(await collect(await models.generateContentStream(request)))
      : (await models.generateContent(request)).text;
    return { seen: seen.sort(), text };
  };
}
add("functions_called", automatic("WEATHER of two cities", {}, false));
add("functions_called_streamed", automatic("WEATHER of two cities", {}, true));
add("functions_called_while_thinking", automatic("THINK first", { thinkingConfig }, false));

add("parse", async () => {
  const responseSchema = {
    type: Type.OBJECT,
    properties: { city: { type: Type.STRING }, degrees: { type: Type.INTEGER } },
    required: ["city", "degrees"],
  };
  const config = { responseMimeType: "application/json", responseSchema };
  return { parsed: JSON.parse((await models.generateContent(ask("READING of Paris", config))).text) };
});

add("parse_json_schema", async () => {
  const responseJsonSchema = {
    type: "object",
    properties: { city: { type: "string" }, degrees: { type: "integer" } },
    required: ["city", "degrees"],
  };
  const config = { responseMimeType: "application/json", responseJsonSchema };
  return { parsed: JSON.parse((await models.generateContent(ask("READING of Paris", config))).text) };
});

add("count_tokens", async () => {
  const { totalTokens } = await models.countTokens({ model: MODEL, contents: "SAY it" });
  return { plausible: totalTokens > 0 };
});

add("listing", async () => {
  const listed = (await collect(await models.list())).map((model) => model.name);
  const one = await models.get({ model: MODEL });
  return {
    listed: listed.includes(`models/${MODEL}`),
    name: one.name,
    shown: one.displayName,
    input: one.inputTokenLimit,
  };
});

add("media", async () => {
  const part = async (name, mimeType) => ({ inlineData: { mimeType, data: await readFile(name, "base64") } });
  const parts = [
    { text: "SAY what this is" },
    await part("red.png", "image/png"),
    await part("page.pdf", "application/pdf"),
  ];
  return summary(await models.generateContent(ask([{ role: "user", parts }])));
});

add("token_limit", async () => summary(await models.generateContent(ask("CUT-SHORT please", { maxOutputTokens: 5 }))));

add("settings", async () => {
  const only = { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ["get_weather"] };
  const config = {
    systemInstruction: "Be brief.",
    temperature: 0.5,
    topP: 0.9,
    topK: 3,
    maxOutputTokens: 77,
    stopSequences: ["END"],
    seed: 7,
    tools,
    toolConfig: { functionCallingConfig: only },
  };
  return { calls: callsOf(await models.generateContent(ask("KNOBS all of them", config))) };
});

add("abandoned", async () => {
  const left = new AbortController();
  for await (const piece of await models.generateContentStream(ask("ENDLESS talk", { abortSignal: left.signal })))
    if (piece.text) {
      left.abort();
      return { first: piece.text };
    }
});

add("concurrent", async () => {
  const one = async (n) => {
    if (n % 2) return (await models.generateContent(ask("SAY it"))).text;
    return textOf(await collect(await models.generateContentStream(ask("SAY it"))));
  };
  const texts = await Promise.all(Array.from({ length: 16 }, (_, n) => one(n)));
  return { texts: [...new Set(texts)].sort() };
});

for (const fault of process.env.LINGATE_FAULTS.split(" "))
  add(fault, async () => {
    let got = "";
    // A limit holds for its model: the other cases ask for another.
    const model = fault.startsWith("limited") ? `${MODEL}-${fault}` : MODEL;
    const request = { ...ask(`FAULT-${fault}`, { tools }), model };
    try {
      if (!fault.endsWith("_streamed")) return summary(await models.generateContent(request));
      let last;
      for await (const piece of await models.generateContentStream(request)) {
        got += piece.text ?? "";
        last = piece;
      }
      return { ...summary(last), text: got };
    } catch (error) {
      if (error instanceof ApiError) return { ...failing(error), got };
      throw error;
    }
  });

add("limit_is_waited_for", async () => {
  const httpOptions = { retryOptions: { attempts: 2, initialDelay: 1.2, jitter: 0 } };
  return { text: (await models.generateContent(ask("ONCE-LIMITED, then SAY it", { httpOptions }))).text };
});

add("embeddings", async () => {
  try {
    return { got: await models.embedContent({ model: MODEL, contents: "text" }) };
  } catch (error) {
    return failing(error);
  }
});

await main();
