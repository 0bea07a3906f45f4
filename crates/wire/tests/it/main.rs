//! The wires from outside, in one test binary.

#[cfg(test)]
mod anthropic_chain;
#[cfg(test)]
mod anthropic_grammar;
#[cfg(test)]
mod anthropic_request_foreign;
#[cfg(test)]
mod anthropic_request_in;
#[cfg(test)]
mod anthropic_request_out;
#[cfg(test)]
mod anthropic_response;
#[cfg(test)]
mod anthropic_stream;
#[cfg(test)]
mod byte_stability;
#[cfg(test)]
mod chat_chain;
#[cfg(test)]
mod chat_properties;
#[cfg(test)]
mod chat_streams;
#[cfg(test)]
mod gemini_chain;
#[cfg(test)]
mod gemini_matrix;
#[cfg(test)]
mod gemini_properties;
#[cfg(test)]
mod gemini_streams;
#[cfg(test)]
mod gemini_tokens;
#[cfg(test)]
mod known_requests;
#[cfg(test)]
mod linear;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod passing;
#[cfg(test)]
mod responses_matrix;
#[cfg(test)]
mod responses_properties;
#[cfg(test)]
mod responses_streams;
#[cfg(test)]
mod rounds;
#[cfg(test)]
mod sse;
#[cfg(test)]
mod unknown_members;
#[cfg(test)]
mod vectors_stream;
