//! Memory that only the start of a process needed, given back: the one place of the workspace with `unsafe`.
//!
//! The system maps 64 KiB around each place of a program that is touched, and a start touches many places that nothing
//! touches again: reading a configuration, checking it, setting up libraries. [`unmap_code`] takes the program's code out
//! of the process's memory; what runs again is mapped again, from the system's cache, at the cost of a minor fault.

use std::io;

/// Gives back what is mapped of the code of the program and its libraries. Returns how much that was, in bytes; 0 on
/// systems other than Linux.
///
/// # Errors
/// The system does not tell what is mapped, or refuses.
pub fn unmap_code() -> io::Result<u64> {
    #[cfg(target_os = "linux")]
    return linux::unmap_code();
    #[cfg(not(target_os = "linux"))]
    Ok(0)
}

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod mappings;
