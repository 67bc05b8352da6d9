//! Each check of the house's rules finds what it is there to find.

use super::*;

#[test]
fn a_long_function_outside_tests() {
    let body = "        work();\n".repeat(69);
    let long = format!("impl A {{\n    pub(crate) async fn long<T>(&self) {{\n{body}    }}\n}}\n");
    assert_eq!(long_functions(&long), [("long", 71)]);
    let short = long.replacen("        work();\n", "", 1);
    assert!(long_functions(&short).is_empty());
    let test =
        format!("fn a() {{}}\n\n#[cfg(test)]\nmod tests {{\n    fn long() {{\n{body}    }}\n}}\n");
    assert!(long_functions(&test).is_empty());
    let declared =
        format!("trait A {{\n    fn a(&self);\n    fn b(\n        &self,\n    );\n}}\n{long}");
    assert_eq!(long_functions(&declared), [("long", 71)]);
}

#[test]
fn sql_in_code_but_not_in_comments() {
    let text = "// \"SELECT 1\"\nlet query = Query::new(\"SELECT name FROM users\");\n";
    assert_eq!(sql(text), [2]);
    assert_eq!(sql("let text = \"\\\n    DELETE FROM users WHERE id = \";\n"), [2]);
    assert!(sql("#[cfg(test)]\nmod tests {\n    const A: &str = \"SELECT 1\";\n}\n").is_empty());
    assert!(is_store("core/src/access/keys/store.rs") && is_store("core/src/store/mod.rs"));
    assert!(!is_store("core/src/access/restore.rs"));
}

#[test]
fn a_commit_without_a_change() {
    let text = "async fn a(tx: Tx) {\n    tx.commit().await\n}\n\
                async fn b(tx: Pending) {\n    tx.commit(change).await // not .commit()\n}\n";
    assert_eq!(commits(text).into_iter().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn names_of_resources_in_code() {
    let text = "// \"users/{id}\"\nlet a = format!(\"api_keys/{}\", key.id);\n\
                let b = format!(\"/{service}/{rpc}\") + \"a/b\";\n";
    assert_eq!(named_resources(text).collect::<Vec<_>>(), ["api_keys"]);
}

#[test]
fn names_and_headings_that_lead_nowhere() {
    let paths = ["docs/rules/rating.md", "core/src/money.rs"].map(str::to_owned).into();
    let text = "# Rating\n\n## Billed seconds, and *minimum* time\n".to_owned();
    let files = [File { path: "docs/rules/rating.md".to_owned(), text }];
    let problems = |line: &str| -> Vec<String> {
        let names = comment(line).into_iter().flat_map(names);
        names.filter_map(|name| nowhere(name, &paths, &files)).collect()
    };
    assert!(problems("/// See `money.rs` and docs/rules. (`docs/rules/rating.md`)").is_empty());
    let heading = "//! `docs/rules/rating.md#billed-seconds-and-minimum-time`.";
    assert!(problems(heading).is_empty());
    assert_eq!(
        problems("//! `docs/rules/rating.md#billed`"),
        ["docs/rules/rating.md has no heading billed"]
    );
    assert_eq!(problems("let a = 1; // as `monies.rs` says"), ["monies.rs is not there"]);
    assert_eq!(problems("-- `domain.md` §8"), ["domain.md is not there"]);
    assert_eq!(problems("//! proto/none/v1"), ["proto/none/v1 is not there"]);
    assert!(problems("let name = \"other.rs\";").is_empty());
}

#[test]
fn links_from_where_the_document_is() {
    let text = "[a](../README.md) [b](https://example.org/a.md) [c](rules/a.md#b) [d](#here)";
    let document = File { path: "docs/a.md".to_owned(), text: text.to_owned() };
    assert_eq!(links(&document).collect::<Vec<_>>(), ["README.md", "docs/rules/a.md#b"]);
}

#[test]
fn a_file_without_a_module_comment() {
    assert!(has_module_comment("#![no_main]\n//! What it is.\n"));
    assert!(!has_module_comment("use std::fs;\n\n//! Too late.\n"));
    assert!(!has_module_comment("/// Of an item.\nfn a() {}\n"));
}

#[test]
fn what_the_base_uses_of_domains() {
    let text = "use crate::{\n    access::{Refusal, keys::Key},\n    store::Value, ids::UserId,\n};\n\
                // crate::users::Role\nfn a() -> crate::calls::Rejection {}\n\
                #[cfg(test)]\nmod tests {\n    use crate::linear;\n}\n";
    let found = ["access::Refusal", "access::keys::Key", "calls::Rejection"];
    assert_eq!(above_the_base(text, &["error", "ids"].into()), found);
}
