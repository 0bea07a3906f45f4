//! Request smuggling: what two servers could read differently is refused, and never reaches an upstream.
//!
//! A case is what a client writes on one connection and the statuses it gets. The oracle is the scripted upstream: as
//! many requests as there are answers of 200, each with the very body of the case, none with anything of another.

use std::time::Duration;

use lingate_gateway::Limits;
use lingate_testkit::{Misbehaviour, Received, Upstream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::harness::Lingate;

/// The name, the bytes, the statuses.
///
/// `<P>` is the line and the headers of a good request, `<H>` these headers alone, `<B>` its body, `<L>` and `<X>` the
/// body's length in decimal and hex, `<E>` a whole request that must not get through where it stands.
type Case = (&'static str, &'static str, &'static [u16]);

const BODY: &str =
    r#"{"model":"served-model","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}"#;
const EVIL: &str = "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
    x-evil: 1\r\nContent-Length: <L>\r\n\r\n<B>";

/// Enough for a busy machine; every connection that is kept open costs the test as much.
const LIMIT: Duration = Duration::from_secs(2);

/// Good requests, so that the rest of the table is not refused for another reason.
#[rustfmt::skip]
const GOOD: &[Case] = &[
    ("length", "<P>Content-Length: <L>\r\n\r\n<B>", &[200]),
    ("length, leading zeros", "<P>Content-Length: 000<L>\r\n\r\n<B>", &[200]),
    ("length, blanks around", "<P>Content-Length: \t <L> \t\r\n\r\n<B>", &[200]),
    ("length, no blank", "<P>Content-Length:<L>\r\n\r\n<B>", &[200]),
    ("length, upper case", "<P>CONTENT-LENGTH: <L>\r\n\r\n<B>", &[200]),
    ("chunked", "<P>Transfer-Encoding: chunked\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[200]),
    ("chunked, any case", "<P>transfer-ENCODING: ChUnKeD\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[200]),
    ("chunk size, zeros", "<P>Transfer-Encoding: chunked\r\n\r\n000<X>\r\n<B>\r\n000\r\n\r\n", &[200]),
    ("chunk extension", "<P>Transfer-Encoding: chunked\r\n\r\n<X>;a=b;c\r\n<B>\r\n0\r\n\r\n", &[200]),
    ("trailer", "<P>Transfer-Encoding: chunked\r\n\r\n<X>\r\n<B>\r\n0\r\nx-sum: 1\r\n\r\n", &[200]),
    ("empty line first", "\r\n<P>Content-Length: <L>\r\n\r\n<B>", &[200]),
    ("close", "<P>Connection: close\r\nContent-Length: <L>\r\n\r\n<B>", &[200]),
    ("HTTP/1.0 with a length", "POST /v1/messages HTTP/1.0\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[200]),
    ("HTTP/1.0 keep-alive", "POST /v1/messages HTTP/1.0\r\n<H>Connection: keep-alive\r\nContent-Length: <L>\r\n\r\n<B>", &[200]),
    ("absolute form", "POST http://localhost/v1/messages HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[200]),
    ("query", "POST /v1/messages?beta=true HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[200]),
    ("expect", "<P>Expect: 100-continue\r\nContent-Length: <L>\r\n\r\n<B>", &[100, 200]),
    ("expect, chunked", "<P>Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[100, 200]),
    ("two in a row", "<P>Content-Length: <L>\r\n\r\n<B><P>Content-Length: <L>\r\n\r\n<B>", &[200, 200]),
    ("three, mixed", "<P>Content-Length: <L>\r\n\r\n<B><P>Transfer-Encoding: chunked\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n<P>Content-Length: <L>\r\n\r\n<B>", &[200, 200, 200]),
    ("after a probe", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n<P>Content-Length: <L>\r\n\r\n<B>", &[200, 200]),
    ("hop-by-hop headers", "<P>Connection: x-secret\r\nx-secret: 1\r\nTE: trailers\r\nKeep-Alive: 5\r\nContent-Length: <L>\r\n\r\n<B>", &[200]),
];

#[rustfmt::skip]
const LENGTHS: &[Case] = &[
    ("length then chunked", "<P>Content-Length: <L>\r\nTransfer-Encoding: chunked\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("chunked then length", "<P>Transfer-Encoding: chunked\r\nContent-Length: <L>\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("length and chunked, evil behind", "<P>Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n<E>", &[400]),
    ("chunked and length 0, evil behind", "<P>Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n<E>", &[400]),
    ("other header between", "<P>Content-Length: 4\r\nx: y\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n<E>", &[400]),
    ("two equal lengths", "<P>Content-Length: <L>\r\nContent-Length: <L>\r\n\r\n<B>", &[400]),
    ("two lengths, short first", "<P>Content-Length: 0\r\nContent-Length: <L>\r\n\r\n<E>", &[400]),
    ("two lengths, long first", "<P>Content-Length: <L>\r\nContent-Length: 0\r\n\r\n<E>", &[400]),
    ("length in upper and lower case", "<P>Content-Length: <L>\r\ncontent-length: <L>\r\n\r\n<B>", &[400]),
    ("list of equal lengths", "<P>Content-Length: <L>, <L>\r\n\r\n<B>", &[400]),
    ("list of lengths", "<P>Content-Length: 0, <L>\r\n\r\n<B>", &[400]),
    ("signed length", "<P>Content-Length: +<L>\r\n\r\n<B>", &[400]),
    ("negative length", "<P>Content-Length: -1\r\n\r\n<B>", &[400]),
    ("minus zero", "<P>Content-Length: -0\r\n\r\n<E>", &[400]),
    ("hex length", "<P>Content-Length: 0x<X>\r\n\r\n<B>", &[400]),
    ("length with a point", "<P>Content-Length: <L>.0\r\n\r\n<B>", &[400]),
    ("length with an exponent", "<P>Content-Length: 1e1\r\n\r\n<B>", &[400]),
    ("length with an underscore", "<P>Content-Length: 1_0\r\n\r\n<B>", &[400]),
    ("length with a blank", "<P>Content-Length: 1 0\r\n\r\n<B>", &[400]),
    ("length in quotes", "<P>Content-Length: \"<L>\"\r\n\r\n<B>", &[400]),
    ("empty length", "<P>Content-Length:\r\n\r\n<E>", &[400]),
    ("length with a semicolon", "<P>Content-Length: <L>;x\r\n\r\n<B>", &[400]),
    ("length over u64", "<P>Content-Length: 18446744073709551616\r\n\r\n<B>", &[400]),
    ("length that wraps to the body's", "<P>Content-Length: 18446744073709551702\r\n\r\n<B>", &[400]),
    ("length of u64", "<P>Content-Length: 18446744073709551615\r\n\r\n<B>", &[431]),
    ("huge length", "<P>Content-Length: 9999999999\r\n\r\n<B>", &[413]),
    ("length with wide digits", "<P>Content-Length: \u{ff11}\r\n\r\n<B>", &[400]),
    ("length under another spelling", "<P>Content_Length: 0\r\nContent-Length: <L>\r\n\r\n<B>", &[200]),
    ("no length", "<P>\r\n<B>\r\n\r\n", &[400, 400]),
    ("length 0", "<P>Content-Length: 0\r\n\r\n<B>\r\n\r\n", &[400, 400]),
    ("shorter than its length", "<P>Content-Length: 999\r\n\r\n<B>", &[408]),
    ("longer than its length", "<P>Content-Length: <L>\r\n\r\n<B>x\r\n\r\n", &[200, 400]),
];

#[rustfmt::skip]
const CODINGS: &[Case] = &[
    ("gzip, chunked", "<P>Transfer-Encoding: gzip, chunked\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("chunked, gzip", "<P>Transfer-Encoding: chunked, gzip\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("chunked, identity", "<P>Transfer-Encoding: chunked, identity\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("chunked twice in a list", "<P>Transfer-Encoding: chunked, chunked\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("chunked twice", "<P>Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("chunked then identity", "<P>Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("identity then chunked", "<P>Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("identity with a length", "<P>Transfer-Encoding: identity\r\nContent-Length: <L>\r\n\r\n<B>", &[400]),
    ("unknown coding", "<P>Transfer-Encoding: cow\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("xchunked", "<P>Transfer-Encoding: xchunked\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("chunkedx", "<P>Transfer-Encoding: chunkedx\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("chunked with a parameter", "<P>Transfer-Encoding: chunked;q=1\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("chunked in quotes", "<P>Transfer-Encoding: \"chunked\"\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("comma first", "<P>Transfer-Encoding: ,chunked\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("comma last", "<P>Transfer-Encoding: chunked,\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("empty coding", "<P>Transfer-Encoding:\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("vertical tab", "<P>Transfer-Encoding: \x0bchunked\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("NUL behind", "<P>Transfer-Encoding: chunked\0\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("high byte", "<P>Transfer-Encoding: \u{a0}chunked\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("blank before the colon", "<P>Transfer-Encoding : chunked\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("tab before the colon", "<P>Transfer-Encoding\t: chunked\r\nContent-Length: <L>\r\n\r\n<B>", &[400]),
    ("underscore", "<P>Transfer_Encoding: chunked\r\nContent-Length: <L>\r\n\r\n<B>", &[200]),
    ("coding in HTTP/1.0", "POST /v1/messages HTTP/1.0\r\n<H>Transfer-Encoding: chunked\r\n\r\n<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("coding and length in HTTP/1.0", "POST /v1/messages HTTP/1.0\r\n<H>Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n<E>", &[400]),
];

#[rustfmt::skip]
const CHUNKS: &[Case] = &[
    ("signed size", "<C>+<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("negative size", "<C>-1\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("0x size", "<C>0x<X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("blank before the size", "<C> <X>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("blank behind the size", "<C><X> \r\n<B>\r\n0\r\n\r\n", &[400]),
    ("tab behind the size", "<C><X>\t\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("blank in the size", "<C>5 6\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("no size", "<C>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("extension without a size", "<C>;a\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("letter as a size", "<C>g\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("size over u64", "<C>10000000000000000\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("size that wraps to the body's", "<C>100000000000000<X>0\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("size of u64", "<C>ffffffffffffffff\r\n<B>\r\n0\r\n\r\n", &[408]),
    ("zeros without end", "<C><Z>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("size line in bare LF", "<C><X>\n<B>\r\n0\r\n\r\n", &[400]),
    ("size line in bare CR", "<C><X>\r<B>\r\n0\r\n\r\n", &[400]),
    ("CR CR LF", "<C><X>\r\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("chunk ends in bare LF", "<C><X>\r\n<B>\n0\r\n\r\n", &[400]),
    ("chunk without an end", "<C><X>\r\n<B>0\r\n\r\n", &[400]),
    ("chunk longer than its size", "<C>1\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("chunk shorter than its size", "<C>fff\r\n<B>\r\n0\r\n\r\n", &[408]),
    ("last chunk missing", "<C><X>\r\n<B>\r\n", &[408]),
    ("last chunk in bare LF", "<C><X>\r\n<B>\r\n0\n\n", &[400]),
    ("end in bare LF", "<C><X>\r\n<B>\r\n0\r\n\n", &[400]),
    ("end in CR alone", "<C><X>\r\n<B>\r\n0\r\n\rx", &[400]),
    ("extension in bare LF", "<C><X>;a\n<B>\r\n0\r\n\r\n", &[400]),
    ("extension with CR", "<C><X>;a\rb\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("extension with NUL", "<C><X>;a\0\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("extension with a blank", "<C><X>; a\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("extension in quotes", "<C><X>;a=\"b\"\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("extension with a high byte", "<C><X>;\u{ff}\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("extension without a name", "<C><X>;\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("extension without end", "<C><X>;<Z>\r\n<B>\r\n0\r\n\r\n", &[400]),
    ("extension hides the evil", "<C>0;\n\r\n<E>", &[400]),
    ("trailer is a length", "<C><X>\r\n<B>\r\n0\r\nContent-Length: 3\r\n\r\n", &[400]),
    ("trailer is a coding", "<C><X>\r\n<B>\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", &[400]),
    ("trailer is a host", "<C><X>\r\n<B>\r\n0\r\nHost: evil.test\r\n\r\n", &[400]),
    ("trailer in bare LF", "<C><X>\r\n<B>\r\n0\r\na: b\n\r\n", &[400]),
    ("trailer goes on", "<C><X>\r\n<B>\r\n0\r\na: b\r\n c\r\n\r\n", &[400]),
    ("trailer without a colon", "<C><X>\r\n<B>\r\n0\r\nabc\r\n\r\n", &[400]),
    ("trailer is the evil", "<C><X>\r\n<B>\r\n0\r\n<E>", &[400]),
    ("evil in the body", "<C>5\r\n0\r\n\r\n\r\n0\r\n\r\n<P>Content-Length: <L>\r\n\r\n<B>", &[400, 200]),
];

#[rustfmt::skip]
const HEADS: &[Case] = &[
    ("request line in bare LF", "POST /v1/messages HTTP/1.1\n<H>Content-Length: <L>\r\n\r\n<B>", &[400]),
    ("header in bare LF", "<P>Content-Length: <L>\n\r\n<B>", &[400]),
    ("head ends in bare LF", "<P>Content-Length: <L>\r\n\n<B>", &[400]),
    ("all in bare LF", "POST /v1/messages HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n", &[400]),
    ("bare LF first", "\n<P>Content-Length: <L>\r\n\r\n<B>", &[400]),
    ("header in bare CR", "<P>x: y\rContent-Length: <L>\r\n\r\n<B>", &[400]),
    ("CR in a value", "<P>x: a\rb\r\nContent-Length: <L>\r\n\r\n<B>", &[400]),
    ("folded header", "<P>x: a\r\n b\r\nContent-Length: <L>\r\n\r\n<B>", &[400]),
    ("folded by a tab", "<P>x: a\r\n\tb\r\nContent-Length: <L>\r\n\r\n<B>", &[400]),
    ("folded length", "<P>Content-Length:\r\n <L>\r\n\r\n<B>", &[400]),
    ("folded coding", "<P>Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n<E>", &[400]),
    ("blank before the first header", "POST /v1/messages HTTP/1.1\r\n <H>Content-Length: <L>\r\n\r\n<B>", &[400]),
    ("blank in a name", "<P>x y: z\r\nContent-Length: <L>\r\n\r\n<B>", &[400]),
    ("length before a blank and a colon", "<P>Content-Length : <L>\r\n\r\n<B>", &[400]),
    ("no colon", "<P>nonsense\r\nContent-Length: <L>\r\n\r\n<B>", &[400]),
    ("no name", "<P>: x\r\nContent-Length: <L>\r\n\r\n<B>", &[400]),
    ("NUL in a value", "<P>x: a\0b\r\nContent-Length: <L>\r\n\r\n<B>", &[400]),
    ("NUL in a name", "<P>x\0: a\r\nContent-Length: <L>\r\n\r\n<B>", &[400]),
    ("NUL in the path", "POST /v1/mess\0ages HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[400]),
    ("NUL first", "\0<P>Content-Length: <L>\r\n\r\n<B>", &[400]),
    ("control character in a value", "<P>x: \x01\r\nContent-Length: <L>\r\n\r\n<B>", &[400]),
    ("DEL in a value", "<P>x: \x7f\r\nContent-Length: <L>\r\n\r\n<B>", &[400]),
    ("brackets in a name", "<P>x(y): z\r\nContent-Length: <L>\r\n\r\n<B>", &[400]),
    ("two blanks in the request line", "POST  /v1/messages HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[400]),
    ("tab in the request line", "POST\t/v1/messages HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[400]),
    ("blank behind the version", "POST /v1/messages HTTP/1.1 \r\n<H>Content-Length: <L>\r\n\r\n<B>", &[400]),
    ("HTTP/0.9", "POST /v1/messages\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[400]),
    ("HTTP/1.2", "POST /v1/messages HTTP/1.2\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[400]),
    ("HTTP/2 in a line", "POST /v1/messages HTTP/2.0\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[400]),
    ("HTTP/1.1 in lower case", "POST /v1/messages http/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[400]),
    ("bad method", "P@ST{} /v1/messages HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[400]),
    ("unknown method", "STEAL /v1/messages HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[405]),
    ("method in lower case", "post /v1/messages HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[405]),
    ("GET with a body", "GET /v1/messages HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[405]),
    ("TRACE", "TRACE /v1/messages HTTP/1.1\r\n<H>\r\n", &[405]),
    ("GET with the evil as its body", "GET / HTTP/1.1\r\n<H>Content-Length: <EL>\r\n\r\n<E>", &[200]),
    ("fragment", "POST /v1/messages#x HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[200]),
    ("dots in the path", "POST /x/../v1/messages HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[404]),
    ("encoded slash", "POST /v1%2fmessages HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[404]),
    ("two slashes", "POST //v1/messages HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[404]),
    ("no request", "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03\r\n\r\n", &[400]),
];

#[rustfmt::skip]
const TARGETS: &[Case] = &[
    ("no host", "POST /v1/messages HTTP/1.1\r\nContent-Length: <L>\r\n\r\n<B>", &[421]),
    ("two hosts", "<P>Host: localhost\r\nContent-Length: <L>\r\n\r\n<B>", &[421]),
    ("second host is evil", "<P>Host: evil.test\r\nContent-Length: <L>\r\n\r\n<B>", &[421]),
    ("host with userinfo", "POST /v1/messages HTTP/1.1\r\nHost: localhost@evil.test\r\nContent-Length: <L>\r\n\r\n<B>", &[421]),
    ("host with a path", "POST /v1/messages HTTP/1.1\r\nHost: localhost/evil\r\nContent-Length: <L>\r\n\r\n<B>", &[421]),
    ("list of hosts", "POST /v1/messages HTTP/1.1\r\nHost: localhost, evil.test\r\nContent-Length: <L>\r\n\r\n<B>", &[421]),
    ("empty host", "POST /v1/messages HTTP/1.1\r\nHost:\r\nContent-Length: <L>\r\n\r\n<B>", &[421]),
    ("foreign absolute form", "POST http://evil.test/v1/messages HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[421]),
    ("absolute form with userinfo", "POST http://evil@localhost/v1/messages HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[421]),
    ("absolute form of another port", "POST http://localhost:1/v1/messages HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[421]),
    ("authority form", "POST localhost:80 HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[421]),
    ("asterisk", "POST * HTTP/1.1\r\n<H>Content-Length: <L>\r\n\r\n<B>", &[404]),
    ("CONNECT", "CONNECT localhost:80 HTTP/1.1\r\n<H>\r\n<E>", &[405]),
    ("CONNECT to a path", "CONNECT /v1/messages HTTP/1.1\r\n<H>\r\n<E>", &[405]),
    ("upgrade to h2c", "<P>Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: <L>\r\n\r\n<B><E>", &[400]),
    ("upgrade without a body", "<P>Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n<E>", &[400]),
    ("upgrade of a probe", "GET / HTTP/1.1\r\n<H>Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n<E>", &[400]),
    ("upgrade not named in connection", "<P>Upgrade: anything\r\nContent-Length: <L>\r\n\r\n<B><E>", &[400]),
    ("upgrade in HTTP/1.0", "POST /v1/messages HTTP/1.0\r\n<H>Upgrade: h2c\r\nContent-Length: <L>\r\n\r\n<B><E>", &[400]),
    ("HTTP/1.0 body until the end", "POST /v1/messages HTTP/1.0\r\n<H>\r\n<B>", &[400]),
    ("HTTP/1.0 evil until the end", "POST /v1/messages HTTP/1.0\r\n<H>Connection: close\r\n\r\n<E>", &[400]),
    ("HTTP/1.0 evil behind the body", "POST /v1/messages HTTP/1.0\r\n<H>Content-Length: <L>\r\n\r\n<B><E>", &[200]),
    ("evil behind a close", "<P>Connection: close\r\nContent-Length: <L>\r\n\r\n<B><E>", &[200]),
    ("evil behind keep-alive and close", "<P>Connection: close\r\nConnection: keep-alive\r\nContent-Length: <L>\r\n\r\n<B><E>", &[200]),
    ("second without a host", "<P>Content-Length: <L>\r\n\r\n<B>POST /v1/messages HTTP/1.1\r\nContent-Length: <L>\r\n\r\n<B>", &[200, 421]),
    ("refused, evil as its body", "STEAL /v1/messages HTTP/1.1\r\n<H>Content-Length: <EL>\r\n\r\n<E>", &[405]),
    ("length names itself hop-by-hop", "<P>Connection: content-length\r\nContent-Length: <L>\r\n\r\n<B>", &[200]),
    ("half an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\n", &[]),
    ("preface with another end", "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", &[400]),
    ("HTTP/2 preface, then HTTP/1", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n<E>", &[]),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_smuggled() {
    let tables = [GOOD, LENGTHS, CODINGS, CHUNKS, HEADS, TARGETS];
    let cases: Vec<&Case> = tables.into_iter().flatten().collect();
    assert!(cases.len() >= 120, "{} cases", cases.len());
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::start_within(
        &config(&upstream.url()),
        Limits {
            head: LIMIT,
            body_idle: LIMIT,
            ..Limits::default()
        },
    )
    .await;
    let address = lingate.url.trim_start_matches("http://").to_owned();

    let mut asked = JoinSet::new();
    for (n, case) in cases.iter().enumerate() {
        let (address, bytes) = (address.clone(), filled(case.1, n));
        asked.spawn(async move { (n, ask(&address, bytes.as_bytes()).await) });
    }
    let answers = asked.join_all().await;
    let received = upstream.requests();

    let mut wrong = Vec::new();
    for (n, answer) in answers {
        let (name, _, due) = cases[n];
        let statuses = statuses(&answer);
        let forwarded = received
            .iter()
            .filter(|r| r.header("x-case") == n.to_string());
        let forwarded = forwarded.count();
        let is_probe = matches!(filled(cases[n].1, n).split(' ').nth(1), Some("/"));
        let most = statuses.iter().filter(|status| **status == 200).count();
        if statuses != *due || forwarded != most - usize::from(is_probe && most > 0) {
            wrong.push(format!(
                "{name}: {statuses:?} for {due:?}, {forwarded} forwarded"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for request in &received {
        check_forwarded(request);
    }
}

/// What an upstream may see of a client's request.
fn check_forwarded(request: &Received) {
    assert_eq!(
        (request.method.as_str(), request.path()),
        ("POST", "/v1/messages")
    );
    assert_eq!(request.text(), BODY);
    assert_eq!(request.header("content-length"), BODY.len().to_string());
    assert_eq!(request.headers.get_all("content-length").iter().count(), 1);
    for name in [
        "transfer-encoding",
        "connection",
        "upgrade",
        "http2-settings",
        "te",
        "trailer",
        "expect",
        "keep-alive",
        "x-secret",
        "x-sum",
        "x-evil",
    ] {
        assert!(!request.headers.contains_key(name), "{name} in {request:?}");
    }
}

fn config(upstream: &str) -> String {
    format!(
        r#"
        default = "up/served-model"
        [providers.up]
        base_url = "{upstream}"
        speaks = ["anthropic"]
        "#
    )
}

/// A case's bytes.
fn filled(pattern: &str, n: usize) -> String {
    let headers = format!("Host: localhost\r\nContent-Type: application/json\r\nx-case: {n}\r\n");
    let evil = EVIL
        .replace("<L>", &BODY.len().to_string())
        .replace("<B>", BODY);
    pattern
        .replace("<C>", "<P>Transfer-Encoding: chunked\r\n\r\n")
        .replace("<P>", "POST /v1/messages HTTP/1.1\r\n<H>")
        .replace("<H>", &headers)
        .replace("<EL>", &evil.len().to_string())
        .replace("<E>", &evil)
        .replace("<L>", &BODY.len().to_string())
        .replace("<X>", &format!("{:x}", BODY.len()))
        .replace("<B>", BODY)
        .replace("<Z>", &"0".repeat(70_000))
}

/// Writes the bytes and reads until the gateway closes the connection, which it must.
async fn ask(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).await.expect("it listens");
    // A refusal may come before everything is written.
    let _ = socket.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(LIMIT * 5, socket.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "left open: {}", bytes.escape_ascii());
    answer
}

/// The statuses of the HTTP/1 answers in a row.
fn statuses(answer: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answer);
    let lines = text.match_indices("HTTP/1.").map(|(at, _)| &text[at..]);
    lines
        .filter_map(|line| line.split(' ').nth(1)?.parse().ok())
        .collect()
}
