//! Pictures in replies: `images`, a list of parts beside `content`, as OpenRouter has it (2026-11).

use crate::json::{Text, Writer};
use crate::turn::{Image, MediaSource, data_uri};

/// Writes the member. `first`: the index of the first of them within the reply.
pub(super) fn write(first: u64, images: &[&Image], w: &mut Writer) {
    w.key("images").begin_array();
    for (index, image) in (first..).zip(images) {
        w.begin_object().key("type").str("image_url");
        w.key("index").u64(index);
        w.key("image_url")
            .begin_object()
            .key("url")
            .text_parts(&address(image));
        w.end_object().end_object();
    }
    w.end_array();
}

/// A picture's address in pieces: a data URI where the picture itself came.
fn address(image: &Image) -> Vec<Text> {
    match &image.source {
        MediaSource::Base64 { media_type, data } => data_uri(media_type, data),
        MediaSource::Url(url) => vec![url.clone()],
        MediaSource::File(_) | MediaSource::Text(_) | MediaSource::Blocks(_) => Vec::new(),
    }
}
