//! A terminal emulator around an interactive program: types keys, reads the screen.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

use crate::Home;

const ROWS: NonZero<u16> = NonZero::new(40).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(120).unwrap();

/// A program on a terminal of 120 by 40. Dropping it hangs the terminal up and kills the program.
pub struct Terminal {
    screen: Arc<Screen>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
}

struct Screen {
    parser: Mutex<vt100::Parser>,
    changed: Condvar,
}

impl Terminal {
    /// Starts a program with the home's environment and these variables more.
    pub fn start(
        home: &Home,
        program: &Path,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Terminal {
        let size = PtySize {
            rows: ROWS.get(),
            cols: COLUMNS.get(),
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system()
            .openpty(size)
            .expect("the system has pseudo terminals");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env_clear();
        for (name, value) in home.environment() {
            command.env(name, value);
        }
        command.env("TERM", "xterm-256color");
        for (name, value) in variables {
            command.env(name, value);
        }
        command.cwd(home.project(""));
        let child = pair
            .slave
            .spawn_command(command)
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let output = pair
            .master
            .try_clone_reader()
            .expect("a terminal can be read");
        let keys = pair
            .master
            .take_writer()
            .expect("a terminal takes one writer");
        let screen = Arc::new(Screen {
            parser: Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)),
            changed: Condvar::new(),
        });
        let shown = screen.clone();
        // Ends with the terminal: a read fails once the program and its terminal are gone.
        std::thread::spawn(move || show(output, &shown));
        Terminal {
            screen,
            keys,
            child,
            _master: pair.master,
        }
    }

    /// Types these characters.
    pub fn keys(&mut self, text: &str) {
        self.keys
            .write_all(text.as_bytes())
            .and_then(|()| self.keys.flush())
            .expect("the program reads its terminal");
    }

    /// What stands on the screen now.
    pub fn screen(&self) -> String {
        self.screen
            .parser
            .lock()
            .expect("the reader did not panic")
            .screen()
            .contents()
    }

    /// Waits until the screen shows `text`.
    ///
    /// # Panics
    /// When it does not within `limit`; the message holds the screen.
    pub fn shows(&self, text: &str, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut parser = self.screen.parser.lock().expect("the reader did not panic");
        while !parser.screen().contents().contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "no {text:?} after {limit:?} on this screen:\n{}",
                parser.screen().contents()
            );
            parser = self
                .screen
                .changed
                .wait_timeout(parser, left)
                .expect("the reader did not panic")
                .0;
        }
    }

    /// Waits for the program's end.
    ///
    /// # Panics
    /// When it still runs after `limit`.
    pub fn finish(mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self
                .child
                .try_wait()
                .expect("waiting for an own child works")
            {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "still running after {limit:?}:\n{}",
                self.screen()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn show(mut output: Box<dyn Read + Send>, screen: &Screen) {
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = output.read(&mut piece) {
        let Ok(mut parser) = screen.parser.lock() else {
            return;
        };
        parser.process(&piece[..length]);
        screen.changed.notify_all();
    }
}
