//! How shells set and unset variables, and how a value is quoted so that each takes it literally.

use std::path::Path;

use clap::ValueEnum;

use super::{KEY_VARIABLE, Value};

/// A shell that `lingate env` writes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// any other POSIX shell
    Sh,
    /// fish
    Fish,
    /// PowerShell
    #[value(alias = "powershell")]
    Pwsh,
}

impl Shell {
    /// The shell that `$SHELL` names; POSIX syntax for one we do not know.
    pub(crate) fn of(program: Option<&str>) -> Self {
        let name = program.and_then(|program| Path::new(program).file_stem()?.to_str());
        match name {
            Some("bash") => Self::Bash,
            Some("zsh") => Self::Zsh,
            Some("fish") => Self::Fish,
            Some("pwsh" | "powershell") => Self::Pwsh,
            _ => Self::Sh,
        }
    }

    /// The line that sets and exports a variable.
    pub(crate) fn set(self, name: &str, value: &Value) -> String {
        let value = self.value(value);
        match self {
            Self::Bash | Self::Zsh | Self::Sh => format!("export {name}={value}"),
            Self::Fish => format!("set -gx {name} {value}"),
            Self::Pwsh => format!("$env:{name} = {value}"),
        }
    }

    /// The line that removes a variable; no complaint if there is none.
    pub(crate) fn unset(self, name: &str) -> String {
        match self {
            Self::Bash | Self::Zsh | Self::Sh => format!("unset {name}"),
            Self::Fish => format!("set -e {name}"),
            Self::Pwsh => format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue"),
        }
    }

    /// The line that runs what `command` prints in the current shell.
    pub(crate) fn evaluate(self, command: &str) -> String {
        match self {
            Self::Bash | Self::Zsh | Self::Sh => format!("eval \"$({command})\""),
            Self::Fish => format!("{command} | source"),
            Self::Pwsh => format!("{command} | Out-String | Invoke-Expression"),
        }
    }

    /// A key stays a reference to its variable: printed output must not hold it.
    fn value(self, value: &Value) -> String {
        match value {
            Value::Text(text) => self.quote(text),
            Value::Key { before } => {
                let reference = match self {
                    Self::Bash | Self::Zsh | Self::Sh | Self::Fish => {
                        format!("\"${KEY_VARIABLE}\"")
                    }
                    Self::Pwsh => format!("$env:{KEY_VARIABLE}"),
                };
                match (self, before.is_empty()) {
                    (_, true) => reference,
                    (Self::Pwsh, false) => format!("({} + {reference})", self.quote(before)),
                    (_, false) => format!("{}{reference}", self.quote(before)),
                }
            }
        }
    }

    fn quote(self, text: &str) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@%+".contains(c);
        match self {
            // A text without special characters needs no quotes, and people read it more easily.
            Self::Bash | Self::Zsh | Self::Sh | Self::Fish
                if !text.is_empty() && text.chars().all(plain) =>
            {
                text.to_owned()
            }
            Self::Bash | Self::Zsh | Self::Sh => format!("'{}'", text.replace('\'', r"'\''")),
            Self::Fish => format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'")),
            Self::Pwsh => format!("'{}'", text.replace('\'', "''")),
        }
    }
}

/// `text` as a POSIX shell takes it literally, for command lines shown to people.
pub(crate) fn quoted(text: &str) -> String {
    Shell::Sh.quote(text)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn variables_are_set_in_the_shells_own_way() {
        let check = |shell: Shell, value: Value, expected: &str| {
            assert_eq!(shell.set("NAME", &value), expected);
        };
        let text = |text: &str| Value::Text(text.to_owned());
        check(
            Shell::Bash,
            text("http://127.0.0.1:1/team"),
            "export NAME=http://127.0.0.1:1/team",
        );
        check(Shell::Zsh, text("a b"), "export NAME='a b'");
        check(Shell::Sh, text(""), "export NAME=''");
        check(
            Shell::Sh,
            text("it's $HOME"),
            r"export NAME='it'\''s $HOME'",
        );
        check(Shell::Fish, text("it's \\ a"), r"set -gx NAME 'it\'s \\ a'");
        check(Shell::Pwsh, text("it's"), "$env:NAME = 'it''s'");
        check(
            Shell::Bash,
            Value::Key { before: "" },
            "export NAME=\"$LINGATE_KEY\"",
        );
        check(
            Shell::Sh,
            Value::Key { before: "x-key: " },
            "export NAME='x-key: '\"$LINGATE_KEY\"",
        );
        check(
            Shell::Fish,
            Value::Key { before: "x-key: " },
            "set -gx NAME 'x-key: '\"$LINGATE_KEY\"",
        );
        check(
            Shell::Pwsh,
            Value::Key { before: "x: " },
            "$env:NAME = ('x: ' + $env:LINGATE_KEY)",
        );
    }

    #[test]
    fn the_shell_is_known_by_its_program() {
        let check = |program: Option<&str>, expected: Shell| {
            assert_eq!(Shell::of(program), expected, "{program:?}")
        };
        check(Some("/bin/bash"), Shell::Bash);
        check(Some("/usr/local/bin/zsh"), Shell::Zsh);
        check(Some("fish"), Shell::Fish);
        check(Some("/opt/pwsh.exe"), Shell::Pwsh);
        check(Some("/bin/dash"), Shell::Sh);
        check(None, Shell::Sh);
    }

    /// The quoting is right if a real shell gives the text back.
    #[test]
    fn a_posix_shell_takes_every_text_literally() {
        for text in [
            "plain",
            "two words",
            "it's",
            "$HOME `id` \"x\"",
            "back\\slash",
            "line\nbreak",
            "ü {}[]*?~#&;|<>",
        ] {
            let set = Shell::Sh.set("NAME", &Value::Text(text.to_owned()));
            let script = format!("{set}\nprintf %s \"$NAME\"");
            let output = Command::new("/bin/sh")
                .args(["-c", &script])
                .output()
                .unwrap();
            assert_eq!(output.stdout, text.as_bytes(), "{set}");
        }
    }
}
