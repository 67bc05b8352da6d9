//! `tollbook methods`: the legacy methods as their declarations say, in Markdown.

use tollbook_shim::Method;

use crate::config::Dialect;

pub(crate) fn print(dialect: Dialect) -> anyhow::Result<()> {
    for method in dialect.of_shim()?.methods() {
        print_method(method);
    }
    Ok(())
}

fn print_method(method: &Method) {
    println!("## {}\n", method.name);
    println!("{} ({}).", method.summary, method.group);
    if !method.aliases.is_empty() {
        println!("Also called {}.", method.aliases.join(", "));
    }
    println!("\nThe hash is the SHA1 of one of these, followed by the API secret key:\n");
    for names in method.hash {
        let values = if names.is_empty() { "nothing".to_owned() } else { names.join(" + ") };
        println!("- {values}");
    }
    if !method.params.is_empty() {
        println!("\n| parameter | | meaning |\n|---|---|---|");
        for param in method.params {
            let required = if param.required { "required" } else { "" };
            println!("| {} | {required} | {} |", param.name, param.meaning);
        }
    }
    println!();
}
