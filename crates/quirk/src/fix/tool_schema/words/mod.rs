//! Hosts that take JSON Schema but for single words, which cost the whole request.
//!
//! A schema without such words keeps its bytes. What a word demanded is demanded by the client's own check of the call
//! all the same; the model is only not told. `rules` holds what can be done about a word; the hosts are here.

mod rules;

use lingate_wire::Wire;
use lingate_wire::turn::{ToolChoice, Turn};

use self::rules::{Formats, Rules};
use super::replace_schemas;
use crate::quirk::{Evidence, Quirk};

/// llama.cpp makes a grammar of every schema.
pub(crate) const GRAMMAR_SCHEMA: Quirk = Quirk {
    name: "grammar-tool-schema",
    groups: &["llama-cpp"],
    summary: "The server turns every tool's schema into a grammar, called or not, and refuses the request for a `pattern` \
              that is not anchored or has escapes, for `not`, and for lengths and counts above 2000. Those words are left \
              out.",
    evidence: &[
        Evidence {
            source: "400 `JSON schema conversion failed: Pattern must start with '^' and end with '$'` \
                     (ggml-org/llama.cpp issue 26930); nested patterns, issue 25895",
            date: "2026-08-11",
        },
        Evidence {
            source: "unslothai/unsloth pull 7512 (`maxLength: 65536`)",
            date: "2026-07-27",
        },
    ],
    matters_to_translated_only: true,
    request: Some(|turn, _, _| {
        const RULES: Rules = Rules {
            dropped: &["pattern", "not"],
            largest_bound: Some(2000),
            ..Rules::NONE
        };
        rewrite(turn, &RULES)
    }),
    ..Quirk::EMPTY
};

/// OpenAI's functions are objects, and nothing else at the top.
pub(crate) const OPENAI_SCHEMA: Quirk = Quirk {
    name: "openai-tool-schema",
    groups: &["openai", "openrouter"],
    summary: "The schema of a tool has to be an object, without `oneOf`, `anyOf`, `allOf`, `enum`, `const` or `not` at the \
              top, and an array has to say its `items`. Alternatives at the top are folded into one object with the \
              properties of all.",
    evidence: &[
        Evidence {
            source: "400 `schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level` \
                     (langchain-ai/langchainjs issue 9804)",
            date: "2026-08-12",
        },
        Evidence {
            source: "400 `array schema missing items`",
            date: "2025-11",
        },
    ],
    matters_to_translated_only: true,
    request: Some(|turn, _, _| {
        const RULES: Rules = Rules {
            has_plain_root: true,
            says_items: true,
            ..Rules::NONE
        };
        rewrite(turn, &RULES)
    }),
    ..Quirk::EMPTY
};

/// Anthropic's tools as well.
pub(crate) const ANTHROPIC_SCHEMA: Quirk = Quirk {
    name: "anthropic-tool-schema",
    groups: &["anthropic"],
    summary: "The schema of a tool has to be an object, without `oneOf`, `allOf` or `anyOf` at the top. Alternatives there \
              are folded into one object with the properties of all.",
    evidence: &[Evidence {
        source: "400 `input_schema does not support oneOf, allOf, or anyOf at the top level` \
                 (anthropics/claude-code issue 44788)",
        date: "2026-04-07",
    }],
    wire: Wire::Anthropic,
    matters_to_translated_only: true,
    request: Some(|turn, _, _| {
        const RULES: Rules = Rules {
            has_plain_root: true,
            ..Rules::NONE
        };
        rewrite(turn, &RULES)
    }),
    ..Quirk::EMPTY
};

/// Groq reads what belongs together.
pub(crate) const GROQ_SCHEMA: Quirk = Quirk {
    name: "groq-tool-schema",
    groups: &["groq"],
    summary: "`required` without `properties` beside it is an error. It is left out.",
    evidence: &[Evidence {
        source: "400 `invalid JSON schema for tool ...: 'required' present but 'properties' is missing` \
                 (usestrix/strix issues 1088, 1204)",
        date: "2026-08-31",
    }],
    matters_to_translated_only: true,
    request: Some(|turn, _, _| {
        const RULES: Rules = Rules {
            has_no_bare_required: true,
            ..Rules::NONE
        };
        rewrite(turn, &RULES)
    }),
    ..Quirk::EMPTY
};

/// Fireworks makes a grammar of the schemas.
pub(crate) const FIREWORKS_SCHEMA: Quirk = Quirk {
    name: "fireworks-tool-schema",
    groups: &["fireworks"],
    summary: "`pattern`, `title`, a `default` of `null`, and alternatives that only say `required` are errors. They are \
              left out.",
    evidence: &[
        Evidence {
            source: "BerriAI/litellm pull 37453 (reported with Claude Code and kimi-k3)",
            date: "2026-08-19",
        },
        Evidence {
            source: "400 `JSON Schema not supported: could not understand the instance` (earendil-works/pi issue 5352)",
            date: "2026-06-03",
        },
    ],
    matters_to_translated_only: true,
    request: Some(|turn, _, _| {
        const RULES: Rules = Rules {
            dropped: &["pattern", "title"],
            has_no_null_default: true,
            has_no_bare_required: true,
            ..Rules::NONE
        };
        rewrite(turn, &RULES)
    }),
    ..Quirk::EMPTY
};

/// Cerebras.
pub(crate) const CEREBRAS_SCHEMA: Quirk = Quirk {
    name: "cerebras-tool-schema",
    groups: &["cerebras"],
    summary: "Bounds of lengths and counts, `pattern` and `format` are errors, and an object has to say \
              `additionalProperties: false`. The words are left out, and objects that name their properties are closed.",
    evidence: &[
        Evidence {
            source: "elizaOS/eliza pull 11156, which tried each word",
            date: "2026-07-02",
        },
        Evidence {
            source: "theopenco/llmgateway pull 1455",
            date: "2026-01-15",
        },
    ],
    matters_to_translated_only: true,
    request: Some(|turn, _, _| {
        const RULES: Rules = Rules {
            dropped: &[
                "minItems",
                "maxItems",
                "minLength",
                "maxLength",
                "minProperties",
                "maxProperties",
                "pattern",
                "format",
            ],
            has_closed_objects: true,
            ..Rules::NONE
        };
        rewrite(turn, &RULES)
    }),
    ..Quirk::EMPTY
};

/// Gemini behind OpenAI's wire.
pub(crate) const GEMINI_SCHEMA: Quirk = Quirk {
    name: "gemini-tool-schema",
    groups: &["gemini-chat"],
    summary: "Function declarations are a small subset of OpenAPI, and the first unknown word costs the request. \
              References are put in place, `const` becomes `enum`, `oneOf` becomes `anyOf`, exclusive bounds become \
              plain ones, and what has no equal is left out.",
    evidence: &[
        Evidence {
            source: "400 `Unknown name \"exclusiveMinimum\" at 'tools[0].function_declarations[6]...': Cannot find field.` \
                     (pizza-bot-app/pizza-bot issue 62)",
            date: "2026-09-07",
        },
        Evidence {
            source: "the same for `$schema`, `additionalProperties`, `propertyNames` (openswarm-ai/openswarm issue 24), \
                     `const` (receptron/mulmocast-app issue 934)",
            date: "2026-05-06",
        },
    ],
    matters_to_translated_only: true,
    request: Some(|turn, _, _| {
        const RULES: Rules = Rules {
            dropped: &[
                "$schema",
                "$id",
                "$comment",
                "additionalProperties",
                "unevaluatedProperties",
                "patternProperties",
                "propertyNames",
                "dependentRequired",
                "dependentSchemas",
                "multipleOf",
                "uniqueItems",
                "contains",
                "minContains",
                "maxContains",
                "prefixItems",
                "examples",
                "not",
                "if",
                "then",
                "else",
            ],
            formats: Formats::Only(&["enum", "date-time", "int32", "int64", "float", "double"]),
            has_inline_refs: true,
            is_openapi: true,
            ..Rules::NONE
        };
        rewrite(turn, &RULES)
    }),
    ..Quirk::EMPTY
};

/// vLLM's grammar engine, which only forced calls meet.
pub(crate) const VLLM_SCHEMA: Quirk = Quirk {
    name: "vllm-tool-schema",
    groups: &["vllm"],
    summary: "A forced call is bound by a grammar, and a server that is set to `xgrammar` refuses the words that it has \
              no grammar for. In requests that force a call they are left out.",
    evidence: &[Evidence {
        source: "vLLM, structured_output/backend_xgrammar.py, has_xgrammar_unsupported_json_features",
        date: "2026-11",
    }],
    matters_to_translated_only: true,
    request: Some(|turn, params, _| {
        const RULES: Rules = Rules {
            dropped: &[
                "multipleOf",
                "uniqueItems",
                "contains",
                "minContains",
                "maxContains",
                "patternProperties",
                "propertyNames",
            ],
            formats: Formats::Only(&[
                "email",
                "date",
                "time",
                "date-time",
                "duration",
                "ipv4",
                "ipv6",
                "hostname",
                "uuid",
                "uri",
                "uri-reference",
                "uri-template",
                "json-pointer",
                "relative-json-pointer",
            ]),
            ..Rules::NONE
        };
        let is_forced = matches!(
            params.tool_choice,
            Some(ToolChoice::Required | ToolChoice::Tool(_))
        );
        is_forced && rewrite(turn, &RULES)
    }),
    ..Quirk::EMPTY
};

/// Rewrites the schemas that hold something against the rules.
fn rewrite(turn: &mut Turn, rules: &Rules) -> bool {
    replace_schemas(turn, |schema| rules.applied(schema?))
}
