// A page in the user's browser attacks the gateway at $LINGATE_URL by every way a browser offers.
//
// Two pages try: one of a foreign site that asks for loopback, and one whose own name was rebound to loopback after it
// had loaded, so that the browser takes the gateway for the page's own server. Prints one JSON object:
// `{"control": STATUS, "attacks": [{"page", "attack", "got"}]}`, where `got` is what the page could read of an answer
// (null for nothing) and `control` the status of a navigation by the user himself.
import { createRequire } from "node:module";

const require = createRequire(process.env.PLAYWRIGHT + "/");
const { chromium } = require("playwright-core");

const gateway = new URL(process.env.LINGATE_URL);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    // The gateway has to hold without the help of newer browsers.
    "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,HttpsUpgrades",
    "--host-resolver-rules=MAP evil.test 127.0.0.1, MAP foreign.test 127.0.0.1",
  ],
});

const pages = [
  { page: "foreign", at: `http://foreign.test:9/page`, target: gateway.origin },
  { page: "foreign, by name", at: `http://foreign.test:9/page`, target: `http://localhost:${gateway.port}` },
  { page: "rebound", at: `http://evil.test:${gateway.port}/page`, target: `http://evil.test:${gateway.port}` },
];
const attacks = [];
for (const { page: name, at, target } of pages) {
  const page = await (await browser.newContext()).newPage();
  // The page itself comes from the attacker's server, before its name is rebound.
  await page.route(at, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><body></body>" }));
  await page.goto(at);
  for (const [attack, got] of await page.evaluate(attackAll, target)) attacks.push({ page: name, attack, got });
}
const user = await (await browser.newContext()).newPage();
const control = (await user.goto(`${gateway.origin}/health`)).status();
await browser.close();
console.log(JSON.stringify({ control, attacks }));

// Runs in the page.
async function attackAll(target) {
  const paths = ["/", "/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions", "/v1/models", "/health",
    "/metrics", "/api/default", "/api/stop?now", "/api/lease"];
  const json = '{"model":"mock","max_tokens":9,"messages":[{"role":"user","content":"spend"}]}';
  const within = (promise) => Promise.race([promise, new Promise((done) => setTimeout(done, 3000, null))]);
  // Our own refusal says nothing that the page did not know.
  const read = async (response) =>
    response.ok ? `${response.status} ${(await response.text()).slice(0, 200)}` : null;
  const by = (url, options) => fetch(url, options).then(read).catch(() => null);
  const element = (tag, url, change = () => {}) =>
    new Promise((done) => {
      const it = document.createElement(tag);
      it.onload = () => {
        let got = null;
        if (tag !== "iframe") got = "loaded";
        // A refused document is an error page: readable only for the page's own origin, and then a refusal.
        else try { got = it.contentDocument?.body?.innerText ?? null; } catch { got = null; }
        done(got && /misdirected|not use this gateway|this gateway is not/i.test(got) ? null : got || null);
      };
      it.onerror = () => done(null);
      change(it);
      it.src = url;
      document.body.append(it);
    });
  const form = (url, type) =>
    new Promise((done) => {
      const frame = document.createElement("iframe");
      frame.name = `frame${Math.random()}`;
      document.body.append(frame);
      const it = document.createElement("form");
      Object.assign(it, { action: url, method: "POST", enctype: type, target: frame.name });
      const field = document.createElement("input");
      // As text/plain this is `{"...":"=..."}`: JSON.
      field.name = json.slice(0, -1) + ',"x":"';
      field.value = '"}';
      it.append(field);
      document.body.append(it);
      frame.onload = () => {
        let got = null;
        try { got = frame.contentDocument?.body?.innerText || null; } catch { got = null; }
        done(got && /this gateway/i.test(got) ? null : got);
      };
      it.submit();
    });

  const all = [];
  const add = (attack, promise) => all.push(within(promise).then((got) => [attack, got]));
  for (const path of paths) {
    const url = target + path;
    const post = { method: "POST", body: json };
    add(`fetch ${path}`, by(url));
    add(`fetch no-cors ${path}`, by(url, { mode: "no-cors" }));
    add(`fetch with credentials ${path}`, by(url, { credentials: "include" }));
    add(`post json ${path}`, by(url, { ...post, headers: { "content-type": "application/json" } }));
    add(`post text ${path}`, by(url, { ...post, headers: { "content-type": "text/plain" } }));
    add(`post no-cors ${path}`, by(url, { ...post, mode: "no-cors" }));
    add(`post with a key ${path}`, by(url, { ...post, headers: { "x-api-key": "x", "content-type": "application/json" } }));
    add(`beacon ${path}`, Promise.resolve((navigator.sendBeacon(url, new Blob([json], { type: "text/plain" })), null)));
    add(`beacon json ${path}`, Promise.resolve((navigator.sendBeacon(url, new Blob([json], { type: "application/json" })), null)));
    add(`form ${path}`, form(url, "text/plain"));
    add(`form, multipart ${path}`, form(url, "multipart/form-data"));
    add(`iframe ${path}`, element("iframe", url));
    add(`img ${path}`, element("img", url));
    add(`script ${path}`, element("script", url));
    add(`module ${path}`, element("script", url, (it) => { it.type = "module"; }));
    add(`event source ${path}`, new Promise((done) => {
      const source = new EventSource(url);
      source.onopen = () => done("open");
      source.onmessage = (event) => done(event.data);
      source.onerror = () => { source.close(); done(null); };
    }));
    add(`web socket ${path}`, new Promise((done) => {
      const socket = new WebSocket(url.replace(/^http/, "ws"));
      socket.onopen = () => done("open");
      socket.onmessage = (event) => done(String(event.data));
      socket.onerror = socket.onclose = () => done(null);
    }));
    add(`XMLHttpRequest ${path}`, new Promise((done) => {
      const it = new XMLHttpRequest();
      it.onload = () => done(it.status < 300 ? it.responseText : null);
      it.onerror = () => done(null);
      it.open("POST", url);
      it.send(json);
    }));
  }
  return Promise.all(all);
}
