//! Reads a cassette.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::{Label, Recorded, VERSION};
use crate::failure::Failure;

/// How a file of zstd begins.
const PACKED: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The label and every exchange.
pub(crate) fn read(path: &Path) -> Result<(Label, Vec<Recorded>), Failure> {
    let cannot = |error: io::Error| {
        Failure::usage(format!("cannot read `{}`: {error}", path.display()))
            .hint("`lingate logs export --cassette FILE` writes one")
    };
    let mut file = BufReader::new(File::open(path).map_err(cannot)?);
    let is_packed = file.fill_buf().map_err(cannot)?.starts_with(&PACKED);
    let from: Box<dyn BufRead> = match is_packed {
        true => Box::new(BufReader::new(
            zstd::Decoder::with_buffer(file).map_err(cannot)?,
        )),
        false => Box::new(file),
    };
    let mut lines = from.lines();
    let first = lines
        .next()
        .transpose()
        .map_err(cannot)?
        .unwrap_or_default();
    let label: Label = serde_json::from_str(&first).map_err(|_| {
        Failure::usage(format!("`{}` is no cassette", path.display()))
            .hint("`lingate logs export --cassette FILE` writes one; `-o FILE` writes lines for other programs")
    })?;
    if label.lingate_cassette > VERSION {
        return Err(Failure::usage(format!(
            "`{}` has format {}, and this lingate knows formats up to {VERSION}",
            path.display(),
            label.lingate_cassette
        ))
        .hint(format!(
            "lingate {} wrote it: use that or a newer one",
            label.version
        )));
    }
    let mut exchanges = Vec::new();
    for (at, line) in lines.enumerate() {
        let line = line.map_err(cannot)?;
        let exchange = serde_json::from_str(&line).map_err(|error| {
            Failure::usage(format!("`{}`, line {}: {error}", path.display(), at + 2))
        })?;
        exchanges.push(exchange);
    }
    if exchanges.len() < label.exchanges {
        return Err(Failure::usage(format!(
            "`{}` ends after {} of {} exchanges: it was not copied whole",
            path.display(),
            exchanges.len(),
            label.exchanges
        )));
    }
    Ok((label, exchanges))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cassette::Lines;
    use crate::scratch::Scratch;

    fn label(version: u32, exchanges: usize) -> String {
        format!(
            "{{\"lingate_cassette\":{version},\"version\":\"9.9.9\",\"exchanges\":{exchanges}}}"
        )
    }

    fn read_lines(name: &str, lines: &[&str]) -> Result<(Label, Vec<Recorded>), String> {
        let scratch = Scratch::new();
        let path = scratch.path().join(name);
        let mut file = Lines::create(&path).unwrap();
        lines
            .iter()
            .for_each(|line| file.line(line.as_bytes()).unwrap());
        file.finish().unwrap();
        read(&path).map_err(|failure| failure.to_string())
    }

    #[test]
    fn packed_or_not_and_with_members_of_later_versions() {
        for name in ["a.cassette", "a.cassette.zst"] {
            let (label, exchanges) = read_lines(
                name,
                &[
                    &label(1, 1),
                    "{\"id\":\"x\",\"new\":1,\"attempts\":[{\"wire\":\"chat\"}]}",
                ],
            )
            .unwrap();
            assert_eq!((label.exchanges, exchanges.len()), (1, 1));
            assert_eq!(exchanges[0].attempts[0].wire, "chat");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (lines, expected) in [
            (vec![], "is no cassette"),
            (vec!["{\"id\":1}".to_owned()], "is no cassette"),
            (vec![label(2, 0)], "lingate 9.9.9 wrote it"),
            (vec![label(1, 1), "{".to_owned()], "line 2"),
            (vec![label(1, 2), "{}".to_owned()], "ends after 1 of 2"),
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let error = read_lines("a", &lines).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let missing = read(Path::new("/nowhere/at/all")).unwrap_err().to_string();
        assert!(missing.contains("cannot read"), "{missing}");
    }
}
