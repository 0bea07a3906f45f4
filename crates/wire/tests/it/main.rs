//! The wires from outside, in one test binary.

#[cfg(test)]
mod anthropic_chain;
#[cfg(test)]
mod anthropic_grammar;
#[cfg(test)]
mod anthropic_request_in;
#[cfg(test)]
mod anthropic_request_out;
#[cfg(test)]
mod anthropic_response;
#[cfg(test)]
mod anthropic_stream;
#[cfg(test)]
mod sse;
