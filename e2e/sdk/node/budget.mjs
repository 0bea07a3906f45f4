// Every official SDK, and Vercel's, against a budget that is spent, with the retries it comes with.

import Anthropic from "@anthropic-ai/sdk";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { GoogleGenAI } from "@google/genai";
import { generateText } from "ai";
import OpenAI from "openai";
import { KEY, MODEL, URL, add, main } from "./report.mjs";

const claude = new Anthropic({ baseURL: URL, apiKey: KEY, timeout: 30_000 });
const gpt = new OpenAI({ baseURL: `${URL}/v1`, apiKey: KEY, timeout: 30_000 });
const { models } = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: URL, timeout: 30_000 } });
const vercel = createOpenAICompatible({ name: "lingate", baseURL: `${URL}/v1`, apiKey: KEY });
const messages = [{ role: "user", content: "hello" }];
const all = async (stream) => {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return { text: JSON.stringify(pieces) };
};

add("anthropic_create", async () => ({ text: await claude.messages.create({ model: MODEL, max_tokens: 10, messages }) }));
add("anthropic_stream", async () => ({
  text: await claude.messages.stream({ model: MODEL, max_tokens: 10, messages }).finalText(),
}));
add("chat_create", async () => ({ text: await gpt.chat.completions.create({ model: MODEL, messages }) }));
add("chat_stream", async () => all(await gpt.chat.completions.create({ model: MODEL, messages, stream: true })));
add("responses_create", async () => ({ text: await gpt.responses.create({ model: MODEL, input: "hello" }) }));
add("responses_stream", async () => all(await gpt.responses.create({ model: MODEL, input: "hello", stream: true })));
add("gemini_generate", async () => ({ text: await models.generateContent({ model: MODEL, contents: "hello" }) }));
add("gemini_stream", async () => all(await models.generateContentStream({ model: MODEL, contents: "hello" })));
add("ai_sdk", async () => ({ text: (await generateText({ model: vercel(MODEL), prompt: "hello" })).text }));

await main();
