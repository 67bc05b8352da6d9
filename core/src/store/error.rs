//! Why the database failed.

use rusqlite::{
    ErrorCode,
    ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE},
};
use tokio_postgres::error::SqlState;

/// A failure of the database, or of the way to it.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// SQLite says so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL says so, or the connection to it broke.
    #[error(transparent)]
    Postgres(#[from] tokio_postgres::Error),
    /// Another process keeps the file from being emptied.
    #[error("the database is in use by another process")]
    Busy,
    /// A statement has its parameters in another order than that of their numbers.
    #[error("the parameters of a statement are out of order")]
    Disordered,
    /// A statement was given up with its connection.
    #[error("the database does not answer")]
    TimedOut,
    /// All connections are in use, or none can be made.
    #[error("no connection to the database was to be had in time")]
    NoConnection,
    /// The URL asks for what is not built in.
    #[error("connections to PostgreSQL are made without TLS: sslmode=require is not possible")]
    NoTls,
    /// An earlier statement of a transaction failed, which ended it.
    #[error("the transaction has failed already")]
    Aborted,
}

impl DatabaseError {
    /// Whether there is another row with the same key.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error().is_some_and(|error| {
                [SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY]
                    .contains(&error.extended_code)
            }),
            Self::Postgres(error) => error.code() == Some(&SqlState::UNIQUE_VIOLATION),
            Self::Busy
            | Self::Disordered
            | Self::TimedOut
            | Self::NoConnection
            | Self::NoTls
            | Self::Aborted => false,
        }
    }

    /// Whether the transaction lost to another one, and may be made again.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        let Self::Postgres(error) = self else { return false };
        matches!(
            error.code(),
            Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED)
        )
    }

    /// Whether somebody else held what was to be changed for too long. Nothing was done.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy),
            Self::Postgres(error) => error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE),
            _ => false,
        }
    }

    /// Whether the database cannot be reached: it has not said anything.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Postgres(error) => error.as_db_error().is_none(),
            Self::TimedOut | Self::NoConnection | Self::NoTls => true,
            Self::Sqlite(_) | Self::Busy | Self::Disordered | Self::Aborted => false,
        }
    }
}
