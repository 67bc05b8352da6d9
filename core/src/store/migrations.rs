//! The versions of the schema, and which of them a database has yet to be given. They are noted
//! in the table and with the checksums that sqlx uses, which earlier releases were built on.

use std::collections::BTreeMap;

use sha2::{Digest, Sha384};

use super::DatabaseError;

/// A step from one version of the schema to the next.
pub(super) struct Migration {
    pub(super) version: i64,
    name: &'static str,
    pub(super) sql: &'static str,
}

/// The files of a folder, each by the two parts of its name.
macro_rules! migrations {
    ($folder:literal: $($version:literal $name:literal),+ $(,)?) => {
        &[$(Migration {
            version: version($version),
            name: $name,
            sql: include_str!(
                concat!("../../migrations/", $folder, "/", $version, "_", $name, ".sql")
            ),
        }),+]
    };
}

/// Those of SQLite, ascending.
pub(super) const SQLITE: &[Migration] = migrations!("sqlite":
    "0001" "users_and_ledger",
    "0002" "tariffs_and_rates",
    "0003" "calls_and_statistics",
    "0004" "number_pools",
    "0005" "networks_and_routing_groups",
    "0006" "balance_warnings",
    "0007" "changes_and_api_keys",
    "0008" "what_expires",
    "0009" "authorised_rates",
    "0012" "uniquehashes",
    "0015" "unrated_calls",
    "0016" "import_profiles",
    "0017" "rate_imports",
    "0018" "billing_steps",
    "0019" "records_of_calls",
    "0021" "sides_of_unrated_calls",
    "0022" "ended_rates",
    "0023" "owners",
);

/// Those of PostgreSQL, ascending.
pub(super) const POSTGRES: &[Migration] = migrations!("postgres":
    "0001" "users_and_ledger",
    "0002" "tariffs_and_rates",
    "0003" "calls_and_statistics",
    "0004" "number_pools",
    "0005" "networks_and_routing_groups",
    "0006" "balance_warnings",
    "0007" "changes_and_api_keys",
    "0008" "keys_of_transactions",
    "0009" "authorised_rates",
    "0012" "uniquehashes",
    "0014" "no_statistics_of_secrets",
    "0015" "unrated_calls",
    "0016" "import_profiles",
    "0017" "rate_imports",
    "0018" "billing_steps",
    "0019" "records_of_calls",
    "0021" "sides_of_unrated_calls",
    "0022" "ended_rates",
    "0023" "owners",
);

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
    /// The database was written by a later release.
    #[error("migration {0} was applied, and is not known: the database is of a later version")]
    Missing(i64),
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
}

impl Applied {
    /// What has yet to be done to reach this version, in order.
    pub(super) fn missing(
        &self,
        all: &'static [Migration],
    ) -> Result<Vec<&'static Migration>, MigrationError> {
        if let Some(version) = self.half.first() {
            return Err(MigrationError::Dirty(*version));
        }
        let known = |version: &i64| all.iter().any(|migration| migration.version == *version);
        if let Some(version) = self.whole.keys().find(|version| !known(version)) {
            return Err(MigrationError::Missing(*version));
        }
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
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_file_is_a_migration() {
        for (folder, migrations) in [("sqlite", SQLITE), ("postgres", POSTGRES)] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
            let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
            let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            let known = migrations.iter().map(|one| format!("{:04}_{}.sql", one.version, one.name));
            assert_eq!(known.collect::<Vec<_>>(), names);
        }
    }

    #[test]
    fn a_database_is_brought_up_to_date_or_refused() {
        let of = |count: usize| Applied {
            whole: SQLITE[..count].iter().map(|one| (one.version, one.checksum())).collect(),
            half: Vec::new(),
        };
        assert_eq!(of(0).missing(SQLITE).unwrap().len(), SQLITE.len());
        assert_eq!(of(7).missing(SQLITE).unwrap()[0].version, 8);
        assert!(of(SQLITE.len()).missing(SQLITE).unwrap().is_empty());

        let mut newer = of(SQLITE.len());
        newer.whole.insert(9_999, Vec::new());
        assert!(matches!(newer.missing(SQLITE), Err(MigrationError::Missing(9_999))));
        let mut changed = of(3);
        changed.whole.insert(2, vec![0; 48]);
        assert!(matches!(changed.missing(SQLITE), Err(MigrationError::Changed(2))));
        let half = Applied { half: vec![4], ..of(3) };
        assert!(matches!(half.missing(SQLITE), Err(MigrationError::Dirty(4))));
    }
}
