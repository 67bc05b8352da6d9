//! Statements on their way to the server, and their answers.

use std::{
    borrow::Cow,
    collections::HashMap,
    error::Error as StdError,
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
};

use bytes::BytesMut;
use futures_util::{TryStreamExt, future::join};
use rust_decimal::Decimal;
use tokio_postgres::{
    RowStream, Statement,
    types::{IsNull, ToSql, Type, to_sql_checked},
};

use super::{
    super::{Query, Value},
    Watchdog,
    pool::Connection,
};
use crate::error::Result;

/// A statement with its parameters. Their types are said to the server, which would otherwise
/// guess them from where they stand.
pub(super) struct Request {
    pub(super) sql: Cow<'static, str>,
    pub(super) parameters: Vec<Parameter>,
}

/// A parameter of a statement, or a column of many rows.
pub(super) enum Parameter {
    Bool(bool),
    Int(Option<i64>),
    Text(String),
    Decimal(Option<Decimal>),
    Bytes(Vec<u8>),
    Bools(Vec<bool>),
    Ints(Vec<Option<i64>>),
    Texts(Vec<String>),
    Decimals(Vec<Option<Decimal>>),
    ManyBytes(Vec<Vec<u8>>),
}

impl Parameter {
    fn of(value: Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(value),
            Value::Int(value) => Self::Int(value),
            Value::Text(value) => Self::Text(storable(value)),
            Value::Decimal(value) => Self::Decimal(value),
            Value::Bytes(value) => Self::Bytes(value),
        }
    }

    fn sql_type(&self) -> Type {
        match self {
            Self::Bool(_) => Type::BOOL,
            Self::Int(_) => Type::INT8,
            Self::Text(_) => Type::TEXT,
            Self::Decimal(_) => Type::NUMERIC,
            Self::Bytes(_) => Type::BYTEA,
            Self::Bools(_) => Type::BOOL_ARRAY,
            Self::Ints(_) => Type::INT8_ARRAY,
            Self::Texts(_) => Type::TEXT_ARRAY,
            Self::Decimals(_) => Type::NUMERIC_ARRAY,
            Self::ManyBytes(_) => Type::BYTEA_ARRAY,
        }
    }
}

/// The driver writes parameters to its log, where secrets do not belong.
impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.sql_type())
    }
}

impl ToSql for Parameter {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Self::Bool(value) => value.to_sql(ty, out),
            Self::Int(value) => value.to_sql(ty, out),
            Self::Text(value) => value.to_sql(ty, out),
            Self::Decimal(value) => value.to_sql(ty, out),
            Self::Bytes(value) => value.to_sql(ty, out),
            Self::Bools(values) => values.to_sql(ty, out),
            Self::Ints(values) => values.to_sql(ty, out),
            Self::Texts(values) => values.to_sql(ty, out),
            Self::Decimals(values) => values.to_sql(ty, out),
            Self::ManyBytes(values) => values.to_sql(ty, out),
        }
    }

    /// Their types are those that were said to the server.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// PostgreSQL refuses texts with a NUL. Stored texts are checked long before and have none,
/// so that a text to look for may have another character in its place: it fits nothing.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

impl From<Query> for Request {
    fn from(query: Query) -> Self {
        let parameters = query.values.into_iter().map(Parameter::of).collect();
        Self { sql: query.sql, parameters }
    }
}

impl From<&'static str> for Request {
    fn from(sql: &'static str) -> Self {
        Self { sql: Cow::Borrowed(sql), parameters: Vec::new() }
    }
}

/// What the server answers to a statement.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) rows: Vec<tokio_postgres::Row>,
    /// How many rows it changed.
    pub(super) affected: u64,
}

type Sent<'c> = Pin<Box<dyn Future<Output = Result<Answer, tokio_postgres::Error>> + Send + 'c>>;

/// Sends statements at once, without waiting for an answer in between, and adds their answers
/// in order, up to the first error. If one cannot be sent, none behind it is: so a COMMIT is made
/// of all or not at all.
pub(super) async fn send(
    connection: &Connection,
    watchdog: Watchdog,
    requests: Vec<Request>,
    answers: &mut Vec<Answer>,
) -> Result<()> {
    let mut sent: Vec<Result<Answer, Sent<'_>>> = Vec::with_capacity(requests.len());
    for request in requests {
        let mut answer: Sent<'_> = Box::pin(answer(connection, request));
        // The driver has sent a statement when its answer is first asked for.
        sent.push(match poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await {
            Poll::Ready(answer) => Ok(answer?),
            Poll::Pending => Err(answer),
        });
    }
    for answer in sent {
        answers.push(match answer {
            Ok(answer) => answer,
            Err(waiting) => watchdog.watch(waiting).await?,
        });
    }
    Ok(())
}

async fn answer(
    connection: &Connection,
    request: Request,
) -> Result<Answer, tokio_postgres::Error> {
    let mut rows = Vec::new();
    let affected = for_each(connection, request, |row| {
        rows.push(row);
        Ok(())
    })
    .await?;
    Ok(Answer { rows, affected })
}

/// Runs a statement, and hands its rows over one by one. Returns how many rows it changed.
pub(super) async fn for_each(
    connection: &Connection,
    request: Request,
    row: impl FnMut(tokio_postgres::Row) -> Result<(), tokio_postgres::Error>,
) -> Result<u64, tokio_postgres::Error> {
    let Request { sql, parameters } = request;
    let types: Vec<Type> = parameters.iter().map(Parameter::sql_type).collect();
    let client = &connection.client;
    let text = Text { sql, types };
    let known = connection.statements().find(&text);
    // The driver's futures are large: on the heap, those of whoever waits for them stay small.
    if let Known::Prepared(statement) = known {
        return Box::pin(read(client.query_raw(&statement, parameters), row)).await;
    }
    let parameters = parameters.into_iter().zip(text.types.iter().cloned());
    let run = Box::pin(read(client.query_typed_raw(&text.sql, parameters), row));
    if let Known::New = known {
        return run.await;
    }
    // It is prepared beside its second use, so that nobody ever waits for that alone.
    let prepare = Box::pin(client.prepare_typed(&text.sql, &text.types));
    let (done, prepared) = join(run, prepare).await;
    // A failure of either ends the transaction.
    let (affected, statement) = (done?, prepared?);
    connection.statements().keep(text, Some(statement));
    Ok(affected)
}

async fn read(
    rows: impl Future<Output = Result<RowStream, tokio_postgres::Error>>,
    mut each: impl FnMut(tokio_postgres::Row) -> Result<(), tokio_postgres::Error>,
) -> Result<u64, tokio_postgres::Error> {
    let mut rows = pin!(rows.await?);
    while let Some(row) = rows.try_next().await? {
        each(row)?;
    }
    Ok(rows.rows_affected().unwrap_or(0))
}

/// How many statements are known per connection at most, in two halves: when the young one is
/// full, what was not used since the last time is forgotten.
const HALF: usize = 128;
/// Longer statements are lists of values, of which hardly two are alike.
const LONGEST: usize = 4096;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Text {
    sql: Cow<'static, str>,
    types: Vec<Type>,
}

/// The statements that a connection has seen. Those that came twice are prepared.
#[derive(Default)]
pub(super) struct Statements {
    young: HashMap<Text, Option<Statement>>,
    old: HashMap<Text, Option<Statement>>,
}

enum Known {
    New,
    Seen,
    Prepared(Statement),
}

impl Statements {
    fn find(&mut self, text: &Text) -> Known {
        if text.sql.len() > LONGEST {
            return Known::New;
        }
        let known = if let Some(known) = self.young.get(text) {
            Some(known.clone())
        } else {
            let known = self.old.remove(text);
            self.keep(text.clone(), known.clone().flatten());
            known
        };
        match known {
            None => Known::New,
            Some(None) => Known::Seen,
            Some(Some(statement)) => Known::Prepared(statement),
        }
    }

    fn keep(&mut self, text: Text, statement: Option<Statement>) {
        if self.young.len() >= HALF && !self.young.contains_key(&text) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(text, statement);
    }
}
