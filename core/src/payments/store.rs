//! Payments in the database.

use super::{Direction, Payment, PaymentDraft, Said};
use crate::{
    access::Scope,
    error::{Error, Result},
    ids::{CurrencyId, PaymentId, UserId},
    money::Money,
    store::{Db, Insert, Query, Row, Tx},
};

const COLUMNS: &str = "SELECT p.id, p.user_id, p.direction, p.amount, p.tax, p.currency_id, \
                       p.exchange_rate, p.balance_change, p.balance_before, p.balance_after, \
                       p.comment, p.created_at, u.username, p.gateway, p.transaction_id, \
                       p.payer_email \
                       FROM payments p JOIN users u ON u.id = p.user_id";

fn read(row: &Row) -> Result<(Payment, String)> {
    let draft = PaymentDraft {
        direction: Direction::from_name(&row.get::<String>(2)?)?,
        amount: row.get(3)?,
        tax: row.get(4)?,
        currency: CurrencyId(row.get(5)?),
        exchange_rate: row.get(6)?,
        balance_change: row.get(7)?,
        said: Said {
            comment: row.get(10)?,
            gateway: row.get(13)?,
            transaction_id: row.get(14)?,
            payer_email: row.get(15)?,
        },
    };
    let payment = Payment {
        id: PaymentId(row.get(0)?),
        user: UserId(row.get(1)?),
        draft,
        balance_before: row.get(8)?,
        balance_after: row.get(9)?,
        created_at: row.get(11)?,
    };
    Ok((payment, row.get(12)?))
}

pub(crate) async fn insert(
    tx: &mut Tx,
    payments: impl IntoIterator<Item = &Payment>,
) -> Result<()> {
    let rows = payments.into_iter().map(|payment| {
        let draft = &payment.draft;
        vec![
            payment.id.into(),
            payment.user.into(),
            draft.direction.name().into(),
            draft.amount.into(),
            draft.tax.into(),
            draft.currency.into(),
            draft.exchange_rate.into(),
            draft.balance_change.into(),
            payment.balance_before.into(),
            payment.balance_after.into(),
            draft.said.comment.as_str().into(),
            payment.created_at.into(),
            draft.said.gateway.as_str().into(),
            draft.said.transaction_id.as_str().into(),
            draft.said.payer_email.as_str().into(),
        ]
    });
    let columns = &[
        "id",
        "user_id",
        "direction",
        "amount",
        "tax",
        "currency_id",
        "exchange_rate",
        "balance_change",
        "balance_before",
        "balance_after",
        "comment",
        "created_at",
        "gateway",
        "transaction_id",
        "payer_email",
    ];
    let rows = rows.collect();
    tx.queue(Insert { table: "payments", columns, rows, on_conflict: "" }).await
}

pub(crate) async fn get(tx: &mut Tx, id: PaymentId) -> Result<Payment> {
    let row = tx.fetch_optional(Query::new(COLUMNS).and(" WHERE p.id = ").value(id)).await?;
    let (payment, _) = read(&row.ok_or(Error::PaymentNotFound)?)?;
    Ok(payment)
}

/// What each payment did to its user's balance, for the audit.
pub(crate) async fn balance_changes(tx: &mut Tx) -> Result<Vec<(PaymentId, Money)>> {
    let rows = tx.fetch_all(Query::new("SELECT id, balance_change FROM payments")).await?;
    rows.iter().map(|row| Ok((PaymentId(row.get(0)?), row.get(1)?))).collect()
}

/// Which payments a list shows. Amounts are not among the conditions: where they are text,
/// the database cannot compare them.
pub(super) struct Filter<'a> {
    pub(super) scope: Scope,
    pub(super) id: Option<PaymentId>,
    pub(super) after: Option<i64>,
    pub(super) user: Option<UserId>,
    pub(super) from: Option<i64>,
    pub(super) till: Option<i64>,
    pub(super) username: &'a str,
    pub(super) first_name: &'a str,
    pub(super) last_name: &'a str,
    pub(super) gateway: &'a str,
    pub(super) transaction_id: &'a str,
    pub(super) currency: Option<CurrencyId>,
    pub(super) limit: i64,
}

impl Default for Filter<'_> {
    fn default() -> Self {
        Self {
            scope: Scope::any(),
            id: None,
            after: None,
            user: None,
            from: None,
            till: None,
            username: "",
            first_name: "",
            last_name: "",
            gateway: "",
            transaction_id: "",
            currency: None,
            limit: 1,
        }
    }
}

/// Payments with their users' login names, by ascending id.
pub(super) async fn list(db: &Db, filter: &Filter<'_>) -> Result<Vec<(Payment, String)>> {
    let mut query = Query::new(COLUMNS).and(" WHERE p.id > ").value(filter.after.unwrap_or(0));
    query = filter.scope.condition(query, "u");
    if let Some(id) = filter.id {
        query = query.and(" AND p.id = ").value(id);
    }
    if let Some(user) = filter.user {
        query = query.and(" AND p.user_id = ").value(user);
    }
    if let Some(from) = filter.from {
        query = query.and(" AND p.created_at >= ").value(from);
    }
    if let Some(till) = filter.till {
        query = query.and(" AND p.created_at <= ").value(till);
    }
    for (condition, text) in [
        (" AND u.username = ", filter.username),
        (" AND u.first_name = ", filter.first_name),
        (" AND u.last_name = ", filter.last_name),
        (" AND p.gateway = ", filter.gateway),
        (" AND p.transaction_id = ", filter.transaction_id),
    ] {
        if !text.is_empty() {
            query = query.and(condition).value(text);
        }
    }
    if let Some(currency) = filter.currency {
        query = query.and(" AND p.currency_id = ").value(currency);
    }
    let rows = db.fetch_all(query.and(" ORDER BY p.id LIMIT ").value(filter.limit)).await?;
    rows.iter().map(read).collect()
}

impl Payment {
    /// The net amount, in the payment's currency.
    pub(super) fn amount(&self) -> Money {
        self.draft.amount
    }
}
