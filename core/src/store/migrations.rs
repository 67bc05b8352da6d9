//! The versions of the schema, and which of them a database has yet to be given. They are noted
//! in the table and with the checksums that sqlx uses, which earlier releases were built on.

use std::collections::BTreeMap;

use sha2::{Digest, Sha384};

use super::DatabaseError;

/// A step from one version of the schema of a database to the next.
pub(super) struct Migration {
    pub(super) version: i64,
    name: &'static str,
    pub(super) sql: &'static str,
}

/// The same for both kinds of databases.
struct Listed {
    version: i64,
    name: &'static str,
    /// What it says to SQLite, and to PostgreSQL; `None` if that needs no such step.
    sql: [Option<&'static str>; 2],
}

/// Migrations, each by its kind and the two parts of its file's name. The kind says in which folders
/// there is a file: `both`, in one for both databases; `each`, in `sqlite` and in `postgres`; or in
/// one of these, if only that database needs it.
macro_rules! migrations {
    ($($kind:ident $version:literal $name:literal),+ $(,)?) => {
        &[$(Listed {
            version: version($version),
            name: $name,
            sql: migrations!(@$kind concat!("/", $version, "_", $name, ".sql")),
        }),+]
    };
    (@both $file:expr) => { [Some(file!("both", $file)); 2] };
    (@each $file:expr) => { [Some(file!("sqlite", $file)), Some(file!("postgres", $file))] };
    (@sqlite $file:expr) => { [Some(file!("sqlite", $file)), None] };
    (@postgres $file:expr) => { [None, Some(file!("postgres", $file))] };
}

macro_rules! file {
    ($folder:literal, $file:expr) => {
        include_str!(concat!("../../migrations/", $folder, $file))
    };
}

/// All of them, ascending.
const ALL: &[Listed] = migrations!(
    each "0001" "users_and_ledger",
    each "0002" "tariffs_and_rates",
    each "0003" "calls_and_statistics",
    each "0004" "number_pools",
    each "0005" "networks_and_routing_groups",
    each "0006" "balance_warnings",
    each "0007" "changes_and_api_keys",
    sqlite "0008" "what_expires",
    postgres "0008" "keys_of_transactions",
    each "0009" "authorised_rates",
    both "0012" "uniquehashes",
    postgres "0014" "no_statistics_of_secrets",
    each "0015" "unrated_calls",
    each "0016" "import_profiles",
    each "0017" "rate_imports",
    both "0018" "billing_steps",
    both "0019" "records_of_calls",
    both "0021" "sides_of_unrated_calls",
    both "0022" "ended_rates",
    each "0023" "owners",
    each "0024" "schema_compatibility",
    both "0025" "sources_of_payments",
    each "0027" "whitelisted_addresses",
    each "0029" "devices",
    both "0030" "defaults_of_owners",
    each "0032" "email_templates",
    each "0033" "call_imports",
    each "0034" "api_permission_groups",
    each "0035" "exchange_rates_of_calls",
    both "0036" "limits",
    each "0037" "users_by_email",
    each "0041" "device_rules",
    each "0042" "clis",
    each "0046" "payers_of_calls",
    each "0047" "reserved_of_owners",
    each "0049" "providers",
    both "0050" "lcrs",
);

/// Those of SQLite, ascending.
pub(super) fn sqlite() -> Vec<Migration> {
    those(|[sqlite, _]| sqlite)
}

/// Those of PostgreSQL, ascending.
pub(super) fn postgres() -> Vec<Migration> {
    those(|[_, postgres]| postgres)
}

fn those(database: impl Fn([Option<&'static str>; 2]) -> Option<&'static str>) -> Vec<Migration> {
    let one = |&Listed { version, name, sql }: &Listed| {
        Some(Migration { version, name, sql: database(sql)? })
    };
    ALL.iter().filter_map(one).collect()
}

/// The number that some digits write.
const fn version(digits: &str) -> i64 {
    let (digits, mut at, mut version) = (digits.as_bytes(), 0, 0);
    while at < digits.len() {
        version = 10 * version + (digits[at] - b'0') as i64;
        at += 1;
    }
    version
}

impl Migration {
    /// What it is called in the table.
    pub(super) fn description(&self) -> String {
        self.name.replace('_', " ")
    }

    /// By which it is seen that it was changed later.
    pub(super) fn checksum(&self) -> Vec<u8> {
        Sha384::digest(self.sql).to_vec()
    }
}

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// An earlier release left one half done.
    #[error("migration {0} is partially applied; fix it, and remove its row from _sqlx_migrations")]
    Dirty(i64),
    /// It has one that this version does not know, and should.
    #[error("migration {0} was applied, and is not known: the database is of another version")]
    Missing(i64),
    /// A later version has changed it so that this one cannot work with it.
    #[error(
        "the database is of a later version, with migration {newest}; it is for versions that know \
         migration {least}, and this one knows those up to {known}: run the later version again, or \
         restore a backup of before it"
    )]
    TooNew {
        /// The newest that was applied.
        newest: i64,
        /// What a version has to know to work with it.
        least: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// One that was applied is not what is built in.
    #[error("migration {0} was applied, and has been changed since")]
    Changed(i64),
    /// It could not be applied.
    #[error("migration {1} failed: {0}")]
    Failed(#[source] DatabaseError, i64),
}

/// The migrations that a database has been given.
#[derive(Default)]
pub(super) struct Applied {
    /// Their checksums, by version.
    pub(super) whole: BTreeMap<i64, Vec<u8>>,
    /// Versions that were begun, and not ended.
    pub(super) half: Vec<i64>,
    /// What a version has to know to work with the schema; none: the database does not say so yet.
    pub(super) least: Option<i64>,
}

/// The migration since which databases say that, and the query for it.
const SAYS_LEAST: i64 = 24;
pub(super) const LEAST: &str = "SELECT least_migration FROM schema_compatibility WHERE id = 1";

impl Applied {
    /// What has yet to be done to reach this version, in order.
    pub(super) fn missing(&self, all: Vec<Migration>) -> Result<Vec<Migration>, MigrationError> {
        if let Some(version) = self.half.first() {
            return Err(MigrationError::Dirty(*version));
        }
        self.check_unknown(&all)?;
        let mut missing = Vec::new();
        for migration in all {
            match self.whole.get(&migration.version) {
                None => missing.push(migration),
                Some(checksum) if *checksum == migration.checksum() => {}
                Some(_) => return Err(MigrationError::Changed(migration.version)),
            }
        }
        Ok(missing)
    }

    /// Whether the database says which versions may work with it.
    pub(super) fn says_least(&self) -> bool {
        self.whole.contains_key(&SAYS_LEAST)
    }

    /// What a later version has added does not matter, where the database says so.
    fn check_unknown(&self, all: &[Migration]) -> Result<(), MigrationError> {
        let is_known = |version: i64| all.iter().any(|migration| migration.version == version);
        let known = all.iter().map(|migration| migration.version).max().unwrap_or_default();
        let mut unknown = self.whole.keys().copied().filter(|version| !is_known(*version));
        let Some(first) = unknown.next() else {
            return Ok(());
        };
        let newest = unknown.next_back().unwrap_or(first);
        match self.least {
            Some(least) if first > known && least > known => {
                Err(MigrationError::TooNew { newest, least, known })
            }
            Some(_) if first > known => {
                tracing::warn!(
                    "the database is of a later version, with migration {newest}: this one, which \
                     knows those up to {known}, can work with it"
                );
                Ok(())
            }
            _ => Err(MigrationError::Missing(first)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_file_is_a_migration() {
        let folder =
            |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(name);
        let files = |name: &str| -> BTreeMap<String, String> {
            let file = |entry: fs::DirEntry| {
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read_to_string(entry.path()).unwrap())
            };
            fs::read_dir(folder(name)).unwrap().map(|entry| file(entry.unwrap())).collect()
        };
        for (name, migrations) in [("sqlite", sqlite()), ("postgres", postgres())] {
            let known = migrations
                .iter()
                .map(|one| (format!("{:04}_{}.sql", one.version, one.name), one.sql.to_owned()));
            let mut there = files("both");
            for (file, sql) in files(name) {
                assert!(there.insert(file.clone(), sql).is_none(), "{file} is twice there");
            }
            assert_eq!(known.collect::<BTreeMap<_, _>>(), there);
            assert!(migrations.is_sorted_by_key(|one| one.version));
        }
        let (sqlite, mut same) = (files("sqlite"), files("postgres"));
        same.retain(|file, sql| sqlite.get(file) == Some(sql));
        assert!(same.is_empty(), "they are to be in the folder of both: {:?}", same.keys());
    }

    #[test]
    fn a_database_is_brought_up_to_date_or_refused() {
        let of = |count: usize| Applied {
            whole: sqlite()[..count].iter().map(|one| (one.version, one.checksum())).collect(),
            ..Applied::default()
        };
        assert_eq!(of(0).missing(sqlite()).unwrap().len(), sqlite().len());
        assert_eq!(of(7).missing(sqlite()).unwrap()[0].version, 8);
        assert!(of(sqlite().len()).missing(sqlite()).unwrap().is_empty());

        let mut newer = of(sqlite().len());
        newer.whole.insert(9_999, Vec::new());
        assert!(matches!(newer.missing(sqlite()), Err(MigrationError::Missing(9_999))));
        newer.least = sqlite().last().map(|last| last.version);
        assert!(newer.missing(sqlite()).unwrap().is_empty());
        newer.least = Some(9_998);
        let refused = newer.missing(sqlite());
        assert!(matches!(refused, Err(MigrationError::TooNew { newest: 9_999, least: 9_998, .. })));
        // One between those that are known is none of a later version.
        newer.least = Some(SAYS_LEAST);
        newer.whole.insert(10, Vec::new());
        assert!(matches!(newer.missing(sqlite()), Err(MigrationError::Missing(10))));
        let mut changed = of(3);
        changed.whole.insert(2, vec![0; 48]);
        assert!(matches!(changed.missing(sqlite()), Err(MigrationError::Changed(2))));
        let half = Applied { half: vec![4], ..of(3) };
        assert!(matches!(half.missing(sqlite()), Err(MigrationError::Dirty(4))));
    }

    /// What earlier code cannot work with: it would read or write what is not there, or leave out
    /// what has to be.
    const BREAKING: &[&str] = &[
        "DROP TABLE",
        "DROP COLUMN",
        "RENAME ",
        "SET NOT NULL",
        " TYPE ",
        "ADD CONSTRAINT",
        "CREATE UNIQUE INDEX",
        "CREATE TRIGGER",
    ];

    /// Whether a statement takes away or narrows something of a table that was there before.
    fn breaks(statement: &str, sql: &str) -> bool {
        let is_new = |table: &str| sql.contains(&format!("CREATE TABLE {table} "));
        let of_new = statement.split_whitespace().any(is_new);
        let no_default = statement.contains("ADD COLUMN")
            && statement.contains("NOT NULL")
            && !statement.contains("DEFAULT");
        !of_new && (no_default || BREAKING.iter().any(|what| statement.contains(what)))
    }

    #[test]
    fn a_migration_that_earlier_code_cannot_work_with_says_so() {
        for migration in sqlite().iter().chain(&postgres()).filter(|one| one.version > SAYS_LEAST) {
            let lines = migration.sql.lines().filter(|line| !line.trim_start().starts_with("--"));
            let sql = lines.collect::<Vec<_>>().join("\n");
            let says = "UPDATE schema_compatibility SET least_migration = ";
            if let Some((_, number)) = sql.split_once(says) {
                let own = number.trim_end_matches([';', '\n']) == migration.version.to_string();
                assert!(own, "migration {} names another one", migration.version);
            } else if let Some(statement) = sql.split(';').find(|part| breaks(part, &sql)) {
                panic!(
                    "{statement}\nof migration {version} is nothing that earlier code can work with. End \
                     it with {says}{version}; (docs/upgrading.md)",
                    version = migration.version,
                );
            }
        }
    }

    #[test]
    fn what_breaks_earlier_code_is_seen() {
        let new = "CREATE TABLE shops (id BIGINT); CREATE UNIQUE INDEX shops_by_id ON shops (id)";
        for (sql, expected) in [
            ("ALTER TABLE calls DROP COLUMN source", true),
            ("ALTER TABLE calls ADD COLUMN shop BIGINT NOT NULL", true),
            ("ALTER TABLE calls ADD COLUMN shop BIGINT NOT NULL DEFAULT 0", false),
            ("CREATE UNIQUE INDEX calls_by_shop ON calls (shop)", true),
            (new, false),
        ] {
            assert_eq!(sql.split(';').any(|part| breaks(part, sql)), expected, "{sql}");
        }
    }
}
