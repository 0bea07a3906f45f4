//! Content codings of request bodies. What is sent on is always the decoded body.
//!
//! A small body can decode to a large one, and in several layers to any size on the way. Every layer is read through the
//! same cap: the body's own, and for bodies beyond a mebibyte also a multiple of what was received, which no
//! conversation reaches.

use std::io::{self, Read};

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use lingate_wire::turn::{Failure, FailureKind};

/// What a client may be told to use, for the `Accept-Encoding` of a refusal.
pub(crate) const ACCEPTED: &str = "gzip, deflate, br, zstd";

/// Most codings on top of each other.
const MOST_CODINGS: usize = 2;
/// How many times its size a body may decode to, once it is larger than [`ALWAYS`].
const MOST_RATIO: u64 = 200;
/// What every body may decode to.
const ALWAYS: u64 = 1 << 20;
/// Largest window of zstd, as for HTTP in general (RFC 9659): 8 MiB.
const ZSTD_WINDOW: u32 = 23;

/// A coding that is undone here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    fn named(name: &str) -> Option<Self> {
        const NAMES: [(&str, Coding); 5] = [
            ("gzip", Coding::Gzip),
            ("x-gzip", Coding::Gzip),
            ("deflate", Coding::Deflate),
            ("br", Coding::Brotli),
            ("zstd", Coding::Zstd),
        ];
        let mut names = NAMES.iter();
        names
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, coding)| *coding)
    }
}

/// The codings of a request's body, in the order in which they were applied.
///
/// # Errors
/// If one is not known, or there are too many: status 415.
pub(crate) fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, Failure> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let Ok(value) = value.to_str() else {
            return Err(unsupported("that is no text"));
        };
        let names = value.split(',').map(str::trim);
        for name in names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"))
        {
            match Coding::named(name) {
                Some(coding) => codings.push(coding),
                None => return Err(unsupported(&format!("`{name}`"))),
            }
        }
    }
    if codings.len() > MOST_CODINGS {
        return Err(unsupported("of more than two layers"));
    }
    Ok(codings)
}

/// Undoes the codings of a body. Takes its time: not for a thread that serves others.
///
/// # Errors
/// If it is broken or cut off (400), or larger than `cap` or what its size lets expect (413).
pub(crate) fn decoded(body: &Bytes, codings: &[Coding], cap: u64) -> Result<Bytes, Failure> {
    let received = body.len() as u64;
    let most = cap.min(ALWAYS.max(received.saturating_mul(MOST_RATIO)));
    let mut reader: Box<dyn Read + '_> = Box::new(&body[..]);
    for coding in codings.iter().rev() {
        reader = Box::new(Capped {
            inner: layer(*coding, reader).map_err(|error| broken(&error))?,
            left: most,
        });
    }
    let mut decoded = Vec::new();
    match reader.read_to_end(&mut decoded) {
        Ok(_) => Ok(decoded.into()),
        Err(error) if error.get_ref().is_some_and(|error| error.is::<TooMuch>()) => {
            Err(Failure::new(
                FailureKind::TooLarge,
                format!(
                    "the body of {received} bytes decodes to more than {most}, which is the most for its size and \
                     `server.max_body`; send it without `content-encoding`"
                ),
            ))
        }
        Err(error) => Err(broken(&error)),
    }
}

/// A reader that undoes one coding, and fails where the coded bytes end too soon.
fn layer<'r>(coding: Coding, mut inner: Box<dyn Read + 'r>) -> io::Result<Box<dyn Read + 'r>> {
    Ok(match coding {
        Coding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(inner)),
        Coding::Deflate => {
            let mut start = [0; 2];
            inner.read_exact(&mut start)?;
            let whole = io::Cursor::new(start).chain(inner);
            // The name means zlib's format; some clients send what is inside it.
            if is_zlib(start) {
                Box::new(flate2::read::ZlibDecoder::new(whole))
            } else {
                Box::new(flate2::read::DeflateDecoder::new(whole))
            }
        }
        Coding::Brotli => Box::new(brotli::Decompressor::new(inner, 4096)),
        Coding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::new(inner)?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            Box::new(decoder)
        }
    })
}

/// Whether these bytes begin zlib's format (RFC 1950, 2.2).
fn is_zlib(start: [u8; 2]) -> bool {
    start[0] & 0x0f == 8 && u16::from_be_bytes(start).is_multiple_of(31)
}

/// More bytes than are allowed.
#[derive(Debug, thiserror::Error)]
#[error("it grows beyond all measure")]
struct TooMuch;

/// Reads up to so many bytes.
struct Capped<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::other(TooMuch))?;
        Ok(count)
    }
}

fn unsupported(what: &str) -> Failure {
    Failure::new(
        FailureKind::UnsupportedMediaType,
        format!("a content encoding {what} is not read here; use one of {ACCEPTED}, or none"),
    )
}

fn broken(error: &io::Error) -> Failure {
    Failure::new(
        FailureKind::InvalidRequest,
        format!("the body is not what its `content-encoding` says, or is cut off: {error}"),
    )
}
