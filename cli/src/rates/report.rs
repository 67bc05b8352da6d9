//! What a deck makes of prices, for a person who checks it: as text, and as a page.

use std::fmt::{self, Display, Write as _};

use jiff::{Timestamp, tz::TimeZone};
use tollbook_proto::v1::{ImportRatesResponse, RateChange, RateChangeBand, RateChanges};

use crate::values::decimal;

/// The answer to an import, with what it is about.
pub(super) struct Report<'a> {
    pub(super) tariff: i64,
    /// Code of the tariff's currency.
    pub(super) currency: String,
    /// In which times are shown.
    pub(super) zone: TimeZone,
    /// The names of the files.
    pub(super) files: &'a [String],
    /// Later rates than those of the deck are removed.
    pub(super) replaces_later: bool,
    pub(super) deletes_missing: bool,
    pub(super) imported: &'a ImportRatesResponse,
}

/// What is said of prices, with how many there are.
fn kinds(changes: &RateChanges) -> [(&'static str, i64); 6] {
    [
        ("new", changes.opened),
        ("raised", changes.raised),
        ("lowered", changes.lowered),
        ("other terms", changes.other_terms),
        ("unchanged", changes.unchanged),
        ("closed", changes.closed),
    ]
}

/// What changes a band has, in words.
fn band_name(band: &RateChangeBand) -> String {
    let percent = |percent: i32| if percent == 0 { "0".to_owned() } else { format!("{percent:+}") };
    match (band.above_percent, band.up_to_percent) {
        (Some(0), Some(0)) => "no change".to_owned(),
        (Some(above), Some(up_to)) => format!("{} to {} %", percent(above), percent(up_to)),
        (None, Some(up_to)) => format!("{} % and below", percent(up_to)),
        (Some(above), None) => format!("above {} %", percent(above)),
        (None, None) => "any".to_owned(),
    }
}

/// How much a price changes, in words.
pub(super) fn size(change: &RateChange) -> String {
    match decimal(change.change_percent.as_ref()) {
        "" => "from 0".to_owned(),
        drop if drop.starts_with('-') => format!("{drop} %"),
        raise => format!("+{raise} %"),
    }
}

/// How wide a table may be.
const WIDTH: usize = 80;
/// How long the bar of the largest band is.
const BAR: usize = 48;

/// The part of a length that a count is of the largest one, rounded up.
fn share(count: i64, most: i64, length: usize) -> usize {
    let [count, most] = [count, most].map(|count| usize::try_from(count).unwrap_or_default());
    (count * length).div_ceil(most.max(1))
}

/// A bar in characters, to an eighth of one; what is there at all is seen.
fn bar(count: i64, most: i64) -> String {
    let eighths = share(count, most, BAR * 8);
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    "█".repeat(eighths / 8) + rest
}

impl Report<'_> {
    /// A line of a file, for messages.
    pub(super) fn place(&self, file: &str, line: &dyn Display) -> String {
        match self.files {
            [_] => format!("line {line}"),
            _ => format!("{file} line {line}"),
        }
    }

    fn changes(&self) -> RateChanges {
        self.imported.changes.clone().unwrap_or_default()
    }

    /// From when a price is valid.
    pub(super) fn valid_from(&self, change: &RateChange) -> String {
        change.effective_from.as_ref().map_or("always".to_owned(), |from| self.day(from))
    }

    /// A day, with the time where that is not midnight.
    fn day(&self, from: &prost_types::Timestamp) -> String {
        let time = Timestamp::from_second(from.seconds).unwrap_or_default();
        let time = self.zone.to_datetime(time);
        let midnight = time.time() == jiff::civil::Time::midnight();
        time.strftime(if midnight { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M:%S" }).to_string()
    }

    /// What becomes of prices, in at most 80 columns where numbers are of a usual length.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        // Nothing is wrong with writing to a text.
        let _ = self.write_text(&mut out);
        out
    }

    /// What becomes of prices, in a line; `None`: nothing.
    pub(super) fn line(&self) -> Option<String> {
        let changes = self.changes();
        let largest = |changes: &[RateChange]| {
            changes
                .first()
                .map(|largest| format!(", largest {}", size(largest)))
                .unwrap_or_default()
        };
        let said: Vec<String> = kinds(&changes)
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| match kind {
                "raised" => format!("{kind} {count}{}", largest(&changes.raises)),
                "lowered" => format!("{kind} {count}{}", largest(&changes.drops)),
                _ => format!("{kind} {count}"),
            })
            .collect();
        (!said.is_empty()).then(|| format!("prices: {}", said.join("; ")))
    }

    fn write_text(&self, out: &mut String) -> fmt::Result {
        let changes = self.changes();
        writeln!(out, "Prices per minute in {}:", self.currency)?;
        for (kind, count) in kinds(&changes) {
            writeln!(out, "  {kind:<16} {count:>10}")?;
        }
        if changes.superseded > 0 {
            writeln!(out, "  {:<16} {:>10}", "without effect", changes.superseded)?;
        }
        let most = changes.bands.iter().map(|band| band.rates).max().unwrap_or_default();
        if most > 0 {
            writeln!(out, "\nBy how much they change:")?;
        }
        for band in changes.bands.iter().filter(|_| most > 0) {
            let (name, bar) = (band_name(band), bar(band.rates, most));
            writeln!(out, "{}", format!("  {name:<16} {:>10}  {bar}", band.rates).trim_end())?;
        }
        for (title, largest) in [("raises", &changes.raises), ("drops", &changes.drops)] {
            if !largest.is_empty() {
                writeln!(out, "\nLargest {title}:")?;
                self.write_largest(out, largest)?;
            }
        }
        self.write_listed(out)
    }

    fn write_largest(&self, out: &mut String, largest: &[RateChange]) -> fmt::Result {
        let rows: Vec<[String; 5]> = largest
            .iter()
            .map(|change| {
                let (old, new) =
                    (decimal(change.old_rate.as_ref()), decimal(change.new_rate.as_ref()));
                [
                    change.prefix.clone(),
                    change.destination.clone(),
                    format!("{old} -> {new}"),
                    size(change),
                    self.valid_from(change),
                ]
            })
            .collect();
        write_rows(out, &rows)
    }

    /// What a person should know beside the counts.
    pub(super) fn notes(&self) -> Vec<String> {
        let changes = self.changes();
        let mut notes = Vec::new();
        let plural = |count: i64, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {many}"),
        };
        match (changes.missing, &changes.missing_from) {
            (0, _) => {}
            (missing, None) => notes.push(format!(
                "{} of prefixes that are not in the deck: closed at once",
                plural(missing, "rate", "rates")
            )),
            (missing, Some(from)) => notes.push(format!(
                "{} not in the deck: closed from {}",
                plural(missing, "prefix is", "prefixes are"),
                self.day(from)
            )),
        }
        if changes.superseded > 0 {
            let more = if changes.first_superseded_prefixes.len() < 20 { "" } else { ", …" };
            notes.push(format!(
                "{} without effect, since a newer rate of the prefix counts already: {}{more}; \
                 --effective-from DATE says from when the deck counts, --replace-later removes newer rates",
                plural(changes.superseded, "line is", "lines are"),
                changes.first_superseded_prefixes.join(", ")
            ));
        }
        notes.extend(self.notes_of_hours(&changes));
        let Some(later) = changes.later else { return notes };
        let first = later.first_from.as_ref().map(|first| self.day(first)).unwrap_or_default();
        let more = if later.prefixes > 20 { ", …" } else { "" };
        let prefixes = plural(later.prefixes, "prefix has", "prefixes have");
        let (rates, named) = (later.rates, later.first_prefixes.join(", "));
        let fate = match (self.replaces_later, later.prefixes_by_now) {
            (true, _) => "--replace-later removes them".to_owned(),
            (false, by_now) => {
                let by_now = match by_now {
                    0 => String::new(),
                    by_now => {
                        let prefixes = plural(by_now, "prefix", "prefixes");
                        format!(" (those of {prefixes} count already)")
                    }
                };
                format!(
                    "they stay, and then count in the place of the deck's; \
                     --replace-later removes them{by_now}"
                )
            }
        };
        notes.push(format!(
            "{prefixes} later rates than the deck's ({rates} in all, the first from {first}): \
             {named}{more}; {fate}"
        ));
        notes
    }

    /// What a person should know of rates for other hours or days than the deck's.
    fn notes_of_hours(&self, changes: &RateChanges) -> Vec<String> {
        let mut notes = Vec::new();
        match changes.without_effect {
            0 => {}
            1 => notes.push(format!("1 line of the deck counts at no hour{HIDDEN}")),
            lines => notes.push(format!("{lines} lines of the deck count at no hour{HIDDEN}")),
        }
        let Some(others) = &changes.other_hours else { return notes };
        let prefixes = match others.prefixes {
            1 => "1 prefix has".to_owned(),
            prefixes => format!("{prefixes} prefixes have"),
        };
        let more = if others.prefixes > 20 { ", …" } else { "" };
        let fate = match self.deletes_missing {
            true => "--delete-missing removes them",
            false => {
                "they stay, and count there in the place of the deck's or beside them; \
                      --delete-missing removes them"
            }
        };
        notes.push(format!(
            "{prefixes} rates for other hours or days than the deck's ({} in all): {}{more}; {fate}",
            others.rates,
            others.first_prefixes.join(", ")
        ));
        notes
    }

    /// What becomes of prices, as a page that needs nothing else.
    pub(super) fn html(&self) -> String {
        let mut out = String::new();
        // Nothing is wrong with writing to a text.
        let _ = self.write_html(&mut out);
        out
    }

    fn write_html(&self, out: &mut String) -> fmt::Result {
        let (imported, changes) = (self.imported, self.changes());
        let title = format!("Rates of tariff {}", self.tariff);
        write!(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
             </head>\n<body>\n<h1>{title}</h1>\n"
        )?;
        let files: Vec<String> = self.files.iter().map(|file| escaped(file)).collect();
        writeln!(out, "<p>{}</p>", files.join("<br>\n"))?;
        writeln!(
            out,
            "<p>{} lines: {} rates added, {} changed, {} unchanged, {} deleted, {} lines rejected. \
             {}</p>",
            imported.lines,
            imported.added,
            imported.changed,
            imported.unchanged,
            imported.deleted,
            imported.rejected,
            if imported.applied { "The deck was imported." } else { "Nothing was changed." }
        )?;
        writeln!(out, "<h2>Prices per minute in {}</h2>\n<table>", escaped(&self.currency))?;
        for (kind, count) in kinds(&changes) {
            writeln!(out, "<tr><th>{kind}</th><td class=\"number\">{count}</td></tr>")?;
        }
        writeln!(out, "</table>")?;
        for note in self.notes() {
            writeln!(out, "<p>{}</p>", escaped(&note))?;
        }
        writeln!(out, "<h2>By how much they change</h2>")?;
        write_bars(out, &changes.bands)?;
        for (title, largest) in [("raises", &changes.raises), ("drops", &changes.drops)] {
            writeln!(out, "<h2>Largest {title}</h2>")?;
            self.write_largest_html(out, largest)?;
        }
        self.write_listed_html(out)?;
        if !imported.rejected_lines.is_empty() {
            writeln!(out, "<h2>Lines that cannot be used</h2>\n<table>")?;
            for line in &imported.rejected_lines {
                let place = escaped(&self.place(&line.file, &line.number));
                writeln!(out, "<tr><th>{place}</th><td>{}</td></tr>", escaped(&line.reason))?;
            }
            writeln!(out, "</table>")?;
        }
        writeln!(out, "</body>\n</html>")
    }

    fn write_largest_html(&self, out: &mut String, largest: &[RateChange]) -> fmt::Result {
        if largest.is_empty() {
            return writeln!(out, "<p>None.</p>");
        }
        writeln!(
            out,
            "<table>\n<tr><th>Prefix</th><th>Destination</th><th>Old</th><th>New</th>\
             <th>Change</th><th>From</th><th>Where</th></tr>"
        )?;
        for change in largest {
            let cells = [
                ("", change.prefix.clone()),
                ("", change.destination.clone()),
                ("number", decimal(change.old_rate.as_ref()).to_owned()),
                ("number", decimal(change.new_rate.as_ref()).to_owned()),
                ("number", size(change)),
                ("", self.valid_from(change)),
                ("", self.place(&change.file, &change.number)),
            ];
            write!(out, "<tr>")?;
            for (class, cell) in cells {
                write!(out, "<td class=\"{class}\">{}</td>", escaped(&cell))?;
            }
            writeln!(out, "</tr>")?;
        }
        writeln!(out, "</table>")
    }
}

/// Why a line counts at no hour.
const HIDDEN: &str = ", since the tariff has rates from the same time for some hours or days";

const STYLE: &str = "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:60em;padding:0 1em}\
    table{border-collapse:collapse}th,td{border-bottom:1px solid #ccc;padding:.2em .8em;\
    text-align:left;font-weight:normal}tr:first-child th{font-weight:inherit}\
    .number{text-align:right;font-variant-numeric:tabular-nums}\
    svg{max-width:100%}.raise{fill:#c0392b}.drop{fill:#2e86c1}.same{fill:#888}";

/// Writes rows in columns: prefix, destination, what becomes of it, by how much, and from when.
pub(super) fn write_rows(out: &mut String, rows: &[[String; 5]]) -> fmt::Result {
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let [prefix, destination, prices, size, from] = [0, 1, 2, 3, 4].map(width);
    let others = 2 + prefix + 2 + 2 + prices + 2 + size + 2 + from;
    let destination = destination.min(WIDTH.saturating_sub(others).max(8));
    for [p, d, change, s, f] in rows {
        let d: String = d.chars().take(destination).collect();
        write!(out, "  {p:<prefix$}  {d:<destination$}  {change:<prices$}")?;
        if size > 0 {
            write!(out, "  {s:>size$}")?;
        }
        writeln!(out, "  {f}")?;
    }
    Ok(())
}

/// The bands as bars, one below the other.
fn write_bars(out: &mut String, bands: &[RateChangeBand]) -> fmt::Result {
    const STEP: usize = 22;
    const LONGEST: usize = 480;
    let most = bands.iter().map(|band| band.rates).max().unwrap_or_default();
    let height = bands.len() * STEP;
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"{height}\" \
         viewBox=\"0 0 720 {height}\" font-size=\"13\" role=\"img\">"
    )?;
    for (top, band) in (0..).step_by(STEP).zip(bands) {
        let name = band_name(band);
        let class = match (band.above_percent, band.up_to_percent) {
            (Some(0), Some(0)) => "same",
            (Some(0..), _) => "raise",
            _ => "drop",
        };
        let length = share(band.rates, most, LONGEST);
        let (base, count) = (top + 15, band.rates);
        writeln!(
            out,
            "<text x=\"130\" y=\"{base}\" text-anchor=\"end\">{name}</text>\
             <rect class=\"{class}\" x=\"140\" y=\"{}\" width=\"{length}\" height=\"16\"/>\
             <text x=\"{}\" y=\"{base}\">{count}</text>",
            top + 3,
            146 + length
        )?;
    }
    writeln!(out, "</svg>")
}

/// A text that is no markup, whatever is in it.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tollbook_proto::v1::{Decimal, RejectedLine};

    use super::*;

    fn change(prefix: &str, destination: &str, rates: [&str; 2], percent: &str) -> RateChange {
        let decimal = |text: &str| Some(Decimal { value: text.to_owned() });
        RateChange {
            prefix: prefix.to_owned(),
            destination: destination.to_owned(),
            old_rate: decimal(rates[0]),
            new_rate: decimal(rates[1]),
            change_percent: (!percent.is_empty()).then(|| decimal(percent).unwrap()),
            effective_from: None,
            number: 7,
            file: "b.csv".to_owned(),
            ..Default::default()
        }
    }

    fn answer() -> ImportRatesResponse {
        let band = |above_percent, up_to_percent, rates| RateChangeBand {
            above_percent,
            up_to_percent,
            rates,
        };
        let december = prost_types::Timestamp { seconds: 1_796_076_000, nanos: 0 };
        let changes = RateChanges {
            opened: 12,
            raised: 1_400,
            lowered: 30,
            other_terms: 1,
            unchanged: 700,
            closed: 0,
            bands: vec![
                band(None, Some(-50), 0),
                band(Some(-5), Some(0), 1),
                band(Some(0), Some(0), 700),
                band(Some(0), Some(5), 1_400),
                band(Some(100), None, 3),
            ],
            raises: vec![
                change("7", "Free until now", ["0", "0.01"], ""),
                RateChange {
                    effective_from: Some(december),
                    ..change(
                        "370620",
                        "<b>Lithuania & \"others\"</b>, with all that belongs to it",
                        ["0.012", "0.018"],
                        "50",
                    )
                },
            ],
            drops: vec![change("44", "", ["0.02", "0.019"], "-5")],
            ..Default::default()
        };
        ImportRatesResponse {
            lines: 2_143,
            rejected: 1,
            rejected_lines: vec![RejectedLine {
                number: 3,
                reason: "rate \"<x>\" is no number".to_owned(),
                file: "a.csv".to_owned(),
            }],
            changes: Some(changes),
            ..Default::default()
        }
    }

    fn report<'a>(imported: &'a ImportRatesResponse, files: &'a [String]) -> Report<'a> {
        let zone = TimeZone::get("Europe/Vilnius").unwrap();
        Report {
            tariff: 4,
            currency: "EUR".to_owned(),
            zone,
            files,
            replaces_later: false,
            deletes_missing: false,
            imported,
        }
    }

    #[test]
    fn a_table_fits_a_terminal() {
        let (imported, files) = (answer(), ["a.csv".to_owned()]);
        let text = report(&imported, &files).text();
        assert_eq!(
            text,
            "Prices per minute in EUR:
  new                      12
  raised                 1400
  lowered                  30
  other terms               1
  unchanged               700
  closed                    0

By how much they change:
  -50 % and below           0
  -5 to 0 %                 1  ▏
  no change               700  ████████████████████████
  0 to +5 %              1400  ████████████████████████████████████████████████
  above +100 %              3  ▏

Largest raises:
  7       Free until now                      0 -> 0.01       from 0  always
  370620  <b>Lithuania & \"others\"</b>, with   0.012 -> 0.018   +50 %  2026-12-01

Largest drops:
  44    0.02 -> 0.019  -5 %  always
"
        );
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    }

    #[test]
    fn a_real_import_says_in_a_line_what_becomes_of_prices() {
        let (imported, files) = (answer(), ["a.csv".to_owned()]);
        assert_eq!(
            report(&imported, &files).line().unwrap(),
            "prices: new 12; raised 1400, largest from 0; lowered 30, largest -5 %; other terms 1; unchanged 700"
        );
        let changes = RateChanges {
            superseded: 2,
            first_superseded_prefixes: vec!["370".to_owned(), "44".to_owned()],
            ..Default::default()
        };
        let imported = ImportRatesResponse { changes: Some(changes), ..Default::default() };
        let report = report(&imported, &files);
        assert_eq!(report.line(), None);
        assert!(
            report.notes()[0].starts_with("2 lines are without effect"),
            "{:?}",
            report.notes()
        );
        assert!(report.text().contains("  without effect            2\n"), "{}", report.text());
    }

    #[test]
    fn a_page_needs_nothing_else_and_holds_texts_as_they_are() {
        let (imported, files) = (answer(), ["a.csv", "b.csv"].map(str::to_owned));
        let html = report(&imported, &files).html();
        for part in [
            "<td class=\"number\">1400</td>",
            "&lt;b&gt;Lithuania &amp; &quot;others&quot;&lt;/b&gt;, with all that belongs to it",
            "<td class=\"\">b.csv line 7</td>",
            "<tr><th>a.csv line 3</th><td>rate &quot;&lt;x&gt;&quot; is no number</td></tr>",
            "<rect class=\"raise\" x=\"140\" y=\"69\" width=\"480\" height=\"16\"/>",
            "Nothing was changed.",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        let without_names = html.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http:", "https:", "src=", "href=", "<script", "url(", "<b>"] {
            assert!(!without_names.contains(outside), "{outside}: {html}");
        }
    }
}
