//! Rows of results, read in one way whichever backend they come from.

use rust_decimal::Decimal;

use super::sqlite;
use crate::{
    error::{Error, Result},
    money::{ExchangeRate, Money},
};

/// A row of a result; columns go by position.
pub(crate) struct Row(pub(super) RowBackend);

pub(super) enum RowBackend {
    Sqlite(Box<[rusqlite::types::Value]>),
    Postgres(tokio_postgres::Row),
}

impl Row {
    /// The column as `T`. An error means that the schema is not what the code expects.
    pub(crate) fn get<T: Column>(&self, index: usize) -> Result<T> {
        T::read(self, index)
    }
}

/// What a column can be read as.
pub(crate) trait Column: Sized {
    /// Reads column `index` of `row`.
    fn read(row: &Row, index: usize) -> Result<Self>;
}

macro_rules! plain_column {
    ($($type:ty),*) => {$(
        impl Column for $type {
            fn read(row: &Row, index: usize) -> Result<Self> {
                Ok(match &row.0 {
                    RowBackend::Sqlite(row) => sqlite::read(row, index)?,
                    RowBackend::Postgres(row) => row.try_get(index)?,
                })
            }
        }
    )*};
}
plain_column!(bool, i64, Option<i64>, String, Option<String>, Vec<u8>);

impl Column for Decimal {
    fn read(row: &Row, index: usize) -> Result<Self> {
        match &row.0 {
            RowBackend::Sqlite(row) => sqlite::read_decimal(&sqlite::read::<String>(row, index)?),
            RowBackend::Postgres(row) => Ok(row.try_get::<_, Self>(index)?.normalize()),
        }
    }
}

impl Column for Option<Decimal> {
    fn read(row: &Row, index: usize) -> Result<Self> {
        match &row.0 {
            RowBackend::Sqlite(row) => {
                let text = sqlite::read::<Option<String>>(row, index)?;
                text.map(|text| sqlite::read_decimal(&text)).transpose()
            }
            RowBackend::Postgres(row) => {
                Ok(row.try_get::<_, Self>(index)?.map(|value| value.normalize()))
            }
        }
    }
}

impl Column for Money {
    fn read(row: &Row, index: usize) -> Result<Self> {
        Self::new(row.get(index)?).ok_or_else(|| Error::internal("a stored amount is out of range"))
    }
}

impl Column for ExchangeRate {
    fn read(row: &Row, index: usize) -> Result<Self> {
        Self::new(row.get(index)?)
            .ok_or_else(|| Error::internal("a stored exchange rate is out of range"))
    }
}
