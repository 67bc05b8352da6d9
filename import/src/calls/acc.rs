//! Kamailio's table `acc`: a row for each transaction, of which an INVITE and a BYE make a call.
//!
//! Rows of one dialog may come in any order and in several files: an INVITE within the call, a BYE that was
//! refused and sent again, one from either end. Which of them count is known after the last one.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::{
    CallOptions, Column, Format, Problem, Span,
    file::CallItem,
    number::{cut, shown},
    record::{Reading, Values, sip_status},
    time::Times,
};
use crate::table::CellKind;

/// Two ends that hang up at once say it within this time of each other.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(1);

/// Kamailio's dialogs, some of which may be in several files: a call that began before a dump was
/// made and ended after it.
///
/// [`CallFile::with_dialogs`](super::CallFile::with_dialogs) goes on with them,
/// [`CallFile::into_dialogs`](super::CallFile::into_dialogs) gives them back, and
/// [`Self::finish`] says at last what they are.
#[derive(Debug, Default)]
pub struct Dialogs {
    dialogs: HashMap<Key, Dialog>,
    /// How many files were read.
    files: usize,
}

impl Dialogs {
    /// What has become of the dialogs after the last file: calls, and what is refused. Each with the number
    /// of its file among those of Kamailio's, from 0, in order.
    #[must_use]
    pub fn finish(self, options: &CallOptions) -> Vec<(usize, CallItem)> {
        let reading = Reading { format: Format::KamailioAcc, options };
        let mut items: Vec<_> =
            self.dialogs.into_values().flat_map(|dialog| dialog.items(reading)).collect();
        items.sort_by_key(|(file, line, _)| (*file, *line));
        items.into_iter().map(|(file, _, item)| (file, item)).collect()
    }
}

/// Transactions on their way to become calls.
#[derive(Default)]
pub(crate) struct Pairs {
    pub(crate) dialogs: Dialogs,
    /// Whether what is there at the end goes on to a further file.
    pub(crate) go_on: bool,
    due: VecDeque<CallItem>,
    /// What there was at the end.
    left: Option<VecDeque<CallItem>>,
}

/// Call-ID and both tags; either end may send the BYE, with the tags the other way round.
type Key = (String, String, String);

/// An item with its file and line.
type Placed = (usize, u64, CallItem);

/// The transactions of a dialog.
#[derive(Debug, Default)]
struct Dialog {
    /// INVITEs that were answered.
    invites: Vec<Transaction>,
    /// BYEs that were.
    byes: Vec<Transaction>,
    /// BYEs that failed: the other end may be gone.
    failed: Vec<Transaction>,
}

#[derive(Debug)]
struct Transaction {
    file: usize,
    line: u64,
    text: Box<str>,
    /// What its cells say, one behind the other.
    said: Box<str>,
    /// Where each ends in there, and what it holds.
    cells: Box<[(Column, usize, CellKind)]>,
}

impl Transaction {
    /// With what those columns say: there may be millions, of which no more is kept than is needed.
    fn new(values: &Values<'_>, columns: &[Column], file: usize, line: u64, text: &str) -> Self {
        let mut said = String::new();
        let mut cells = Vec::new();
        for column in columns.iter().copied().filter(|column| !values.get(*column).is_empty()) {
            said.push_str(values.get(column));
            cells.push((column, said.len(), values.kind(column)));
        }
        let text = cut(text, 4_096).into();
        Self { file, line, text, said: said.into(), cells: cells.into() }
    }

    fn values(&self) -> Values<'_> {
        let mut values = Values::new();
        let mut from = 0;
        for (column, end, kind) in &self.cells {
            values.set_as(*column, self.said.get(from..*end).unwrap_or_default(), *kind);
            from = *end;
        }
        values
    }

    /// When it was.
    fn time(&self, reading: Reading<'_>) -> Result<Timestamp, Problem> {
        const TIME: Column = Column::StartTime;
        let CallOptions { date_format, zone, .. } = reading.options;
        let times = Times { format: date_format.as_deref(), zone };
        let values = self.values();
        let written = times.read(TIME.name(), values.get(TIME), values.kind(TIME))?;
        let moments = times.moments(written.ok_or(Problem::NoStartTime)?);
        moments.first().ok_or_else(|| Problem::NoSuchTime {
            column: TIME.name(),
            text: shown(values.get(TIME)),
            zone: zone.iana_name().unwrap_or("the time zone").to_owned(),
        })
    }

    fn refused(&self, problem: Problem) -> Placed {
        let item = CallItem::refused(Span::line(self.line), problem, &self.text);
        (self.file, self.line, item)
    }
}

impl Pairs {
    /// What has become of the rows so far.
    pub(crate) fn due(&mut self) -> Option<CallItem> {
        self.due.pop_front()
    }

    pub(crate) fn take(
        &mut self,
        values: &Values<'_>,
        line: u64,
        text: &str,
        reading: Reading<'_>,
    ) {
        let span = Span::line(line);
        let refused = |problem| CallItem::refused(span, problem, text);
        let method = values.get(Column::Method).trim().to_uppercase();
        let status = match sip_status(values.get(Column::SipCode).trim()) {
            Ok(status) => status,
            Err(problem) => return self.due.push_back(refused(problem)),
        };
        let answered = (200..300).contains(&status);
        let is_invite = match method.as_str() {
            "INVITE" if answered => true,
            // It was not answered: there will be no BYE.
            "INVITE" => {
                let call = reading.call(values, span);
                return self.due.push_back(CallItem::of(call, span, text));
            }
            // Who hangs up was asked who they are: the call goes on until they say it.
            "BYE" if matches!(status, 401 | 407) => return,
            "BYE" => false,
            _ => return self.due.push_back(refused(Problem::Method(shown(&method)))),
        };
        let mut tags = [values.get(Column::FromTag), values.get(Column::ToTag)];
        tags.sort_unstable();
        let [one, other] = tags.map(str::to_owned);
        let key = (values.get(Column::CallId).to_owned(), one, other);
        let Dialogs { dialogs, files } = &mut self.dialogs;
        let columns: &[Column] = if is_invite { Column::ALL } else { &[Column::StartTime] };
        let new = Transaction::new(values, columns, *files, line, text);
        let Dialog { invites, byes, failed } = dialogs.entry(key).or_default();
        match (is_invite, answered) {
            (true, _) => invites.push(new),
            (false, true) => byes.push(new),
            (false, false) => failed.push(new),
        }
    }

    /// At the end of the file: what its dialogs are.
    pub(crate) fn left(&mut self, options: &CallOptions) -> Option<CallItem> {
        if self.go_on {
            return None;
        }
        let left = self.left.get_or_insert_with(|| {
            let dialogs = std::mem::take(&mut self.dialogs);
            dialogs.finish(options).into_iter().map(|(_, item)| item).collect()
        });
        left.pop_front()
    }

    /// The dialogs for the next file.
    pub(crate) fn into_dialogs(self) -> Dialogs {
        Dialogs { files: self.dialogs.files + 1, ..self.dialogs }
    }
}

impl Dialog {
    fn items(self, reading: Reading<'_>) -> Vec<Placed> {
        let problem = match self.call(reading) {
            Ok(items) => return items,
            Err(problem) => problem,
        };
        let all = self.invites.iter().chain(&self.byes).chain(&self.failed);
        all.map(|transaction| transaction.refused(problem.clone())).collect()
    }

    /// The call from its first INVITE, with the further ones refused; else why all of the dialog is.
    fn call(&self, reading: Reading<'_>) -> Result<Vec<Placed>, Problem> {
        let Some((_, invite)) = edge(&self.invites, true, reading)? else {
            return Err(Problem::NoInvite);
        };
        let bye = match edge(&self.byes, true, reading)? {
            Some((first, bye)) => {
                // One that ended is not ended again: nobody knows which is true.
                let last = edge(&self.byes, false, reading)?;
                if let Some((time, other)) = last
                    && time.duration_since(first) > AT_ONCE
                {
                    return Err(Problem::OtherBye(bye.line, other.line));
                }
                Some(bye)
            }
            None => edge(&self.failed, false, reading)?.map(|(_, bye)| bye),
        };
        let bye = bye.ok_or(Problem::NoBye)?;
        let further = self.invites.iter().filter(|other| !std::ptr::eq(*other, invite));
        let mut items: Vec<_> =
            further.map(|other| other.refused(Problem::Further("INVITE", invite.line))).collect();
        items.push(whole(invite, bye, reading)?);
        Ok(items)
    }
}

/// The first or the last of some transactions, and when it was. Of several at one time it is the one that
/// was read first.
fn edge<'t>(
    transactions: &'t [Transaction],
    first: bool,
    reading: Reading<'_>,
) -> Result<Option<(Timestamp, &'t Transaction)>, Problem> {
    let mut edge: Option<(Timestamp, &Transaction)> = None;
    for transaction in transactions {
        let time = transaction.time(reading)?;
        let is_beyond = |found| if first { time < found } else { time > found };
        if edge.is_none_or(|(found, _)| is_beyond(found)) {
            edge = Some((time, transaction));
        }
    }
    Ok(edge)
}

/// The row of an INVITE is written when it is answered, that of a BYE at the end.
fn whole(invite: &Transaction, bye: &Transaction, reading: Reading<'_>) -> Result<Placed, Problem> {
    let mut values = invite.values();
    for (column, transaction) in [(Column::AnswerTime, invite), (Column::EndTime, bye)] {
        let of = transaction.values();
        values.set_as(column, of.get(Column::StartTime), of.kind(Column::StartTime));
    }
    let span = Span::line(invite.line);
    let item = match reading.call(&values, span) {
        Ok(mut call) => {
            // Lines are those of the file that has the INVITE.
            call.bye_line = (invite.file == bye.file).then_some(bye.line);
            CallItem::Call(Box::new(call))
        }
        // A call of two rows is one that is left out.
        Err(Problem::Internal(number)) => CallItem::Internal { span, number, outer: None },
        Err(problem) => return Err(problem),
    };
    Ok((invite.file, invite.line, item))
}
