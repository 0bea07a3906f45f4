//! Lane 2: through the hub.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use lingate_quirk::{State, Target, shape_prompt};
use lingate_wire::bridge;
use lingate_wire::chat::CallStyle;
use lingate_wire::gemini::{self, Framing};
use lingate_wire::json::Text;
use lingate_wire::turn::{
    Block, CarryStage, Failure, FailureKind, Losses, Role, SEAL_PREFIX, SealKey, SealStage,
    Sequencer, Thinking, ThinkingMode, ToolIdStage, Turn, carries_signatures, fit_tools,
    restore_signatures,
};
use lingate_wire::{Decoded, UpstreamContext, Wire, chat};
use memchr::memmem::Finder;

use super::allowed::keep_allowed;
use super::merge::{merged, without};
use super::same_wire::{echo, untouched};
use super::{Prepared, estimate};
use crate::exchange::attempt::Attempt;
use crate::exchange::policy::police;
use crate::record::Telling;
use crate::relay::chain::Chain;
use crate::relay::salvage::Salvage;

/// Prepares a translated attempt, anew from the client's request.
pub(crate) fn prepare(attempt: &Attempt<'_>, exchange: &str) -> Result<Prepared, Failure> {
    let Attempt {
        asked,
        upstream,
        settings,
        plan,
        schemas,
        telling,
    } = *attempt;
    // Not the copy that routing may have looked at: reading the document once more is no dearer than cloning it.
    let mut decoded = asked.decode()?;
    let input_estimate = Some(estimate::size(&decoded));
    let target = Target {
        provider: &upstream.provider.id,
        host: &upstream.host,
        model: &upstream.model,
        wire: upstream.wire,
    };
    let mut state = State::new(&target, settings.clone());
    if telling == Telling::Texts {
        state = state.telling();
    }
    state.losses = keep_allowed(&mut decoded, &settings.tools_allowed);
    let fit = fit_tools(&mut decoded.turn, &mut decoded.params, upstream.wire);
    shape_prompt(&mut decoded.turn, &mut state);
    let selection = Arc::clone(&upstream.selection);
    let policed = police(&mut decoded, upstream.demands, plan, schemas);
    let call_ids = call_ids(&decoded.turn);
    if upstream.refuses_foreign_thinking {
        disown_native_thinking(&mut decoded);
        if upstream.wire == Wire::Gemini {
            gemini::disown_signatures(&mut decoded.turn);
        }
    }
    let is_same_wire = asked.wire == upstream.wire;
    if decoded.params.cache_key.is_none() && !is_same_wire {
        decoded.params.cache_key = asked.cache_key();
    }
    selection.apply(&mut decoded.turn, &mut decoded.params, &mut state);
    let changes = state.changes.take().unwrap_or_default();

    if let Some(tool) = bridge::unservable_tools(upstream.wire, &decoded.turn) {
        return Err(unservable(&tool, &upstream.provider.id));
    }
    let seal = upstream.seal();
    let memory = (asked.memory.as_ref())
        .filter(|_| upstream.wire != Wire::Chat)
        .map(|memory| memory.at(upstream));
    if let Some(memory) = &memory {
        memory.restore(&mut decoded.turn);
    }
    let carries_signatures = carries_signatures(asked.wire, upstream.wire);
    if carries_signatures {
        restore_signatures(&mut decoded.turn, &seal);
    }
    let context = UpstreamContext {
        model: &upstream.model,
        seal: &seal,
    };
    let mut encoded = bridge::encode_request(upstream.wire, &decoded, &context, &state.dialect)?;
    if upstream.wire == Wire::Chat && has_no_messages(&encoded.body) {
        return Err(nothing_to_say(&upstream.provider.id));
    }
    let untouched = untouched(asked, upstream.wire, &encoded.body, &context)?;
    let is_untouched = untouched.is_some();
    if is_untouched {
        encoded.losses = Losses::default();
    }
    let mut losses = Losses::default();
    for path in &state.losses {
        losses.add(path.as_str());
    }
    losses.append(encoded.losses);
    let body = untouched.unwrap_or_else(|| Bytes::from(encoded.body));
    let mut body = merged(body, &upstream.provider.body);
    if let Some(target) = upstream.target {
        body = merged(body, &target.body);
    }
    if upstream.has_model_in_path() {
        body = without(body, "model");
    }

    let mut stages = selection.stages(&state);
    stages.extend(bridge::name_stage(upstream.wire, &decoded.turn));
    let policies_at = stages.len();
    stages.extend(fit);
    stages.push(Box::new(ToolIdStage::new(exchange, call_ids)));
    if carries_signatures {
        stages.push(Box::new(CarryStage::default()));
    }
    // A session without seals keeps to its wire's own tokens, as a passthrough does; not where those of another upstream
    // are left out, because what bears no seal there has to be older.
    let is_sealed = !is_same_wire || asked.has_seal || upstream.refuses_foreign_thinking;
    if is_sealed {
        stages.push(Box::new(SealStage::new(seal)));
    }
    if let Some(memory) = memory {
        stages.push(Box::new(memory.stage()));
    }
    stages.push(Box::new(Sequencer::new(policed.empty_reply)));
    let mut chain = Chain::new(bridge::stream_decoder(upstream.wire), stages)
        .salvaging(Salvage::of(&selection, &state));
    // A reply with other names of tools is written anew from the start.
    let options = asked.options;
    // Functions that went out as tools come back as calls of tools.
    let is_called_alike = options.calls == CallStyle::Tools || is_untouched;
    let is_written_alike = options.framing == Framing::Sse && is_called_alike;
    let is_copied = is_same_wire && is_written_alike;
    if is_copied && policed.stages.is_empty() && !state.has_renamed_tools() {
        chain = chain.echoing(echo(asked, is_untouched));
    }
    let n_changing = policies_at + policed.stages.len();
    chain = chain.policed(policies_at, policed.stages);
    chain = match telling {
        Telling::Nothing => chain,
        Telling::Counts => chain.witnessed(0),
        Telling::Texts => chain.witnessed(n_changing),
    };
    Ok(Prepared {
        body: body.into(),
        chain,
        input_estimate,
        hits: state.hits.clone(),
        changes,
        losses,
        repair: Some((selection, state)),
    })
}

/// Nothing but tools that cannot be carried: an answer without them would pass for one with them.
fn unservable(tool: &chat::Unservable, provider: &str) -> Failure {
    let name = tool.name.decode();
    // A rule that names the tool without the date of its type outlives the next one.
    let kind = format!("{name}*");
    let why = if tool.is_run_by_client {
        format!(
            "is known by its type to models of its own wire only, and the request has no other tool; for `{provider}` \
             declare it with an `input_schema`"
        )
    } else {
        format!(
            "runs at its own provider; `{provider}` does not have it, and the request has no other tool: send such \
             requests to a provider that does, with `[[rules]]`, `when = {{ tool = \"{kind}\" }}`"
        )
    };
    Failure::new(FailureKind::InvalidRequest, format!("tool `{name}` {why}"))
}

/// Whether a Chat body asks nothing. Its first member but one is the conversation, so that this looks at the first few
/// bytes; inside a string the quotes would be escaped.
fn has_no_messages(body: &[u8]) -> bool {
    static MEMBER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""messages":["#));
    let behind = MEMBER.find(body).map(|at| at + MEMBER.needle().len());
    behind.is_some_and(|behind| body.get(behind) == Some(&b']'))
}

/// Hosts refuse it in many ways, some with a fault of theirs.
fn nothing_to_say(provider: &str) -> Failure {
    Failure::new(
        FailureKind::InvalidRequest,
        format!(
            "messages: nothing is left to send to `{provider}`; at least one message with content is required"
        ),
    )
}

/// Whether an upstream that refuses foreign thinking would get another request than this.
pub(crate) fn leaves_thinking_out(decoded: &Decoded) -> bool {
    let mut blocks = decoded
        .turn
        .messages
        .iter()
        .flat_map(|message| &message.blocks);
    blocks.any(|block| is_native_thinking(block) || is_natively_signed(block))
        || misses_thinking(decoded)
}

/// Thinking with a token that no seal of ours vouches for, or with none.
fn is_native_thinking(block: &Block) -> bool {
    match block {
        Block::Thinking(Thinking { signature, .. }) => signature.as_ref().is_none_or(is_native),
        _ => false,
    }
}

/// A call or a text with such a token.
fn is_natively_signed(block: &Block) -> bool {
    match block {
        Block::ToolUse(call) => call.signature.as_ref().is_some_and(is_native),
        Block::Text { signature, .. } => signature.as_ref().is_some_and(is_native),
        _ => false,
    }
}

fn is_native(signature: &Text) -> bool {
    !signature.starts_with(SEAL_PREFIX)
}

/// Whether the request has a budget for thinking, and its newest answer calls tools without having thought. The Anthropic
/// API refuses that; it takes it without thinking, which then waits for the next turn.
fn misses_thinking(decoded: &Decoded) -> bool {
    let mut messages = decoded.turn.messages.iter().rev();
    let newest = messages.find(|message| message.role == Role::Assistant);
    matches!(decoded.params.thinking, Some(ThinkingMode::Enabled { .. }))
        && newest.is_some_and(|message| {
            let mut blocks = message.blocks.iter();
            blocks.any(|block| matches!(**block, Block::ToolUse(_)))
                && !matches!(
                    message.blocks.first().map(|block| &**block),
                    Some(Block::Thinking(_))
                )
        })
}

/// Marks all such thinking as another upstream's, so that the encoder leaves it out and notes the loss.
fn disown_native_thinking(decoded: &mut Decoded) {
    if misses_thinking(decoded) {
        decoded.params.thinking = Some(ThinkingMode::Disabled);
    }
    let elsewhere = SealKey::new("", "", "").seal("");
    for message in &mut decoded.turn.messages {
        if !message.blocks.iter().any(|block| is_native_thinking(block)) {
            continue;
        }
        let blocks = &mut message.edit().blocks;
        for block in blocks.iter_mut().filter(|block| is_native_thinking(block)) {
            if let Block::Thinking(thinking) = block.edit() {
                thinking.signature = Some(elsewhere.clone().into());
            }
        }
    }
}

/// The ids of all calls in the history, as the client knows them.
fn call_ids(turn: &Turn) -> Vec<Text> {
    let blocks = turn.messages.iter().flat_map(|message| &message.blocks);
    blocks
        .filter_map(|block| match &**block {
            Block::ToolUse(call) => Some(call.id.clone()),
            _ => None,
        })
        .collect()
}
