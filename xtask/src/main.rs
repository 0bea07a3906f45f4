//! `cargo xtask`: what the workspace does for itself.

use anyhow::bail;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["docs"] => xtask::docs::write(),
        ["docs", "--check"] => xtask::docs::check(),
        ["bench", options @ ..] => xtask::bench::run(options),
        ["fuzz", options @ ..] => xtask::fuzz::run(options),
        ["prices", file, date] => xtask::prices::write(file, date),
        _ => bail!(
            "usage: cargo xtask docs [--check] | bench [OPTIONS] | fuzz [OPTIONS] | prices FILE DATE"
        ),
    }
}
