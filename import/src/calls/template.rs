//! Lines of FreeSWITCH's `mod_cdr_csv`, which puts variables between quotes and escapes nothing.
//!
//! A name that holds `","` gives its line more cells than the template has. Which of them are the
//! caller's cannot be told for certain (the number called may hold as much), so that such a line
//! is refused. What is in a cell can only add to their count: a line of the right count is cut
//! where the switch cut it, and a quote in a cell that a caller has no hand in shows the rest.

use super::{OpenError, Problem, cause, layout::Layout, names::FREESWITCH, options::Format};

/// A template: what stands before, between and behind its variables, and the variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// Before the first cell, for example `INSERT INTO cdr VALUES (`.
    prefix: String,
    /// Behind the last.
    suffix: String,
    /// Whether cells are in quotes.
    quoted: bool,
    /// The names of the variables.
    names: Vec<String>,
    /// For each, whether a caller has a hand in it.
    open: Vec<bool>,
    pub(crate) layout: Layout,
}

/// Variables that the switch fills on its own: there is no quote in them.
const CLOSED: &[&str] = &[
    "context",
    "start_stamp",
    "answer_stamp",
    "end_stamp",
    "start_epoch",
    "answer_epoch",
    "end_epoch",
    "start_uepoch",
    "answer_uepoch",
    "end_uepoch",
    "duration",
    "billsec",
    "hangup_cause",
    "uuid",
    "bleg_uuid",
    "aleg_uuid",
    "accountcode",
    "read_codec",
    "write_codec",
    "amaflags",
    "direction",
    "signal_bond",
    "network_addr",
    "sip_gateway_name",
    "last_app",
    // Numbers come from a caller, but no number that can be billed has a quote.
    "caller_id_number",
    "destination_number",
    "ani",
];

impl Template {
    /// The templates that FreeSWITCH ships: `conf/vanilla/autoload_configs/cdr_csv.conf.xml`.
    pub(crate) fn shipped(format: Format) -> Option<Self> {
        const EXAMPLE: &str = "caller_id_name caller_id_number destination_number context \
             start_stamp answer_stamp end_stamp duration billsec hangup_cause uuid bleg_uuid \
             accountcode";
        let names = match format {
            Format::FreeswitchSql => EXAMPLE.to_owned(),
            Format::FreeswitchExample => format!("{EXAMPLE} read_codec write_codec"),
            Format::FreeswitchSnom => format!(
                "{EXAMPLE} read_codec write_codec sip_user_agent call_clientcode sip_rtp_rxstat \
                 sip_rtp_txstat sofia_record_file"
            ),
            Format::FreeswitchLinksys => {
                format!("{EXAMPLE} read_codec write_codec sip_user_agent sip_p_rtp_stat")
            }
            Format::FreeswitchAsterisk => "accountcode caller_id_number destination_number \
                 context caller_id channel_name bridge_channel last_app last_arg start_stamp \
                 answer_stamp end_stamp duration billsec hangup_cause amaflags uuid userfield"
                .to_owned(),
            Format::FreeswitchOpencdrrate => "uuid signal_bond direction ani destination_number \
                 answer_stamp end_stamp billsec accountcode userfield network_addr \
                 original_caller_id_name sip_gateway_name"
                .to_owned(),
            _ => return None,
        };
        let names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
        let mut template = Self::of(names, true);
        if format == Format::FreeswitchSql {
            "INSERT INTO ".clone_into(&mut template.prefix);
            ");".clone_into(&mut template.suffix);
        }
        Some(template)
    }

    /// A template as the configuration of `mod_cdr_csv` has it.
    pub(crate) fn parse(text: &str) -> Result<Self, OpenError> {
        let bad = |why: &str| OpenError::Template(why.to_owned());
        let text = text.trim().replace("&quot;", "\"");
        let mut names = Vec::new();
        let mut literals = Vec::new();
        let mut rest = text.as_str();
        while let Some((literal, variable)) = rest.split_once("${") {
            let (name, after) = variable.split_once('}').ok_or_else(|| bad("has an open ${"))?;
            literals.push(literal);
            names.push(name.trim().to_owned());
            rest = after;
        }
        let (Some(first), false) = (literals.first(), names.len() < 2) else {
            return Err(bad("names fewer than two variables, as ${uuid}"));
        };
        let quoted = first.ends_with('"');
        for between in &literals[1..] {
            let separator = between.replace(' ', "");
            if separator != if quoted { "\",\"" } else { "," } {
                return Err(bad("has something else than commas, or quotes on some cells only"));
            }
        }
        let mut template = Self::of(names, quoted);
        if quoted {
            first.strip_suffix('"').unwrap_or(first).clone_into(&mut template.prefix);
            let suffix = rest.strip_prefix('"').ok_or_else(|| bad("ends without a quote"))?;
            suffix.clone_into(&mut template.suffix);
        } else {
            (*first).clone_into(&mut template.prefix);
            rest.clone_into(&mut template.suffix);
        }
        if let Some(column) = template.layout.missing().first() {
            return Err(OpenError::Template(format!("has no variable for {column}")));
        }
        Ok(template)
    }

    fn of(names: Vec<String>, quoted: bool) -> Self {
        let layout = Layout::by_names(FREESWITCH, &names);
        let open = names.iter().map(|name| !CLOSED.contains(&name.as_str())).collect();
        Self { prefix: String::new(), suffix: String::new(), quoted, names, open, layout }
    }

    /// How many cells it has.
    pub(crate) fn width(&self) -> usize {
        self.names.len()
    }

    /// The cells of a line.
    pub(crate) fn split<'a>(&self, line: &'a str) -> Result<Vec<&'a str>, Problem> {
        let line = line.trim();
        let inner = self.inner(line).ok_or(Problem::Not("line of the template"))?;
        let cells: Vec<&str> = if self.quoted {
            let inner = inner.strip_prefix('"').ok_or(Problem::Not("quote at the beginning"))?;
            quoted_cells(inner.strip_suffix('"').ok_or(Problem::OpenQuote)?)
        } else {
            inner.split(',').map(str::trim).collect()
        };
        if cells.len() < self.names.len() {
            return Err(Problem::cells(cells.len(), self.names.len()));
        }
        if cells.len() > self.names.len() {
            return Err(Problem::Unescaped("more cells than the template has"));
        }
        let stray = |(open, cell): (&bool, &&str)| !open && cell.contains('"');
        if self.open.iter().zip(&cells).any(stray) {
            return Err(Problem::Unescaped("a quote in a cell that has none"));
        }
        Ok(cells)
    }

    /// Without what stands before and behind the cells. What comes after the table's name in an
    /// INSERT is the operator's.
    fn inner<'a>(&self, line: &'a str) -> Option<&'a str> {
        let line = line.strip_prefix(&self.prefix)?.strip_suffix(&self.suffix)?;
        if self.prefix == "INSERT INTO " {
            let (table, cells) = line.split_once(" VALUES (")?;
            return (!table.contains('"')).then_some(cells);
        }
        Some(line)
    }

    /// Whether a line is one of this template: it has its cells, and what must be times,
    /// seconds and causes are that.
    pub(crate) fn fits(&self, line: &str) -> bool {
        let Ok(cells) = self.split(line) else { return false };
        let mut times = 0;
        let fit = self.names.iter().zip(&cells).all(|(name, cell)| match name.as_str() {
            "start_stamp" | "answer_stamp" | "end_stamp" => {
                times += usize::from(!cell.is_empty());
                cell.is_empty() || is_stamp(cell)
            }
            "duration" | "billsec" => {
                !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit())
            }
            "hangup_cause" => cause::code(cell).is_some(),
            "uuid" => !cell.is_empty() && !cell.contains(' '),
            _ => true,
        });
        fit && times > 0
    }
}

/// Whether a line may be one of `mod_cdr_csv` that a name has broken: more cells than any small
/// template has, with times and a cause among them.
pub(crate) fn is_broken(line: &str) -> bool {
    let cells = quoted_cells(line.trim());
    let times = cells.iter().filter(|cell| is_stamp(cell)).count();
    let causes = cells.iter().filter(|cell| cell.contains('_') && cause::code(cell).is_some());
    cells.len() > 13 && times >= 2 && causes.count() >= 1
}

/// `2026-11-20 10:00:00`, as switches write times.
pub(crate) fn is_stamp(text: &str) -> bool {
    text.len() >= 19 && text.is_ascii() && text.parse::<jiff::civil::DateTime>().is_ok()
}

/// Cut at each quote, comma, at most one space, and quote.
fn quoted_cells(inner: &str) -> Vec<&str> {
    let mut cells = Vec::with_capacity(20);
    let (mut start, mut from) = (0, 0);
    while let Some(at) = inner[from..].find("\",").map(|at| at + from) {
        let after = &inner[at + 2..];
        let space = usize::from(after.starts_with(' '));
        if after[space..].starts_with('"') {
            cells.push(&inner[start..at]);
            start = at + 3 + space;
            from = start;
        } else {
            from = at + 1;
        }
    }
    cells.push(&inner[start..]);
    cells
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LINE: &str = r#""Cust","3705","370","default","2026-11-20 10:00:00","2026-11-20 10:00:10","2026-11-20 10:01:10","70","60","NORMAL_CLEARING","u-1","","globex","PCMU","PCMU""#;

    #[test]
    fn names_cannot_move_cells() {
        let example = Template::shipped(Format::FreeswitchExample).unwrap();
        assert!(example.fits(LINE));
        let cells = example.split(LINE).unwrap();
        let named = |name: &str| LINE.replacen("Cust", name, 1);
        for name in ["Joe \"J\" Cust", "a,b", "\"", "a\"", "\"a", "", "',--"] {
            let line = named(name);
            let read = example.split(&line).unwrap();
            assert_eq!(read[0], name);
            assert_eq!(read[1..], cells[1..], "{name}");
        }
        for name in ["a\",\"b", "x\",\"1\",\"2", "a\",", ",\"b", "\", \""] {
            match example.split(&named(name)) {
                Ok(read) => assert_eq!(read[1..], cells[1..], "{name}"),
                Err(problem) => assert!(matches!(problem, Problem::Unescaped(_)), "{name}"),
            }
        }
    }

    #[test]
    fn templates_of_operators() {
        let text =
            r#""${uuid}","${start_epoch}","${billsec}","${destination_number}","${accountcode}""#;
        let template = Template::parse(text).unwrap();
        assert_eq!(template.split(r#""u","1795161600","60","370","acme""#).unwrap().len(), 5);
        let plain = "${uuid},${start_epoch},${billsec},${destination_number}";
        assert_eq!(Template::parse(plain).unwrap().split("u,1,2,3").unwrap(), ["u", "1", "2", "3"]);
        for bad in ["", "${uuid}", "${uuid},${billsec", "\"${uuid}\",${billsec}", "${a},${b}"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
        let sql = Template::shipped(Format::FreeswitchSql).unwrap();
        let cells = LINE.strip_suffix(r#","PCMU","PCMU""#).unwrap();
        let line =
            format!("INSERT INTO cdr VALUES ({});", cells.replace(r#","globex"#, r#", "globex"#));
        assert!(sql.fits(&line), "{line}");
    }
}
