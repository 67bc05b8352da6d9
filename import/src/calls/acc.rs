//! Kamailio's table `acc`: a row for each transaction, of which an INVITE and a BYE make a call.

use std::collections::{HashMap, VecDeque};

use super::{
    Column, Problem, Span,
    file::CallItem,
    number::{cut, shown},
    record::{Reading, Values, sip_status},
};
use crate::table::CellKind;

/// Kamailio's dialogs whose other half may be in a further file: a call that began before a
/// dump was made and ended after it.
///
/// [`CallFile::with_dialogs`](super::CallFile::with_dialogs) goes on with them,
/// [`CallFile::into_dialogs`](super::CallFile::into_dialogs) gives them back, and
/// [`Self::refused`] says at last what was left.
#[derive(Debug, Default)]
pub struct Dialogs {
    dialogs: HashMap<Dialog, Half>,
    /// How many files were read.
    files: usize,
}

impl Dialogs {
    /// What is left without its other half after the last file: an INVITE that was answered, a
    /// BYE. Each with the number of its file among those of Kamailio's, from 0, in order.
    #[must_use]
    pub fn refused(self) -> Vec<(usize, CallItem)> {
        let halves = self.dialogs.into_values().filter_map(|half| match half {
            Half::Invite(invite) => Some((invite, Problem::NoBye)),
            Half::Bye(bye) => Some((bye, Problem::NoInvite)),
            Half::Whole(_) => None,
        });
        let mut halves: Vec<_> = halves.collect();
        halves.sort_by_key(|(half, _)| (half.file, half.line));
        halves.into_iter().map(|(half, problem)| (half.file, half.refused(problem))).collect()
    }
}

/// Transactions on their way to become calls.
#[derive(Default)]
pub(crate) struct Pairs {
    pub(crate) dialogs: Dialogs,
    /// Whether what is left at the end goes on to a further file.
    pub(crate) go_on: bool,
    due: VecDeque<CallItem>,
    /// What was left at the end.
    left: Option<VecDeque<CallItem>>,
}

/// Call-ID and both tags; either end may send the BYE, with the tags the other way round.
type Dialog = (String, String, String);

/// What is known of a dialog.
#[derive(Debug)]
enum Half {
    Invite(Transaction),
    Bye(Transaction),
    /// Both came; the line of the INVITE.
    Whole(u64),
}

#[derive(Debug)]
struct Transaction {
    file: usize,
    line: u64,
    text: String,
    /// What it says, by column, and what the cells hold.
    cells: Vec<(Column, String, CellKind)>,
}

impl Transaction {
    fn new(values: &Values<'_>, file: usize, line: u64, text: &str) -> Self {
        let cells = Column::ALL.iter().filter(|column| !values.get(**column).is_empty());
        let cell =
            |column: &Column| (*column, values.get(*column).to_owned(), values.kind(*column));
        Self { file, line, text: cut(text, 4_096).to_owned(), cells: cells.map(cell).collect() }
    }

    fn values(&self) -> Values<'_> {
        let mut values = Values::new();
        for (column, text, kind) in &self.cells {
            values.set_as(*column, text, *kind);
        }
        values
    }

    fn refused(&self, problem: Problem) -> CallItem {
        CallItem::refused(Span::line(self.line), problem, &self.text)
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
        match method.as_str() {
            "INVITE" if answered => {}
            // It was not answered: there will be no BYE.
            "INVITE" => {
                let call = reading.call(values, span);
                return self.due.push_back(CallItem::of(call, span, text));
            }
            // Whatever became of the BYE, the call is over: the other end may be gone.
            "BYE" => {}
            _ => return self.due.push_back(refused(Problem::Method(shown(&method)))),
        }
        let mut tags = [values.get(Column::FromTag), values.get(Column::ToTag)];
        tags.sort_unstable();
        let [one, other] = tags.map(str::to_owned);
        let dialog = (values.get(Column::CallId).to_owned(), one, other);
        let Dialogs { dialogs, files } = &mut self.dialogs;
        let new = Transaction::new(values, *files, line, text);
        let is_invite = method == "INVITE";
        let items = match (dialogs.remove(&dialog), is_invite) {
            (None, true) => {
                dialogs.insert(dialog, Half::Invite(new));
                return;
            }
            (None, false) => {
                dialogs.insert(dialog, Half::Bye(new));
                return;
            }
            (Some(Half::Invite(invite)), false) => {
                dialogs.insert(dialog, Half::Whole(invite.line));
                whole(&invite, &new, reading)
            }
            (Some(Half::Bye(bye)), true) => {
                dialogs.insert(dialog, Half::Whole(new.line));
                whole(&new, &bye, reading)
            }
            (Some(half), _) => {
                let first = match &half {
                    Half::Invite(first) | Half::Bye(first) => first.line,
                    Half::Whole(line) => *line,
                };
                dialogs.insert(dialog, half);
                let method = if is_invite { "INVITE" } else { "BYE" };
                vec![new.refused(Problem::Further(method, first))]
            }
        };
        self.due.extend(items);
    }

    /// At the end of the file: what is left without its other half.
    pub(crate) fn left(&mut self) -> Option<CallItem> {
        if self.go_on {
            return None;
        }
        let left = self.left.get_or_insert_with(|| {
            let dialogs = std::mem::take(&mut self.dialogs);
            dialogs.refused().into_iter().map(|(_, item)| item).collect()
        });
        left.pop_front()
    }

    /// The dialogs for the next file.
    pub(crate) fn into_dialogs(self) -> Dialogs {
        Dialogs { files: self.dialogs.files + 1, ..self.dialogs }
    }
}

/// The row of an INVITE is written when it is answered, that of a BYE at the end. If they make no
/// call, both are refused.
fn whole(invite: &Transaction, bye: &Transaction, reading: Reading<'_>) -> Vec<CallItem> {
    let mut values = invite.values();
    for (column, transaction) in [(Column::AnswerTime, invite), (Column::EndTime, bye)] {
        let of = transaction.values();
        values.set_as(column, of.get(Column::StartTime), of.kind(Column::StartTime));
    }
    match reading.call(&values, Span::line(invite.line)) {
        Ok(mut call) => {
            // Lines are those of the file that is read now.
            if invite.file == bye.file {
                call.bye_line = Some(bye.line);
            } else if bye.file > invite.file {
                call.span = Span::line(bye.line);
            }
            vec![CallItem::Call(Box::new(call))]
        }
        // A call of two rows is one that is left out.
        Err(Problem::Internal(number)) => {
            let now = if bye.file > invite.file { bye } else { invite };
            vec![CallItem::Internal { span: Span::line(now.line), number, outer: None }]
        }
        Err(problem) => {
            if invite.file == bye.file {
                return vec![invite.refused(problem.clone()), bye.refused(problem)];
            }
            // Only one of them is in the file that is read now: its item has both.
            let now = if bye.file > invite.file { bye } else { invite };
            let text = format!("{}\n{}", invite.text, bye.text);
            vec![CallItem::refused(Span::line(now.line), problem, &text)]
        }
    }
}
