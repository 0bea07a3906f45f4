//! The log's lines on their way to standard error: a thread of its own writes them, all that wait at once.
//!
//! Whoever reads standard error may stop to: a terminal that is held by a key or by a selection, a program that started the
//! gateway and forgot the pipe. A request that wrote its own line would then wait for ever, and all others behind it. Lines
//! that find no more room, and those that cannot be written, are left out, and the log says how many where they would stand.
//! What is busy writes lines by the hundred, and each would be a system call.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::log_mask;

/// Most bytes that wait.
const ROOM: usize = 1 << 20;
/// Of a longer line this is the beginning. Names and messages of peers are in it, and one must not take the room of all.
const LONGEST: usize = 64 << 10;
/// So much room is kept for the next lines.
const KEPT: usize = 64 << 10;
/// Lines that come within this time behind others are written together.
const PAUSE: Duration = Duration::from_millis(10);
/// Longest wait for the last lines at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lines that wait to be written. Dropping the last handle does not end it: [`LogLines::end`] does.
#[derive(Default)]
pub(crate) struct LogLines {
    waiting: Mutex<Waiting>,
    /// Something came, or the end has.
    came: Condvar,
    /// All is written that will be.
    ended: Condvar,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// Lines for which there was no room behind them.
    n_lost: u64,
    /// Whether the writing thread is to be woken.
    is_idle: bool,
    is_ending: bool,
    has_ended: bool,
}

impl LogLines {
    /// Lines that are written to `out`, each by one call or together with others. `lost` makes the line that says how many
    /// are missing before it.
    ///
    /// # Errors
    /// If there can be no thread.
    pub(crate) fn to(
        mut out: impl Write + Send + 'static,
        lost: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let lines = Arc::new(Self::default());
        let own = Arc::clone(&lines);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || own.write_out(&mut out, &lost))?;
        Ok(lines)
    }

    /// Tells the person something that is no line of the log.
    pub(crate) fn say(&self, text: &str) {
        let mut lines = self;
        let _ = lines.write_all(format!("lingate: {text}\n").as_bytes());
    }

    /// Has what waits written, as far as somebody reads it within a second; what comes later is left out.
    pub(crate) fn end(&self) {
        let mut waiting = self.waiting();
        waiting.is_ending = true;
        self.came.notify_one();
        let ended = (self.ended).wait_timeout_while(waiting, PATIENCE, |own| !own.has_ended);
        drop(ended);
    }

    fn write_out(&self, out: &mut impl Write, lost: &impl Fn(u64) -> String) {
        let mut bytes = Vec::new();
        let mut n_missing = 0;
        while let Some(n_lost) = self.next(&mut bytes) {
            if n_missing > 0 && write(out, lost(n_missing).as_bytes()) == 0 {
                n_missing = 0;
            }
            n_missing += write(out, &log_mask::masked(&bytes)) + n_lost;
            if n_lost > 0 && write(out, lost(n_missing).as_bytes()) == 0 {
                n_missing = 0;
            }
            thread::sleep(PAUSE);
        }
        self.waiting().has_ended = true;
        self.ended.notify_all();
    }

    /// Waits for lines and takes them; gives how many were lost behind them. Nothing at the end.
    fn next(&self, bytes: &mut Vec<u8>) -> Option<u64> {
        bytes.clear();
        bytes.shrink_to(KEPT);
        let mut waiting = self.waiting();
        while waiting.bytes.is_empty() {
            if waiting.is_ending {
                return None;
            }
            waiting.is_idle = true;
            waiting = (self.came.wait(waiting)).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.is_idle = false;
        std::mem::swap(&mut waiting.bytes, bytes);
        Some(std::mem::take(&mut waiting.n_lost))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes lines; gives how many were not, wholly, because that fails. Where it would only have to wait, it does.
fn write(out: &mut impl Write, mut lines: &[u8]) -> u64 {
    while !lines.is_empty() {
        match out.write(lines) {
            Ok(0) => break,
            Ok(n_written) => lines = lines.get(n_written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Whoever shares the terminal or the pipe has made it so.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(_) => break,
        }
    }
    // There is nobody to be told of a flush that fails.
    let _ = out.flush();
    memchr::memchr_iter(b'\n', lines).count() as u64
}

/// Takes one line; never waits.
impl Write for &LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let (begin, end): (&[u8], &[u8]) = match line.split_at_checked(LONGEST) {
            Some((begin, _)) if line.len() > LONGEST => (begin, b"...\n"),
            _ => (line, b""),
        };
        let mut waiting = self.waiting();
        if waiting.bytes.len() + begin.len() + end.len() > ROOM {
            waiting.n_lost += 1;
            return Ok(line.len());
        }
        waiting.bytes.extend_from_slice(begin);
        waiting.bytes.extend_from_slice(end);
        if std::mem::take(&mut waiting.is_idle) {
            drop(waiting);
            self.came.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::time::Instant;

    use super::*;

    /// Tells what is written, and goes on when it is let.
    struct Slow {
        written: SyncSender<String>,
        goes_on: Receiver<()>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let _ = self.written.send(text);
            let _ = self.goes_on.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn missing(n_lost: u64) -> String {
        format!("{n_lost} missing\n")
    }

    /// Lines to a slow reader, what it reads, and what lets it go on.
    fn slow() -> (Arc<LogLines>, Receiver<String>, SyncSender<()>) {
        let (written, reads) = sync_channel(16);
        let (go_on, goes_on) = sync_channel(16);
        let lines = LogLines::to(Slow { written, goes_on }, missing).unwrap();
        (lines, reads, go_on)
    }

    fn log(lines: &LogLines, line: &str) {
        let mut lines = lines;
        lines.write_all(line.as_bytes()).unwrap();
    }

    #[test]
    fn what_comes_while_one_is_written_goes_out_together() {
        let (lines, reads, go_on) = slow();
        log(&lines, "one\n");
        assert_eq!(reads.recv().unwrap(), "one\n");
        log(&lines, "two\n");
        log(&lines, "three\n");
        go_on.send(()).unwrap();
        assert_eq!(reads.recv().unwrap(), "two\nthree\n");
        drop(go_on);
        lines.end();
    }

    #[test]
    fn nobody_waits_for_who_does_not_read_and_the_loss_is_told_in_its_place() {
        let (lines, reads, go_on) = slow();
        log(&lines, "first\n");
        assert_eq!(reads.recv().unwrap(), "first\n");
        let line = format!("{}\n", "x".repeat(1023));
        let fitting = ROOM / line.len();
        for _ in 0..fitting + 7 {
            log(&lines, &line);
        }
        go_on.send(()).unwrap();
        assert_eq!(reads.recv().unwrap(), line.repeat(fitting));
        // While that is written it fills up again.
        for _ in 0..fitting + 5 {
            log(&lines, &line);
        }
        drop(go_on);
        assert_eq!(reads.recv().unwrap(), "7 missing\n");
        assert_eq!(reads.recv().unwrap(), line.repeat(fitting));
        assert_eq!(reads.recv().unwrap(), "5 missing\n");
        log(&lines, "last\n");
        assert_eq!(reads.recv().unwrap(), "last\n");
        lines.end();
        assert!(reads.try_recv().is_err(), "it is told once");
    }

    #[test]
    fn one_line_does_not_take_the_room_of_all() {
        let (lines, reads, go_on) = slow();
        drop(go_on);
        log(&lines, &format!("{}\n", "x".repeat(2 * ROOM)));
        assert_eq!(
            reads.recv().unwrap(),
            format!("{}...\n", "x".repeat(LONGEST))
        );
        log(&lines, "next\n");
        assert_eq!(reads.recv().unwrap(), "next\n");
        lines.end();
    }

    /// Takes so many bytes at a time, or fails.
    struct Failing(VecDeque<io::Result<usize>>, SyncSender<String>);

    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n_bytes = self.0.pop_front().unwrap_or(Ok(bytes.len()))?;
            let taken = bytes.get(..n_bytes).unwrap_or(bytes);
            let text = String::from_utf8(taken.to_vec()).unwrap();
            self.1.send(text).unwrap();
            Ok(taken.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_cannot_be_written_is_told_when_it_can_again() {
        let (written, reads) = sync_channel(16);
        let results = [
            Ok(2),
            Err(io::ErrorKind::WouldBlock.into()),
            Ok(2),
            Err(io::ErrorKind::StorageFull.into()),
            Err(io::ErrorKind::StorageFull.into()),
            Err(io::ErrorKind::StorageFull.into()),
        ];
        let lines = LogLines::to(Failing(results.into(), written), missing).unwrap();
        log(&lines, "one\n");
        assert_eq!(reads.recv().unwrap() + &reads.recv().unwrap(), "one\n");
        // The second to fail is told of the first, and does not arrive either.
        for line in ["two\n", "three\n"] {
            log(&lines, line);
            thread::sleep(5 * PAUSE);
        }
        log(&lines, "four\n");
        assert_eq!(reads.recv().unwrap(), "2 missing\n");
        assert_eq!(reads.recv().unwrap(), "four\n");
        lines.end();
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
    fn the_end_waits_for_the_last_line_and_not_for_ever() {
        for is_read in [true, false] {
            let (lines, reads, go_on) = slow();
            log(&lines, "last\n");
            let held = (!is_read).then_some(go_on);
            let began = Instant::now();
            lines.end();
            assert_eq!(reads.try_recv().unwrap(), "last\n");
            assert_eq!(began.elapsed() < PATIENCE, is_read);
            drop(held);
        }
    }
}
