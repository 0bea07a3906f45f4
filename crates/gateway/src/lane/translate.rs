//! Lane 2: through the hub.

use bytes::Bytes;
use lingate_quirk::{Settings, State, Target};
use lingate_wire::bridge;
use lingate_wire::turn::{
    Block, EmptyReply, Failure, FailureKind, Role, SEAL_PREFIX, SealKey, SealStage, Sequencer,
    Thinking, ThinkingMode, ToolIdStage, Turn,
};
use lingate_wire::{Decoded, UpstreamContext, Wire, chat};

use super::merge::merged;
use super::{Prepared, estimate};
use crate::exchange::asked::Asked;
use crate::exchange::upstream::Upstream;
use crate::relay::chain::Chain;

/// Prepares a translated attempt, anew from the client's request.
pub(crate) fn prepare(
    asked: &Asked,
    upstream: &Upstream<'_>,
    settings: &Settings,
    exchange: &str,
) -> Result<Prepared, Failure> {
    // Not the copy that routing may have looked at: reading the document once more is no dearer than cloning it.
    let mut decoded = asked.decode()?;
    let input_estimate = Some(estimate::input_tokens(&decoded));
    let target = Target {
        provider: &upstream.provider.id,
        host: &upstream.host,
        model: &upstream.model,
        wire: upstream.wire,
    };
    let mut state = State::new(&target, settings.clone());
    let selection = upstream.selection.clone();
    let call_ids = call_ids(&decoded.turn);
    if upstream.refuses_foreign_thinking {
        disown_native_thinking(&mut decoded);
    }
    if decoded.params.cache_key.is_none() {
        decoded.params.cache_key = asked.cache_key();
    }
    selection.apply(&mut decoded.turn, &mut decoded.params, &mut state);

    if upstream.wire == Wire::Chat
        && let Some(tool) = chat::unservable_tools(&decoded.turn)
    {
        return Err(unservable(&tool, &upstream.provider.id));
    }
    let seal = SealKey::new(&upstream.provider.id, upstream.account(), &upstream.model);
    let context = UpstreamContext {
        model: &upstream.model,
        seal: &seal,
    };
    let encoded = bridge::encode_request(upstream.wire, &decoded, &context, &state.dialect)?;
    let mut body = merged(Bytes::from(encoded.body), &upstream.provider.body);
    if let Some(target) = upstream.target {
        body = merged(body, &target.body);
    }

    let mut stages = selection.stages(&state);
    stages.push(Box::new(ToolIdStage::new(exchange, call_ids)));
    stages.push(Box::new(SealStage::new(seal)));
    stages.push(Box::new(Sequencer::new(EmptyReply::Fault)));
    Ok(Prepared {
        body,
        chain: Chain::new(bridge::stream_decoder(upstream.wire), stages),
        input_estimate,
        hits: state.hits.clone(),
        losses: encoded
            .losses
            .iter()
            .map(|loss| loss.path.clone())
            .collect(),
        repair: Some((selection, state)),
    })
}

/// Nothing but tools that cannot be carried: an answer without them would pass for one with them.
fn unservable(tool: &chat::Unservable, provider: &str) -> Failure {
    let name = tool.name.decode();
    let why = if tool.is_run_by_client {
        format!(
            "is known by its type to models of its own wire only, and the request has no other tool; for `{provider}` \
             declare it with an `input_schema`"
        )
    } else {
        format!(
            "runs at its own provider; `{provider}` does not have it, and the request has no other tool"
        )
    };
    Failure::new(FailureKind::InvalidRequest, format!("tool `{name}` {why}"))
}

/// Whether an upstream that refuses foreign thinking would get another request than this.
pub(crate) fn leaves_thinking_out(decoded: &Decoded) -> bool {
    let mut blocks = decoded
        .turn
        .messages
        .iter()
        .flat_map(|message| &message.blocks);
    blocks.any(|block| is_native_thinking(block)) || misses_thinking(decoded)
}

/// Thinking with a token that no seal of ours vouches for, or with none.
fn is_native_thinking(block: &Block) -> bool {
    match block {
        Block::Thinking(Thinking { signature, .. }) => signature
            .as_ref()
            .is_none_or(|signature| !signature.decode().starts_with(SEAL_PREFIX)),
        _ => false,
    }
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
fn call_ids(turn: &Turn) -> Vec<String> {
    let blocks = turn.messages.iter().flat_map(|message| &message.blocks);
    blocks
        .filter_map(|block| match &**block {
            Block::ToolUse(call) => Some(call.id.decode().into_owned()),
            _ => None,
        })
        .collect()
}
