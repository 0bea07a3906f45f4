//! A folder searched: every file as it is, and what is compressed or kept in a database as it is read.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::repeats::restored;
use super::{Find, found_in};

/// How a zstd frame begins.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// How a database begins.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Most bytes that a compressed piece is read for.
const MOST: u64 = 64 << 20;

/// Every secret in the names and files below a folder, without these files and folders. Links are not followed.
pub fn found_below(folder: &Path, except: &[PathBuf]) -> Vec<Find> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // What goes while this looks is gone.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if except.contains(&path) {
                continue;
            }
            let place = path.display().to_string();
            found.extend(found_in("the name of a file", place.as_bytes()));
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) if kind.is_file() => {
                    found.extend(
                        fs::read(&path)
                            .map(|bytes| found_in_file(&path, &bytes))
                            .unwrap_or_default(),
                    );
                }
                _ => {}
            }
        }
    }
    found
}

fn found_in_file(path: &Path, bytes: &[u8]) -> Vec<Find> {
    let place = path.display().to_string();
    let mut found = found_in_bytes(&place, bytes);
    if bytes.starts_with(SQLITE) {
        found.extend(found_in_database(path));
    }
    found
}

/// As they are, and every compressed piece of them.
fn found_in_bytes(place: &str, bytes: &[u8]) -> Vec<Find> {
    let mut found = found_in(place, bytes);
    for at in memchr::memmem::find_iter(bytes, ZSTD) {
        let Some(Ok(frame)) = bytes.get(at..).map(zstd::stream::read::Decoder::new) else {
            continue;
        };
        // What only looks like a frame, or is cut, gives what can be read of it.
        let mut content = Vec::new();
        let _ = frame.single_frame().take(MOST).read_to_end(&mut content);
        let content = restored(bytes, at, &content).unwrap_or(content);
        found.extend(found_in(&format!("{place}, compressed at {at}"), &content));
    }
    found
}

/// Every value of every table: in the file itself a long one is in pieces.
fn found_in_database(path: &Path) -> Vec<Find> {
    let read = || -> rusqlite::Result<Vec<Find>> {
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut names = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?;
        let names: Vec<String> = names
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut found = Vec::new();
        for name in names {
            let mut all = database.prepare(&format!("SELECT * FROM \"{name}\""))?;
            let columns: Vec<String> = all.column_names().map(str::to_owned).collect();
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                for (index, column) in columns.iter().enumerate() {
                    if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = row.get_ref(index)? {
                        let place = format!("{}, {name}.{column}", path.display());
                        found.extend(found_in_bytes(&place, bytes));
                    }
                }
            }
        }
        Ok(found)
    };
    read().unwrap_or_else(|error| panic!("{} cannot be searched: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::{lift, plant};
    use super::*;

    /// Of the second event only its end is in the file: what it begins with stands in the first.
    #[test]
    fn what_two_events_share_is_seen_in_both() {
        const SECRET: &str = "canary of two events";
        let own = b"canary of ours;two events";
        let numbers = [2 * 15, 15, 10];
        let left = [own.as_slice(), &numbers, &3_u32.to_le_bytes()].concat();
        let packed = zstd::bulk::compress(&left, 3).unwrap();
        plant(SECRET);
        let found = [b"LgF3", b"LgF2"].map(|magic| {
            let head = [magic.as_slice(), &35_u32.to_le_bytes(), &[0; 8]].concat();
            let found = found_in_bytes("a segment", &[head, packed.clone()].concat());
            let places = found.into_iter().map(|find| find.place);
            places.collect::<Vec<_>>()
        });
        lift(SECRET);
        // In a frame that lacks nothing it would not be there.
        assert_eq!(
            found,
            [vec!["a segment, compressed at 16".to_owned()], vec![]]
        );
    }
}
