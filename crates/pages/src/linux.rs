//! The system's part of it.

use std::{fs, io, ptr};

use rustix::mm::{Advice, madvise};

use crate::mappings::Mapping;

pub(crate) fn unmap_code() -> io::Result<u64> {
    let mut n_bytes = 0;
    for mapping in code()? {
        drop_pages(&mapping)?;
        n_bytes += mapping.resident * 1024;
    }
    Ok(n_bytes)
}

fn code() -> io::Result<Vec<Mapping>> {
    let mut mappings = Mapping::all(&fs::read_to_string("/proc/self/smaps")?);
    mappings.retain(Mapping::is_code_of_a_file);
    Ok(mappings)
}

#[expect(
    unsafe_code,
    reason = "the call takes an address; what it may do to memory is argued below"
)]
fn drop_pages(mapping: &Mapping) -> io::Result<()> {
    let start = ptr::without_provenance_mut(mapping.start);
    let n_bytes = mapping.end.saturating_sub(mapping.start);
    // SAFETY: the mapping is private, cannot be written and has no page that differs from its file, so that
    // `MADV_DONTNEED` (madvise(2)) drops what the next touch brings back with the same content. Nobody maps anything else
    // there meanwhile: code of the program and its libraries stays where it is, as nothing here unloads libraries.
    unsafe { madvise(start, n_bytes, Advice::LinuxDontNeed) }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_dropped_and_runs_on() {
        let resident = || -> u64 {
            let code = code().unwrap();
            code.iter().map(|mapping| mapping.resident * 1024).sum()
        };
        let before = resident();
        let dropped = unmap_code().unwrap();
        let after = resident();
        assert!(dropped > 0);
        assert!(after < before, "{before} to {after}");
        // What was dropped runs as before, here and in other threads.
        let sum = std::thread::spawn(|| (0..1000_u32).map(u64::from).sum::<u64>());
        assert_eq!(sum.join().unwrap(), 499_500);
    }
}
