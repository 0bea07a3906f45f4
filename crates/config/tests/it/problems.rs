//! Every problem of a text at once, exactly as a person sees it.

use insta::assert_snapshot;

use lingate_config::{Config, LoadOptions};

use crate::support::{environment, load, problems};

const VARIABLES: &[(&str, &str)] = &[
    ("OPENROUTER_API_KEY", "sk-or"),
    ("SECRET", "sk-very-secret"),
];

/// A text that is not TOML shows only that: the rest cannot be judged.
#[test]
fn unclosed_string() {
    let text = r##"
default = "kimi
"##
    .trim_start();
    assert_snapshot!(problems(text, VARIABLES), @r##"
    lingate.toml:1: invalid basic string, expected `"`
    "##);
}

/// The source line is never quoted: it may hold a key.
#[test]
fn syntax() {
    let text = r##"
a = 1
a = 2
[providers.x]
api_key = "sk-super" oops
"##
    .trim_start();
    assert_snapshot!(problems(text, VARIABLES), @r##"
    lingate.toml:2: duplicate key `a`
    lingate.toml:4: unexpected key or value, expected newline, `#`
    "##);
}

/// At every level, with the nearest known key or all of them.
#[test]
fn unknown_keys() {
    let text = r##"
defualt = "demo"
[servr]
[server]
lisen = "1"
[failover.breaker]
opn = "1s"
zzz = 1
[providers.moonshot]
api_key = "k"
timeouts = { conect = "3s" }
"##
    .trim_start();
    assert_snapshot!(problems(text, VARIABLES), @r##"
    lingate.toml:1: unknown key `defualt`
      hint: did you mean `default`?
    lingate.toml:2: unknown key `servr`
      hint: did you mean `server`?
    lingate.toml:4: unknown key `lisen` in `server`
      hint: did you mean `listen`?
    lingate.toml:6: unknown key `opn` in `failover.breaker`
      hint: did you mean `open`?
    lingate.toml:7: unknown key `zzz` in `failover.breaker`
      hint: known keys: consecutive, open, open_max, ratio, window
    lingate.toml:10: unknown key `conect` in `providers.moonshot.timeouts`
      hint: did you mean `connect`?
    "##);
}

/// Enums, bounds, kinds and formats.
#[test]
fn provider_values() {
    let text = r##"
[providers.moonshot]
api_key = "k"
pool = "fil_first"
speaks = ["chatt"]
http = "2"
cache_hints = "no"
quirks = ["kimi-k3", "moonshot"]
concurrency = 0
enabled = "yes"
auth = "bear"
timeouts = { connect = "3", headers = "none" }
"##
    .trim_start();
    assert_snapshot!(problems(text, VARIABLES), @r##"
    lingate.toml:3: `providers.moonshot.pool`: `fil_first` is not one of `fill_first`, `round_robin`, `least_used` or `random`
      hint: did you mean `fill_first`?
    lingate.toml:4: `providers.moonshot.speaks[0]`: `chatt` is not one of `chat`, `anthropic`, `responses` or `gemini`
      hint: did you mean `chat`?
    lingate.toml:5: `providers.moonshot.http`: `2` is not one of `auto` or `1`
      hint: did you mean `1`?
    lingate.toml:6: `providers.moonshot.cache_hints`: `no` is not one of `none`, `openai` or `anthropic`
    lingate.toml:7: no quirk `kimi-k3`
      hint: did you mean `kimi-k2`?
    lingate.toml:8: `providers.moonshot.concurrency` must be at least 1
    lingate.toml:9: `providers.moonshot.enabled` must be true or false, not a string
    lingate.toml:10: `providers.moonshot.auth`: `bear` is not one of `bearer`, `x-api-key`, `both`, `gcp`, `none` or `client`
      hint: did you mean `bearer`?
    lingate.toml:11: `providers.moonshot.timeouts.connect`: `3` is not a duration
      hint: write a whole number and its unit: `250ms`, `30s`, `5m`, `2h`
    "##);
}

/// A key in the place of its hash is not shown; a key that is wrong still counts as named.
#[test]
fn server_and_keys() {
    let text = r##"
[server]
listen = "localhost:80"
drain = "10 minutes"
max_body = "big"
hosts = ["http://x"]
admin_keys = ["bob"]
[keys.alice]
secret = "sk-my-real-key"
budget = { day = "20 EUR" }
[keys.bob]
models = ["x"]
"##
    .trim_start();
    assert_snapshot!(problems(text, VARIABLES), @r##"
    lingate.toml:2: `server.listen`: `localhost:80` is not an address
      hint: write `IP:PORT`, as in `127.0.0.1:8484` or `[::1]:8484`
    lingate.toml:3: `server.drain`: `10 minutes` is not a duration
      hint: write a whole number and its unit: `250ms`, `30s`, `5m`, `2h`
    lingate.toml:4: `server.max_body`: `big` is not a size
      hint: write a whole number and its unit: `512KiB`, `32MiB`, `5GiB`
    lingate.toml:5: `server.hosts`: `http://x` is not a host name
      hint: write the name alone, as in `gateway.example.com`
    lingate.toml:8: `keys.alice.secret` is not `sha256:` and 64 hexadecimal digits
      hint: `lingate keys add NAME` makes a key and writes its hash into this file
    lingate.toml:9: `keys.alice.budget.day`: `20 EUR` is not a budget in US dollars
      hint: write an amount with at most 6 decimals and `USD`: `20 USD`, `0.50 USD`; prices are in dollars, so no other currency is known
    lingate.toml:10: `keys.bob` needs a key `secret`
    "##);
}

#[test]
fn record_and_log() {
    let text = r##"
[record]
keep_bytes = 5
keep_days = 0
dir = "data"
bodies = "all"
[log]
level = "verbose"
"##
    .trim_start();
    assert_snapshot!(problems(text, VARIABLES), @r##"
    lingate.toml:2: `record.keep_bytes` must be a string, not an integer
    lingate.toml:3: `record.keep_days` must be at least 1
    lingate.toml:4: `record.dir`: `data` is relative
      hint: write an absolute path, or one that starts with `~/`
    lingate.toml:5: `record.bodies`: `all` is not one of `full`, `errors`, `metadata` or `off`
    lingate.toml:7: `log.level`: `verbose` is not one of `error`, `warn`, `info`, `debug` or `trace`
    "##);
}

#[test]
fn off_loopback() {
    let text = r##"
[server]
listen = "0.0.0.0:8484"
"##
    .trim_start();
    assert_snapshot!(problems(text, VARIABLES), @r##"
    lingate.toml:2: listening on 0.0.0.0:8484 needs client keys
      hint: `lingate keys add NAME` makes one
    lingate.toml:2: listening on 0.0.0.0:8484 needs `server.hosts`
      hint: list the names clients use: `hosts = ["gateway.example.com"]` under `[server]`
    "##);
}

#[test]
fn models() {
    let text = r##"
[models.kimi]
targets = ["moonshot/kimi-k2.6", "openroutr/x", "kimi", { to = "openrouter/y", wieght = 2 }, 3]
context = "automatic"
temperature = "hot"
max_output = -1
input = ["text", "pictures"]
images = "drop"
overflow = "kimmi"
price = { input = "0,60", output = "2.1234567" }
[models.demo]
targets = ["openrouter/x"]
[models.none]
targets = []
[models.lost]
name = "x"
"##
    .trim_start();
    assert_snapshot!(problems(text, VARIABLES), @r##"
    lingate.toml:2: unknown key `wieght` in `models.kimi.targets[3]`
      hint: did you mean `weight`?
    lingate.toml:2: `models.kimi.targets[4]` must be a string or a table, not an integer
    lingate.toml:2: no provider `moonshot`
      hint: it is a preset: set `MOONSHOT_API_KEY`, or add `[providers.moonshot]`
    lingate.toml:2: no provider `openroutr`
      hint: did you mean `openrouter`?
    lingate.toml:2: target `kimi` is not `provider/model`
    lingate.toml:3: `models.kimi.context`: `automatic` is not `auto`, nor an integer
      hint: did you mean `auto`?
    lingate.toml:4: `models.kimi.temperature`: `hot` is not one of `client` or `omit`, nor a number
    lingate.toml:5: `models.kimi.max_output` must be at least 1
    lingate.toml:6: `models.kimi.input[1]`: `pictures` is not one of `text`, `image`, `document`, `audio` or `video`
    lingate.toml:7: `models.kimi.images`: `drop` says nothing
      hint: write `omit` or `route:MODEL`
    lingate.toml:8: `models.kimi.overflow`: no model `kimmi`
      hint: did you mean `kimi`?
    lingate.toml:9: `models.kimi.price.input`: `0,60` is not a price
      hint: write US dollars per million tokens with at most 6 decimals: `0.60`
    lingate.toml:9: `models.kimi.price.output`: `2.1234567` is not a price
      hint: write US dollars per million tokens with at most 6 decimals: `0.60`
    lingate.toml:10: model `demo` is built in
      hint: choose another name
    lingate.toml:13: model `none` has no targets
      hint: list at least one `provider/model`
    lingate.toml:14: `models.lost` needs a key `targets`
    "##);
}

/// What stands for another name must lead to something.
#[test]
fn references() {
    let text = r##"
default = "kimii"
small = "nope/x"
[models.kimi]
targets = ["openrouter/x"]
[aliases]
"a*b*" = "kimi"
"c" = "d"
"d" = "c"
"e" = "kimi*x*"
"f" = "nothing"
[[rules]]
when = { class = "sub", profile = "taem", modle = "x" }
use = "kimi"
[[rules]]
use = "kimi"
[profiles.team]
default = "kimmi"
[profiles.v1]
"##
    .trim_start();
    assert_snapshot!(problems(text, VARIABLES), @r##"
    lingate.toml:1: `default`: no model `kimii`
      hint: did you mean `kimi`?
    lingate.toml:2: `small`: no provider `nope`
    lingate.toml:6: alias `a*b*` has more than one `*`
    lingate.toml:7: `aliases.c` leads back to itself
    lingate.toml:8: `aliases.d` leads back to itself
    lingate.toml:9: alias `kimi*x*` uses `*` more than once
    lingate.toml:10: `aliases.f`: no model `nothing`
      hint: name a model of `[models]`, or `provider/model`
    lingate.toml:12: `rules[0].when.class`: `sub` is not one of `main`, `subagent` or `auxiliary`
      hint: did you mean `subagent`?
    lingate.toml:12: unknown key `modle` in `rules[0].when`
      hint: did you mean `model`?
    lingate.toml:12: no profile `taem`
      hint: did you mean `team`?
    lingate.toml:14: `rules[1]` needs a key `when`
    lingate.toml:17: `profiles.team.default`: no model `kimmi`
      hint: did you mean `kimi`?
    lingate.toml:18: `v1` cannot be a profile's name
      hint: use letters, digits, `-`, `_` and `.`, and no name the gateway's own paths start with
    "##);
}

/// A provider that is wrong is still a provider: its targets raise no problem of their own.
#[test]
fn providers() {
    let text = r##"
[providers.moonshoot]
api_key = "k"
[providers."a/b"]
base_url = "http://x"
[providers.demo]
[providers.mine]
preset = "moonshots"
[providers.groq]
[providers.deepseek]
base_url = "https://api.deepseek.com.evil.test"
[providers.own]
base_url = "ftp://x"
[providers.own2]
base_url = { chat = "https://user:pw@x/v1", antropic = "x" }
[providers.own3]
base_url = { chat = "https://x/v1" }
speaks = ["anthropic", "chat"]
[providers.own4]
base_url = 3
auth = "bearer"
proxy = "not a url"
headers = { "bad name" = "x", host = "x", ok = "a\nb" }
paths = { chat = "no-slash" }
"##
    .trim_start();
    assert_snapshot!(problems(text, VARIABLES), @r##"
    lingate.toml:1: provider `moonshoot` has no `base_url`
      hint: did you mean `moonshot`? A preset brings its own
    lingate.toml:3: `a/b` cannot be a provider's id
      hint: use letters, digits, `-`, `_` and `.`, and not `demo`, which is built in
    lingate.toml:5: `demo` cannot be a provider's id
      hint: use letters, digits, `-`, `_` and `.`, and not `demo`, which is built in
    lingate.toml:7: no preset `moonshots`
      hint: did you mean `moonshot` or `moonshot-cn`?
    lingate.toml:8: no key for provider `groq`
      hint: set `GROQ_API_KEY`, write `api_key`, or write `enabled = false`
    lingate.toml:9: no key for provider `deepseek`
      hint: write `api_key`; keys of the environment are not sent to api.deepseek.com.evil.test, which is not the provider's own host
    lingate.toml:12: `providers.own.base_url`: `ftp://x` must start with `https://` or `http://`
      hint: write it like `https://api.example.com/v1`
    lingate.toml:14: `providers.own2.base_url.chat` holds a user name or password
      hint: use `api_key`
    lingate.toml:14: unknown key `antropic` in `providers.own2.base_url`
      hint: did you mean `anthropic`?
    lingate.toml:16: provider `own3` speaks `anthropic` but has no base URL for it
      hint: add `base_url.anthropic`, or take `anthropic` out of `speaks`
    lingate.toml:18: no key for provider `own4`
      hint: write `api_key`, or `auth = "none"`
    lingate.toml:19: `providers.own4.base_url` must be a string or a table, not an integer
    lingate.toml:21: `providers.own4.proxy` is not a URL
      hint: write it like `http://proxy.example.com:3128`
    lingate.toml:22: `bad name` is not a header's name
    lingate.toml:22: header `host` is set by the gateway
      hint: leave it out
    lingate.toml:22: `providers.own4.headers.ok` holds a character that no header may hold
    "##);
}

/// Values of variables and files are never shown, only their references.
#[test]
fn keys_and_references_to_values() {
    let text = r##"
[providers.moonshot]
api_keys = ["sk-kimi-1", "sk-2"]
[providers.x]
base_url = "http://127.0.0.1:8484/v1"
api_key = "${UNSET_KEY}"
[providers.y]
base_url = "${SECRET}"
pool = "${SECRET}"
api_key = "${file:/etc/none}"
[providers.z]
base_url = "http://x"
api_key = "${bad name}"
headers = { a = "${OPEN" }
body = { t = 2026-01-01, n = 1e400 }
"##
    .trim_start();
    assert_snapshot!(problems(text, VARIABLES), @r##"
    lingate.toml:2: provider `moonshot` has keys of `kimi-coding` and of `moonshot`
      hint: move those of `kimi-coding` to `[providers.kimi-coding]`
    lingate.toml:4: provider `x` points at lingate's own address 127.0.0.1:8484
      hint: give it the upstream's `base_url`
    lingate.toml:5: `providers.x.api_key`: environment variable `UNSET_KEY` is not set
      hint: set it, or give a default: `${UNSET_KEY:-...}`
    lingate.toml:7: `providers.y.base_url`: `${SECRET}` must start with `https://` or `http://`
      hint: write it like `https://api.example.com/v1`
    lingate.toml:8: `providers.y.pool`: `${SECRET}` is not one of `fill_first`, `round_robin`, `least_used` or `random`
    lingate.toml:9: `providers.y.api_key`: cannot read `/etc/none`: entity not found
    lingate.toml:12: `providers.z.api_key`: `bad name` is not a variable's name
      hint: use `${NAME}`, `${NAME:-default}` or `${file:PATH}`; `$${` for a literal `${`
    lingate.toml:13: `providers.z.headers.a`: `${` without a closing `}`
      hint: write `$${` for a literal `${`
    lingate.toml:14: `providers.z.body.t`: no key takes a date
    lingate.toml:14: `providers.z.body.n`: not a finite number
    "##);
}

/// Values of variables stay out of messages that speak of a part of them.
#[test]
fn parts_of_values_are_concealed() {
    let text = "default = \"${SECRET}\"\nsmall = \"${SECRET}/x\"\n[models.a]\ntargets = [\"${SECRET}/x\", \"x-${SECRET}\"]\n";
    assert_snapshot!(problems(text, VARIABLES), @r##"
    lingate.toml:1: `default`: no model `${SECRET}`
      hint: name a model of `[models]`, or `provider/model`
    lingate.toml:2: `small`: no provider `${SECRET}`
    lingate.toml:4: no provider `${SECRET}`
      hint: add `[providers.${SECRET}]`
    lingate.toml:4: target `x-${SECRET}` is not `provider/model`
    "##);
}

#[test]
fn missing_file() {
    let path = Some("/etc/lingate.toml".into());
    let options = LoadOptions {
        path,
        ..LoadOptions::default()
    };
    let problems = Config::load(&options, &environment(&[]))
        .err()
        .map(|problems| problems.to_string());
    assert_snapshot!(problems.unwrap_or_default(), @r##"
    /etc/lingate.toml: cannot read the configuration: entity not found
      hint: `lingate init` writes one
    "##);
}

/// What works but should be looked at.
#[test]
fn warnings() {
    let text = r#"
default = "off/x"
[providers.plain]
base_url = "http://api.example.com"
api_key = "k"
[providers.alike]
base_url = "https://api.kimi.com.evil.test/coding"
auth = "none"
[providers.off]
base_url = "https://api.example.com"
enabled = false
[models.spread]
targets = ["plain/x"]
strategy = "random"
[models.small]
targets = ["plain/y"]
context = 1000
overflow = "large"
[models.large]
targets = ["plain/z"]
context = 1000
"#
    .trim_start();
    let config = load(text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert_snapshot!(warnings.join("\n"), @r##"
    lingate.toml:1: `default`: every provider of `off/x` is disabled
      hint: enable one of its providers
    lingate.toml:3: provider `plain` sends its key to api.example.com unencrypted
      hint: use `https://`
    lingate.toml:6: provider `alike` sends requests to api.kimi.com.evil.test, which is not api.kimi.com
    lingate.toml:13: model `spread`: this strategy changes targets within a session and loses prompt caches
      hint: `ordered` and `spread` keep a session where it is
    lingate.toml:17: `large` has a context of 1000 tokens, no more than `small` with 1000
      hint: name a model with a larger context
    "##);
}
