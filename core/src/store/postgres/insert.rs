//! Many rows for one table.

use super::{
    super::{Insert, Value},
    request::{Parameter, Request},
};
use crate::error::{Error, Result};

/// How many rows a statement has. More are several, which are sent at once.
const ROWS: usize = 1_000;

/// Rows go in as an array per column: one statement, however many they are, which is prepared
/// once.
pub(super) fn requests(insert: Insert) -> Result<Vec<Request>> {
    let Insert { table, columns, rows, on_conflict } = insert;
    let mut requests = Vec::with_capacity(rows.len().div_ceil(ROWS));
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let mut arrays: Vec<Parameter> = Vec::with_capacity(columns.len());
        for row in rows.by_ref().take(ROWS) {
            for (index, value) in row.into_iter().enumerate() {
                if arrays.len() == index {
                    arrays.push(array_of(&value));
                }
                push(&mut arrays[index], value)?;
            }
        }
        // Numbers without a type: it is said with the statement.
        let places: Vec<String> = (1..=arrays.len()).map(|number| format!("${number}")).collect();
        let sql = format!(
            "INSERT INTO {table} ({}) SELECT * FROM UNNEST({}){on_conflict}",
            columns.join(", "),
            places.join(", "),
        );
        requests.push(Request { sql: sql.into(), parameters: arrays });
    }
    Ok(requests)
}

fn array_of(value: &Value) -> Parameter {
    match value {
        Value::Bool(_) => Parameter::Bools(Vec::new()),
        Value::Int(_) => Parameter::Ints(Vec::new()),
        Value::Text(_) => Parameter::Texts(Vec::new()),
        Value::Decimal(_) => Parameter::Decimals(Vec::new()),
        Value::Bytes(_) => Parameter::ManyBytes(Vec::new()),
    }
}

fn push(array: &mut Parameter, value: Value) -> Result<()> {
    match (array, value) {
        (Parameter::Bools(values), Value::Bool(value)) => values.push(value),
        (Parameter::Ints(values), Value::Int(value)) => values.push(value),
        (Parameter::Texts(values), Value::Text(value)) => values.push(value),
        (Parameter::Decimals(values), Value::Decimal(value)) => values.push(value),
        (Parameter::ManyBytes(values), Value::Bytes(value)) => values.push(value),
        _ => return Err(Error::internal("the values of a column are of several kinds")),
    }
    Ok(())
}
