//! `docs/generated/cli.md` is what the program says of itself.

use std::path::Path;

use crate::harness::User;

#[test]
#[expect(clippy::disallowed_methods, reason = "a test's own switch")]
fn the_page_of_the_command_line_is_up_to_date() {
    let user = User::new();
    let mut page = String::from(
        "# Command line\n\nWhat `lingate help` prints. Written by a test: `LINGATE_UPDATE_DOCS=1 cargo nextest run -p lingate docs`.\n",
    );
    let overview = user.run(&["help"]).stdout;
    section(&mut page, "lingate", &overview);
    for command in subcommands(&overview) {
        let help = user.run(&["help", &command]).stdout;
        section(&mut page, &format!("lingate {command}"), &help);
        for nested in subcommands(&help) {
            let help = user.run(&["help", &command, &nested]).stdout;
            section(&mut page, &format!("lingate {command} {nested}"), &help);
        }
    }

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/generated/cli.md");
    if std::env::var_os("LINGATE_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/generated/cli.md is stale: write it anew with LINGATE_UPDATE_DOCS=1"
    );
}

/// The names listed under `Commands:`.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names
        .filter(|name| !name.is_empty() && *name != "help")
        .map(str::to_owned)
        .collect()
}

fn section(page: &mut String, title: &str, help: &str) {
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    page.push_str(&format!(
        "\n## `{title}`\n\n```text\n{}\n```\n",
        help.join("\n").trim_end()
    ));
}
