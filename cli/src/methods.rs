//! `tollbook methods`: the legacy methods as their declarations say, in Markdown.

use std::io::{self, Write};

use tollbook_shim::Method;

use crate::{config::Dialect, out::written};

pub(crate) fn print(dialect: Dialect) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for method in dialect.of_shim().methods() {
        written(print_method(&mut out, method))?;
    }
    Ok(())
}

fn print_method(out: &mut impl Write, method: &Method) -> io::Result<()> {
    writeln!(out, "## {}\n", method.declaration.name)?;
    writeln!(out, "{} ({}).", method.summary, method.group)?;
    if !method.declaration.aliases.is_empty() {
        writeln!(out, "Also called {}.", method.declaration.aliases.join(", "))?;
    }
    // Which right an API key or an API permission group has to give.
    let right = if method.declaration.only_reads() { "read" } else { "write" };
    writeln!(out, "Whoever calls it needs the right to {right}.")?;
    writeln!(out, "\nThe hash is the SHA1 of one of these, followed by the API secret key:\n")?;
    for names in method.declaration.hash {
        let values = if names.is_empty() { "nothing".to_owned() } else { names.join(" + ") };
        writeln!(out, "- {values}")?;
    }
    if !method.params.is_empty() {
        writeln!(out, "\n| parameter | | meaning |\n|---|---|---|")?;
        for param in method.params {
            let required = if param.required { "required" } else { "" };
            writeln!(out, "| {} | {required} | {} |", param.name, param.meaning)?;
        }
    }
    writeln!(out)
}
