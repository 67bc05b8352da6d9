//! The rules of the house, checked on the repository's own text: how long functions and files
//! may be, where SQL is, that what comments name is there, and what the base of the core may know.
//!
//! What breaks a rule today is a named exception with its reason. An exception that is no longer
//! needed fails the test as well: the lists only shrink.

mod finds;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The crates whose functions and SQL are checked.
const CRATES: [&str; 8] = ["bench", "core", "shim", "cli", "import", "net", "proto", "rating"];

/// The longest that a function may be, in lines, and a file.
const LONGEST_FUNCTION: usize = 70;
const LONGEST_FILE: usize = 620;

/// Functions that are longer.
const LONG_FUNCTIONS: &[(&str, &str)] = &[
    ("core/src/base/error.rs: code", "one table, in which each error has a line"),
    ("core/src/base/error.rs: reason", "one table, in which each error has a line"),
    (
        "core/src/writer/batch.rs: read",
        "one list of questions and one of their answers: apart, their order could differ",
    ),
];

/// Files with SQL that are not the store of a domain.
const SQL_OUTSIDE_STORES: &[(&str, &str)] = &[
    ("core/src/stats/aggregate.rs", "a query that is put together by what is asked for"),
    ("bench/src/calls.rs", "measures the database by itself"),
    ("bench/src/transactions.rs", "measures the database by itself"),
    ("import/src/calls/template.rs", "a line of a call file may be a statement, which is read"),
    ("import/src/calls/detect.rs", "a dump of a database begins with statements, and is told of"),
];

/// Functions that commit what the audit log says nothing of, or says in another way.
const COMMITS_WITHOUT_CHANGE: &[(&str, &str)] = &[
    ("core/src/access/keys/store.rs: use_up", "a signed request came in: each does"),
    ("core/src/calls/imports/mod.rs: end", "all calls have come, which the list of imports says"),
    ("core/src/ledger/simulation.rs: start", "a test"),
    ("core/src/emails/deliver.rs: draft", "a mail more of this hour; what is sent is noted"),
    ("core/src/live/service.rs: look", "reservations that have expired by themselves"),
    ("core/src/settings/store.rs: set_scrubbed_for", "what the program remembers of its own files"),
    ("core/src/setup.rs: reseal", "the same secrets, sealed anew"),
    (
        "core/src/tariffs/imports/mod.rs: record_alone",
        "an import that changes nothing, listed as one",
    ),
    ("core/src/tidy.rs: forget_some", "what has expired by itself"),
    ("core/src/warnings/store.rs: change", "what became of a warning, listed as one"),
    ("core/src/warnings/watch.rs: decide", "a warning, listed as one"),
    ("core/src/writer/batch.rs: transaction", "changes of many, each of which writes its entry"),
];

/// Files of other projects that comments name.
const FILES_OF_OTHERS: &[(&str, &str)] =
    &[("acc-create.sql", "Kamailio's schema of its table acc")];

/// The core's files that everything rests on, and what they may use beside one another.
const BASE: &str = "core/src/base/";
const BELOW_THE_BASE: &str = "store";

/// How SQL begins, or a part of it.
const STATEMENTS: [&str; 13] = [
    "SELECT ",
    "INSERT INTO ",
    "UPDATE ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "CREATE INDEX ",
    "ALTER TABLE ",
    "DROP TABLE ",
    "PRAGMA ",
    "CAST(",
    " FROM ",
    " WHERE ",
    " ORDER BY ",
];

/// How the names of files end that comments may name.
const EXTENSIONS: [&str; 9] = ["rs", "md", "proto", "sql", "toml", "yaml", "yml", "py", "sh"];

/// A text file of the repository, by its path from the root.
struct File {
    path: String,
    text: String,
}

impl File {
    fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|own| own == extension)
    }

    fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    /// Whether it is code of a crate that is built into the program.
    fn is_of_the_program(&self) -> bool {
        let (first, rest) = self.path.split_once('/').unwrap_or_default();
        self.is_rust()
            && CRATES.contains(&first)
            && rest.starts_with("src/")
            && !rest.ends_with("/tests.rs")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The paths of all files below a folder, without what is built or downloaded.
fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap_or_default();
        let skipped = (name.starts_with('.') && name != ".ci")
            || ["target", "node_modules", "tollbook-data"].contains(&name.as_str());
        if skipped {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), paths);
        } else {
            paths.push(entry.path());
        }
    }
}

/// All paths of the repository, and its files of text that are checked.
fn repository() -> (BTreeSet<String>, Vec<File>) {
    let root = root();
    let mut found = Vec::new();
    walk(&root, &mut found);
    let paths: BTreeSet<String> = found
        .iter()
        .map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned())
        .collect();
    let is_text = |path: &&String| {
        let extension = path.rsplit('.').next().unwrap_or_default();
        ["rs", "proto", "sql", "md"].contains(&extension)
    };
    let files: Vec<File> = paths
        .iter()
        .filter(is_text)
        .map(|path| File { path: path.clone(), text: fs::read_to_string(root.join(path)).unwrap() })
        .collect();
    assert!(files.len() > 300, "only {} files were found: the test looks amiss", files.len());
    (paths, files)
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// How many lines the item has that begins with the first of these, as rustfmt lays it out.
fn item_length(lines: &[&str]) -> usize {
    let Some(first) = lines.first() else { return 0 };
    if first.ends_with(['}', ';']) {
        return 1;
    }
    let ends = |line: &&str| {
        indentation(line) == indentation(first)
            && !line.trim().is_empty()
            && (line.trim_start().starts_with('}') || line.ends_with(';'))
    };
    let rest = &lines[1..];
    rest.iter().position(ends).map_or(lines.len(), |end| end + 2)
}

/// The lines with their numbers, without what is built for tests only.
fn without_tests(text: &str) -> Vec<(usize, &str)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        if line.trim() == "#[cfg(test)]" {
            at += 1;
            while lines.get(at).is_some_and(|line| line.trim_start().starts_with("#[")) {
                at += 1;
            }
            at += item_length(lines.get(at..).unwrap_or_default());
        } else {
            kept.push((at + 1, *line));
            at += 1;
        }
    }
    kept
}

/// The name of the function that a line begins.
fn function(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    if let Some(public) = rest.strip_prefix("pub(") {
        rest = public.split_once(") ")?.1;
    }
    for word in ["pub ", "const ", "async ", "unsafe "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    Some(name.split(['(', '<']).next().unwrap_or(name))
}

/// Functions that are too long, with their lengths.
fn long_functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = without_tests(text).into_iter().map(|(_, line)| line).collect();
    let functions = lines.iter().enumerate().filter_map(|(at, line)| Some((at, function(line)?)));
    functions
        .map(|(at, name)| (name, item_length(&lines[at..])))
        .filter(|(_, length)| *length > LONGEST_FUNCTION)
        .collect()
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// Where SQL begins in the text of a program: the numbers of its lines.
fn sql(text: &str) -> Vec<usize> {
    let has_sql = |line: &str| {
        let begins = |statement: &str| {
            let quoted = format!("\"{statement}");
            line.contains(&quoted) || line.trim_start().starts_with(statement)
        };
        !is_comment(line) && STATEMENTS.iter().any(|statement| begins(statement))
    };
    without_tests(text)
        .into_iter()
        .filter(|(_, line)| has_sql(line))
        .map(|(number, _)| number)
        .collect()
}

/// Whether a file is where SQL belongs.
fn is_store(path: &str) -> bool {
    path.split('/').any(|part| ["store.rs", "store", "migrations"].contains(&part))
}

/// The comment that a line of a source file has.
fn comment(line: &str) -> Option<&str> {
    let trimmed = line.trim_start();
    ["//", "--"].into_iter().find_map(|mark| trimmed.strip_prefix(mark)).or_else(|| {
        // Behind code; an address has no space behind its slashes.
        trimmed.split_once(" // ").map(|(_, comment)| comment)
    })
}

/// The files and folders of a repository that a comment or a document names.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let is_of_name = |char: char| char.is_ascii_alphanumeric() || "_./-#".contains(char);
    let is_of_us = |name: &&str| {
        let path = name.split('#').next().unwrap_or_default();
        let extension = path.rsplit_once('.').map(|(_, extension)| extension);
        let is_file = extension.is_some_and(|end| EXTENSIONS.contains(&end));
        let is_folder =
            ["docs/", "proto/", "core/", "shim/", "cli/", "import/", "tests/", "bench/", "rating/"]
                .iter()
                .any(|folder| path.starts_with(folder) && path.len() > folder.len());
        is_file || is_folder
    };
    text.split(move |char| !is_of_name(char))
        .map(|name| name.trim_end_matches(['.', '-', '#', '/']))
        .filter(|name| !name.starts_with(['/', '.']))
        .filter(is_of_us)
}

/// A heading of Markdown as links name it.
fn anchor(heading: &str) -> String {
    let kept =
        heading.trim().chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char));
    kept.map(|char| if char == ' ' { '-' } else { char.to_ascii_lowercase() }).collect()
}

/// Why a name leads nowhere; `None` if it leads to something.
fn nowhere(name: &str, paths: &BTreeSet<String>, files: &[File]) -> Option<String> {
    let (path, heading) = match name.split_once('#') {
        Some((path, heading)) => (path, Some(heading)),
        None => (name, None),
    };
    let behind = format!("/{path}");
    let below = format!("{path}/");
    let is_there = |known: &&String| {
        known.as_str() == path || known.ends_with(&behind) || known.starts_with(&below)
    };
    let Some(found) = paths.iter().find(is_there) else {
        return Some(format!("{name} is not there"));
    };
    let heading = heading?;
    let file = files.iter().find(|file| file.path == *found)?;
    let mut headings = file.text.lines().filter_map(|line| line.strip_prefix('#'));
    let has_it = headings.any(|line| anchor(line.trim_start_matches('#')) == heading);
    (!has_it).then(|| format!("{found} has no heading {heading}"))
}

/// The files of the repository that a document links to, by their paths from the root.
fn links(document: &File) -> impl Iterator<Item = String> {
    let folder = document.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let targets = document.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let ours = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    ours.map(move |target| {
        let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in target.split('/') {
            match part {
                ".." => drop(parts.pop()),
                "." => {}
                part => parts.push(part),
            }
        }
        parts.join("/")
    })
}

/// Whether a source file begins by saying what it is.
fn has_module_comment(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with("#!["));
    first.is_some_and(|line| line.starts_with("//!"))
}

/// What a text uses of its crate: the paths behind `crate::`, without the last braces.
fn uses(text: &str) -> BTreeSet<String> {
    let code: String = without_tests(text)
        .into_iter()
        .map(|(_, line)| line.split("//").next().unwrap_or_default())
        .flat_map(|line| [line, " "])
        .collect();
    let mut used = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        expand("", rest, &mut used);
    }
    used
}

/// Adds the paths of a tree of imports, and returns what is behind the tree.
fn expand<'a>(prefix: &str, tree: &'a str, used: &mut BTreeSet<String>) -> &'a str {
    let mut rest = tree.trim_start();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            rest = rest.trim_start_matches([' ', ',']);
            if let Some(behind) = rest.strip_prefix('}') {
                return behind;
            }
            let behind = expand(prefix, rest, used);
            if behind.len() == rest.len() {
                return behind;
            }
            rest = behind;
        }
    }
    let end = rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len());
    let (name, behind) = rest.split_at(end);
    let path = format!("{prefix}{name}");
    if let Some(deeper) = behind.strip_prefix("::") {
        return expand(&format!("{path}::"), deeper, used);
    }
    used.insert(path);
    behind
}

/// What a file of the base uses that is not of it: of `base`, its modules.
fn above_the_base(text: &str, base: &BTreeSet<&str>) -> Vec<String> {
    let is_below = |path: &String| {
        let first = path.split("::").next().unwrap_or_default();
        base.contains(first) || first == BELOW_THE_BASE
    };
    uses(text).into_iter().filter(|path| !is_below(path)).collect()
}

/// Fails with all that breaks a rule and is no exception, and with exceptions that are not needed.
fn judge(rule: &str, found: &BTreeSet<String>, exceptions: &[(&str, &str)]) {
    let excepted: BTreeSet<String> =
        exceptions.iter().map(|(name, _)| (*name).to_owned()).collect();
    let broken: Vec<&str> = found.difference(&excepted).map(String::as_str).collect();
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
    let needless: Vec<&str> = excepted.difference(found).map(String::as_str).collect();
    assert!(needless.is_empty(), "no longer exceptions, strike them out:\n{}", needless.join("\n"));
}

#[test]
fn functions_are_short() {
    let mut found = BTreeSet::new();
    for file in repository().1.iter().filter(|file| file.is_of_the_program()) {
        for (name, length) in long_functions(&file.text) {
            println!("{}: {name} has {length} lines", file.path);
            found.insert(format!("{}: {name}", file.path));
        }
    }
    judge("functions of more than 70 lines", &found, LONG_FUNCTIONS);
}

#[test]
fn sql_is_in_stores() {
    let mut found = BTreeSet::new();
    for file in repository().1.iter().filter(|file| file.is_of_the_program()) {
        let lines = sql(&file.text);
        if !is_store(&file.path) && !lines.is_empty() {
            println!("{}: SQL in the lines {lines:?}", file.path);
            found.insert(file.path.clone());
        }
    }
    judge("SQL outside the stores", &found, SQL_OUTSIDE_STORES);
}

/// Who may see whom is told apart in one place: a list that forgot a scope would show what it must
/// not.
#[test]
fn scopes_are_told_apart_in_one_place() {
    let mut found = Vec::new();
    let is_home =
        |path: &str| ["core/src/access/scope.rs", "core/src/access/mod.rs"].contains(&path);
    for file in repository().1.iter().filter(|file| file.is_of_the_program()) {
        if !is_home(&file.path) {
            found.extend(scopes(&file.text).map(|scope| format!("{}: {scope}", file.path)));
        }
    }
    assert!(found.is_empty(), "ask the scope a question instead:\n{}", found.join("\n"));
}

/// What is committed otherwise than as a `Pending` change could lack its entry in the audit log.
#[test]
fn changes_are_committed_with_their_entries() {
    let mut found = BTreeSet::new();
    for file in repository().1.iter().filter(|file| file.is_of_the_program()) {
        let is_home = ["core/src/store/", "core/src/changes/pending.rs"]
            .iter()
            .any(|home| file.path.starts_with(home));
        if file.path.starts_with("core/src/") && !is_home {
            found.extend(commits(&file.text).iter().map(|name| format!("{}: {name}", file.path)));
        }
    }
    judge("commits without an entry in the audit log", &found, COMMITS_WITHOUT_CHANGE);
}

/// A resource that two places name can have two names: whoever asks for its changes would find some.
#[test]
fn resources_are_named_in_one_place() {
    let mut found = Vec::new();
    for file in repository().1.iter().filter(|file| file.is_of_the_program()) {
        if file.path.starts_with("core/src/") && file.path != "core/src/base/resource.rs" {
            found.extend(named_resources(&file.text).map(|name| format!("{}: {name}", file.path)));
        }
    }
    assert!(found.is_empty(), "take a `Resource` or a `SecretOf`:\n{}", found.join("\n"));
}

#[test]
fn what_comments_name_is_there() {
    let (paths, files) = repository();
    let (mut found, mut foreign) = (Vec::new(), BTreeSet::new());
    let is_foreign = |name: &str| FILES_OF_OTHERS.iter().any(|(other, _)| *other == name);
    for file in files.iter().filter(|file| !file.has_extension("md")) {
        // These tests make names up.
        if file.path.starts_with("tests/tests/system/tidy") {
            continue;
        }
        for (number, line) in (1..).zip(file.text.lines()) {
            for name in comment(line).into_iter().flat_map(names) {
                if is_foreign(name) {
                    foreign.insert(name.to_owned());
                } else if let Some(problem) = nowhere(name, &paths, &files) {
                    found.push(format!("{}:{number}: {problem}", file.path));
                }
            }
        }
    }
    assert!(found.is_empty(), "names that lead nowhere:\n{}", found.join("\n"));
    judge("files of others", &foreign, FILES_OF_OTHERS);
}

#[test]
fn what_documents_name_is_there() {
    let (paths, files) = repository();
    let mut found = Vec::new();
    for document in files.iter().filter(|file| file.has_extension("md")) {
        let named = ["CONTRIBUTING.md", "docs/architecture.md", "docs/api-design.md"];
        let named = named.contains(&document.path.as_str()).then_some(document.text.as_str());
        let mut named: Vec<String> = named.into_iter().flat_map(names).map(str::to_owned).collect();
        // Where a recipe has a name to be chosen.
        named.retain(|name| !["NAME", "NNNN", "METHOD"].iter().any(|chosen| name.contains(chosen)));
        for name in links(document).chain(named) {
            if let Some(problem) = nowhere(&name, &paths, &files) {
                found.push(format!("{}: {problem}", document.path));
            }
        }
    }
    assert!(found.is_empty(), "names that lead nowhere:\n{}", found.join("\n"));
}

#[test]
fn files_say_what_they_are_and_are_short() {
    let mut found = Vec::new();
    for file in repository().1.iter().filter(|file| file.is_rust()) {
        let lines = file.text.lines().count();
        if lines > LONGEST_FILE {
            found.push(format!("{} has {lines} lines", file.path));
        }
        if !has_module_comment(&file.text) {
            found.push(format!("{} does not begin with a module comment", file.path));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_base_of_the_core_knows_no_domain() {
    let files = repository().1;
    let files: Vec<(&str, &File)> = files
        .iter()
        .filter_map(|file| Some((file.path.strip_prefix(BASE)?.strip_suffix(".rs")?, file)))
        .collect();
    let base: BTreeSet<&str> = files.iter().map(|(name, _)| *name).chain(["base"]).collect();
    assert!(base.len() > 10, "the base has only {base:?}: the test looks amiss");
    let mut found = BTreeSet::new();
    for (name, file) in &files {
        let above = above_the_base(&file.text, &base);
        found.extend(above.into_iter().map(|path| format!("{name}.rs: {path}")));
    }
    judge("the base uses what is above it", &found, &[]);
}

/// The scopes that a text names.
fn scopes(text: &str) -> impl Iterator<Item = &str> {
    let name = |rest: &str| rest.find(|char: char| !char.is_alphanumeric()).unwrap_or(rest.len());
    let named = text.split("Scope::").skip(1).map(move |rest| &rest[..name(rest)]);
    named.filter(|name| name.starts_with(|first: char| first.is_uppercase()))
}

/// The functions that commit a transaction as it is.
fn commits(text: &str) -> BTreeSet<&str> {
    let (mut names, mut within) = (BTreeSet::new(), "");
    for (_, line) in without_tests(text) {
        within = function(line).unwrap_or(within);
        if line.split("//").next().is_some_and(|code| code.contains(".commit()")) {
            names.insert(within);
        }
    }
    names
}

/// What a text makes up that looks like the name of a resource: a word, a slash and a value.
fn named_resources(text: &str) -> impl Iterator<Item = &str> {
    let name = |rest: &'_ str| {
        rest.find("/{").filter(|at| {
            *at > 0 && rest[..*at].bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        })
    };
    let lines = without_tests(text).into_iter().map(|(_, line)| line);
    let strings = lines.filter(|line| !is_comment(line)).flat_map(|line| line.split('"').skip(1));
    strings.filter_map(move |rest| name(rest).map(|at| &rest[..at]))
}
