// Vercel's AI SDK on every wire: texts, streams, tool loops, objects, pictures and errors.

import { readFile } from "node:fs/promises";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { KEY, MODEL, URL, add, failing, main } from "./report.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;

const providers = {
  anthropic: createAnthropic({ baseURL: `${URL}/v1`, apiKey: KEY }),
  chat: createOpenAICompatible({
    name: "lingate",
    baseURL: `${URL}/v1`,
    apiKey: KEY,
    includeUsage: true,
    supportsStructuredOutputs: true,
  }),
  responses: createOpenAI({ baseURL: `${URL}/v1`, apiKey: KEY }).responses,
  gemini: createGoogleGenerativeAI({ baseURL: `${URL}/v1beta`, apiKey: KEY }),
};
// What a program that keeps nothing with its provider, and reads thoughts, asks these two for.
const providerOptions = {
  openai: { store: false, reasoningEffort: "high", reasoningSummary: "auto", forceReasoning: true },
  google: { thinkingConfig: { includeThoughts: true } },
};
const tools = {
  get_weather: tool({
    description: "The weather of a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => ({ Paris: "sunny", Rome: "rainy" })[city],
  }),
};
const output = Output.object({ schema: z.object({ city: z.string(), degrees: z.number() }) });
const counts = (usage) => [usage.inputTokens, usage.cachedInputTokens, usage.outputTokens];

// Errors of a stream are parts of it; by default they are also printed.
const quiet = { onError: () => {} };

const cases = {
  async text(model) {
    const { text, usage, finishReason } = await generateText({ model, providerOptions, prompt: "SAY it" });
    return { text, usage: counts(usage), stop: finishReason };
  },

  async stream(model) {
    const result = streamText({ model, providerOptions, prompt: "SAY it", ...quiet });
    const pieces = [];
    for await (const piece of result.textStream) pieces.push(piece);
    return { text: pieces.join(""), usage: counts(await result.usage), streamed: pieces.length > 1 };
  },

  async tools(model) {
    const prompt = "WEATHER of two cities";
    const { text, steps } = await generateText({ model, providerOptions, prompt, tools, stopWhen: stepCountIs(3) });
    return { text, steps: steps.length };
  },

  async tools_streamed(model) {
    const prompt = "THINK first";
    const result = streamText({ model, providerOptions, prompt, tools, stopWhen: stepCountIs(3), ...quiet });
    const kinds = new Set();
    for await (const part of result.fullStream) kinds.add(part.type);
    const thought = (await result.steps)[0].reasoningText;
    return { text: await result.text, thought, failed: kinds.has("error") };
  },

  async object(model) {
    return { parsed: (await generateText({ model, providerOptions, prompt: "READING of Paris", output })).output };
  },

  async picture(model) {
    const content = [
      { type: "text", text: "SAY what this is" },
      { type: "image", image: await readFile("red.png") },
    ];
    return { text: (await generateText({ model, providerOptions, messages: [{ role: "user", content }] })).text };
  },

  async refused(model) {
    const { text } = await generateText({ model, providerOptions, prompt: "FAULT-wrong-key", maxRetries: 0 });
    return { text };
  },

  async overflow(model) {
    const { text } = await generateText({ model, providerOptions, prompt: "FAULT-overflow", maxRetries: 0 });
    return { text };
  },

  async broken(model) {
    const result = streamText({ model, providerOptions, prompt: "FAULT-cut-after-text", maxRetries: 0, ...quiet });
    let got = "";
    let message;
    for await (const part of result.fullStream) {
      if (part.type === "text-delta") got += part.text;
      if (part.type === "error") message = part.error.message ?? JSON.stringify(part.error);
    }
    return { got, message };
  },
};

for (const [wire, provider] of Object.entries(providers))
  for (const [name, run] of Object.entries(cases)) add(`${wire} ${name}`, () => run(provider(MODEL)));

await main();
