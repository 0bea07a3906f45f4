//! Content encodings of upstream bodies. Identity is asked for; some hosts and the proxies before them compress all the
//! same.

use std::io::{self, Write};

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use lingate_wire::turn::{Failure, FailureKind};

/// Most bytes that are decoded at once: what they grow to is held for the client.
pub(crate) const PIECE: usize = 1024;
/// Most bytes that one such piece may grow to.
const PIECE_CAP: usize = 4 * 1024 * 1024;

/// Undoes one body's encoding, piece by piece.
pub(crate) enum Decoding {
    Identity,
    // Decoders are large, and hardly any body has one.
    Gzip(Box<flate2::write::MultiGzDecoder<Capped>>),
    Deflate(Box<flate2::write::ZlibDecoder<Capped>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Capped>>),
    Brotli(Box<brotli::DecompressorWriter<Capped>>),
}

impl Decoding {
    /// The decoding that a head asks for.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let encoding = headers
            .get(CONTENT_ENCODING)
            .map(http::HeaderValue::as_bytes)
            .unwrap_or_default();
        Ok(match encoding.to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Self::Identity,
            b"gzip" | b"x-gzip" => Self::Gzip(Box::new(flate2::write::MultiGzDecoder::new(
                Capped::default(),
            ))),
            b"deflate" => {
                Self::Deflate(Box::new(flate2::write::ZlibDecoder::new(Capped::default())))
            }
            b"zstd" => Self::Zstd(Box::new(
                zstd::stream::write::Decoder::new(Capped::default())
                    .map_err(|error| broken(&error))?,
            )),
            b"br" => Self::Brotli(Box::new(brotli::DecompressorWriter::new(
                Capped::default(),
                4096,
            ))),
            other => {
                return Err(Failure::new(
                    FailureKind::Malformed,
                    format!(
                        "the upstream's content encoding `{}` is not known",
                        other.escape_ascii()
                    ),
                ));
            }
        })
    }

    /// Decodes a piece; what comes out may be empty.
    pub(crate) fn push(&mut self, chunk: Bytes) -> Result<Bytes, Failure> {
        match self {
            Self::Identity => Ok(chunk),
            Self::Gzip(decoder) => through(&mut **decoder, &chunk, |decoder| decoder.get_mut()),
            Self::Deflate(decoder) => through(&mut **decoder, &chunk, |decoder| decoder.get_mut()),
            Self::Zstd(decoder) => through(&mut **decoder, &chunk, |decoder| decoder.get_mut()),
            Self::Brotli(decoder) => through(&mut **decoder, &chunk, |decoder| decoder.get_mut()),
        }
    }
}

/// Everything that can be decoded comes out at once: an event must not wait for the next one.
fn through<D: Write>(
    decoder: &mut D,
    chunk: &[u8],
    out: impl Fn(&mut D) -> &mut Capped,
) -> Result<Bytes, Failure> {
    decoder
        .write_all(chunk)
        .and_then(|()| decoder.flush())
        .map_err(|error| broken(&error))?;
    Ok(std::mem::take(&mut out(decoder).0).into())
}

/// What one received piece becomes, up to a cap: a small bomb must not fill the memory.
#[derive(Default)]
pub(crate) struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > PIECE_CAP {
            return Err(io::Error::other("it grows beyond all measure"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn broken(error: &io::Error) -> Failure {
    Failure::new(
        FailureKind::Malformed,
        format!("the upstream's compressed body is broken: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"data: {\"a\":1}\n\ndata: [DONE]\n\n";

    fn encoded(encoding: &str) -> Vec<u8> {
        match encoding {
            "gzip" => {
                let mut encoder =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(TEXT).unwrap();
                encoder.finish().unwrap()
            }
            "deflate" => {
                let mut encoder =
                    flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(TEXT).unwrap();
                encoder.finish().unwrap()
            }
            "zstd" => zstd::encode_all(TEXT, 1).unwrap(),
            "br" => {
                let mut out = Vec::new();
                brotli::BrotliCompress(
                    &mut &*TEXT,
                    &mut out,
                    &brotli::enc::BrotliEncoderParams::default(),
                )
                .unwrap();
                out
            }
            _ => TEXT.to_vec(),
        }
    }

    fn decoding(encoding: &str) -> Result<Decoding, Failure> {
        Decoding::of(&HeaderMap::from_iter([(
            CONTENT_ENCODING,
            encoding.parse().unwrap(),
        )]))
    }

    #[test]
    fn every_encoding_in_pieces_of_every_size() {
        for encoding in ["identity", "gzip", "deflate", "zstd", "br"] {
            for size in [1, 3, 1_000] {
                let mut decoding = decoding(encoding).unwrap();
                let mut out = Vec::new();
                for piece in encoded(encoding).chunks(size) {
                    out.extend_from_slice(&decoding.push(Bytes::copy_from_slice(piece)).unwrap());
                }
                assert_eq!(out, TEXT, "{encoding} in pieces of {size}");
            }
        }
    }

    #[test]
    fn unknown_encodings_bombs_and_garbage_are_failures() {
        assert!(decoding("compress").is_err());
        let bomb = zstd::encode_all(&*vec![0_u8; PIECE_CAP + 1], 1).unwrap();
        assert!(decoding("zstd").unwrap().push(bomb.into()).is_err());
        for encoding in ["gzip", "zstd"] {
            assert!(
                decoding(encoding)
                    .unwrap()
                    .push(Bytes::from_static(&[b'x'; 64]))
                    .is_err(),
                "{encoding}"
            );
        }
    }
}
