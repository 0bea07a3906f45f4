//! The log's lines on their way to standard error: a thread of its own writes them, all that wait at once.
//!
//! Whoever reads standard error may stop to: a terminal that is held by a key or by a selection, a program that started the
//! gateway and forgot the pipe. A request that wrote its own line would then wait for ever, and all others behind it. Lines
//! that find no more room are left out, and the log says how many. What is busy writes lines by the hundred, and each would be
//! a system call.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Most bytes that wait.
const ROOM: usize = 1 << 20;
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
    /// Lines for which there was no room since it was last said.
    n_lost: u64,
    /// Whether the writing thread is to be woken.
    is_idle: bool,
    is_ending: bool,
    has_ended: bool,
}

impl LogLines {
    /// Lines that are written to `out`, each by one call or together with others. `tell` logs how many were left out.
    ///
    /// # Errors
    /// If there can be no thread.
    pub(crate) fn to(
        mut out: impl Write + Send + 'static,
        tell: impl Fn(u64) + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let lines = Arc::new(Self::default());
        let own = Arc::clone(&lines);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || own.write_out(&mut out, &tell))?;
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

    fn write_out(&self, out: &mut impl Write, tell: &impl Fn(u64)) {
        let mut bytes = Vec::new();
        while let Some(n_lost) = self.next(&mut bytes) {
            // There is nobody left to be told.
            let _ = out.write_all(&bytes).and_then(|()| out.flush());
            if n_lost > 0 {
                tell(n_lost);
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

/// Takes one line, or a few; never waits.
impl Write for &LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.waiting();
        if waiting.bytes.len() + line.len() > ROOM {
            waiting.n_lost += 1;
            return Ok(line.len());
        }
        waiting.bytes.extend_from_slice(line);
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
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Instant;

    use super::*;

    /// Tells what is written, and goes on when it is let.
    struct Slow {
        written: Sender<String>,
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

    /// Lines to a slow reader, what it reads, what lets it go on, and what it is told of losses.
    fn slow() -> (Arc<LogLines>, Receiver<String>, Sender<()>, Receiver<u64>) {
        let (written, reads) = channel();
        let (go_on, goes_on) = channel();
        let (told, lost) = channel();
        let tell = move |n_lost| told.send(n_lost).unwrap();
        let lines = LogLines::to(Slow { written, goes_on }, tell).unwrap();
        (lines, reads, go_on, lost)
    }

    fn log(lines: &LogLines, line: &str) {
        let mut lines = lines;
        lines.write_all(line.as_bytes()).unwrap();
    }

    #[test]
    fn what_comes_while_one_is_written_goes_out_together() {
        let (lines, reads, go_on, _lost) = slow();
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
    fn nobody_waits_for_who_does_not_read_and_the_loss_is_told() {
        let (lines, reads, go_on, lost) = slow();
        log(&lines, "first\n");
        assert_eq!(reads.recv().unwrap(), "first\n");
        let line = format!("{}\n", "x".repeat(1023));
        let n_lost = 7;
        for _ in 0..ROOM / line.len() + n_lost {
            log(&lines, &line);
        }
        drop(go_on);
        assert_eq!(reads.recv().unwrap(), line.repeat(ROOM / line.len()));
        assert_eq!(lost.recv().unwrap(), n_lost as u64);
        log(&lines, "last\n");
        assert_eq!(reads.recv().unwrap(), "last\n");
        lines.end();
        assert!(lost.try_recv().is_err(), "it is told once");
    }

    #[test]
    fn the_end_waits_for_the_last_line_and_not_for_ever() {
        for is_read in [true, false] {
            let (lines, reads, go_on, _lost) = slow();
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
