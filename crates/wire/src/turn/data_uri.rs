//! Media inside an address: `data:TYPE;base64,DATA`, as the OpenAI wires have it.

use super::block::MediaSource;
use crate::json::Text;

/// The address of media that came themselves, in pieces that are not copied.
pub(crate) fn data_uri(media_type: &Text, data: &Text) -> Vec<Text> {
    vec![
        Text::from_static("data:"),
        media_type.clone(),
        Text::from_static(";base64,"),
        data.clone(),
    ]
}

/// Takes a data URI apart; any other address stays one.
pub(crate) fn media_at(address: &Text) -> MediaSource {
    let plain = address.to_plain();
    let in_body = |text: &str| Text::plain(plain.slice_ref(text));
    let parts = plain
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(','));
    match parts.and_then(|(head, data)| Some((head.strip_suffix(";base64")?, data))) {
        Some((head, data)) => MediaSource::Base64 {
            media_type: in_body(head.split(';').next().unwrap_or_default()),
            data: in_body(data),
        },
        None => MediaSource::Url(address.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_together_is_taken_apart() {
        let whole: String = data_uri(&"image/png".into(), &"aGk=".into())
            .iter()
            .map(ToString::to_string)
            .collect();
        let inline = |media_type: &str, data: &str| MediaSource::Base64 {
            media_type: media_type.into(),
            data: data.into(),
        };
        for (address, source) in [
            (whole.as_str(), inline("image/png", "aGk=")),
            (
                "data:text/plain;charset=utf-8;base64,aGk=",
                inline("text/plain", "aGk="),
            ),
            (
                "data:text/plain,hi",
                MediaSource::Url("data:text/plain,hi".into()),
            ),
            (
                "https://example.com/a,b",
                MediaSource::Url("https://example.com/a,b".into()),
            ),
        ] {
            assert_eq!(media_at(&address.into()), source, "{address}");
        }
    }
}
