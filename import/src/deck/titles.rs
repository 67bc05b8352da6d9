//! What lines above the header and remarks below say of all rates of a deck: from when they count, in which
//! unit and currency they are, whether with taxes, and in which increments calls are billed.
//!
//! No column says it, so that passing over such a line would take cents for euros, or a price of next month
//! at once. Each has to be answered by its flag, or be passed over by its text.

use super::{
    fields::is_currency,
    languages::{fold, is_cents, is_minutes, is_seconds},
    measure_words::{AFTER, RELATIVE, SPANS, WEEKDAYS},
    measures::{adjustment, multiplier, quantity},
    phrases::{
        BILLS, CURRENCY_LABELS, EXCLUDING, FROM, IN, INCLUDING, INCREMENTS, ISSUED, MINIMA, MONEY,
        MONTHS, NUMBER_LABELS, OFTEN_WORDS, OTHER_MEASURES, PAGES, PER, PRICES, SUBUNITS, TIMED,
        VALIDITY, is_tax, is_tax_in_price, other_units,
    },
    shortened,
};
use crate::{
    Error,
    table::{ColumnRef, normalised},
    values::{self, DateOrder, ValueError, same_currency},
};

/// What is known of a deck beside what its lines say.
#[derive(Debug, Default)]
pub(super) struct Titles {
    /// Code of the tariff's currency.
    pub(super) currency: Option<String>,
    /// `--factor` says what rates are multiplied by.
    pub(super) has_factor: bool,
    /// A column or `--effective-from` says from when rates count.
    pub(super) has_dates: bool,
    /// A column says in which increments calls are billed.
    pub(super) has_increments: bool,
    pub(super) order: Option<DateOrder>,
    /// What is passed over.
    pub(super) passed_over: Vec<ColumnRef>,
}

/// A word of a line.
pub(super) struct Word<'a> {
    /// As written.
    pub(super) raw: &'a str,
    /// In small letters without accents; a number without what separates its thousands.
    pub(super) folded: String,
}

impl Titles {
    /// Why a line that is no rate must not be passed over; `None` if it can be.
    pub(super) fn problem(&self, line: u64, text: &str) -> Option<Error> {
        let shown = shortened(text);
        if self.is_passed_over(&shown) {
            return None;
        }
        let words = words(text);
        let mut says = Vec::new();
        if let Some((written, tariff)) = self
            .currency
            .as_deref()
            .and_then(|tariff| other_currency(&words, tariff).map(|written| (written, tariff)))
        {
            says.push(format!("it speaks of {written}, where the tariff is in {tariff}"));
        }
        if !self.has_factor
            && let Some(unit) = unit(&words)
        {
            says.push(format!(
                "it speaks of {unit:?}: --factor makes rates those of a minute in the tariff's unit (0.01 \
                 for cents, 60 for prices of a second, 10 for those of 6 seconds, 0.001 for those of 1,000 \
                 minutes)"
            ));
        }
        if !self.has_factor
            && let Some(adjustment) = adjustment(&words, speaks_of_prices(&words))
        {
            says.push(format!(
                "it speaks of {adjustment:?}: --factor makes rates what is paid (0.9 for 10 % off, 1.1 for 10 % \
                 more)"
            ));
        }
        if !self.has_dates && speaks_of_a_date(text, &words, self.order) {
            says.push("--effective-from DATE says from when rates are valid".to_owned());
        }
        if speaks_of_taxes(&words) {
            says.push("it speaks of taxes, and rates are without".to_owned());
        }
        if !self.has_increments && speaks_of_increments(&words) {
            says.push(
                "it speaks of billing increments: --increment SECONDS and --minimum-time SECONDS say \
                 them for all lines"
                    .to_owned(),
            );
        }
        (!says.is_empty()).then(|| {
            Error::Profile(format!(
                "line {line} says {shown:?}: {}; or --ignore-column {shown:?} passes over all that this \
                 line says",
                says.join("; ")
            ))
        })
    }

    /// By its text: what the carrier says in its place in the next deck is asked anew.
    fn is_passed_over(&self, text: &str) -> bool {
        let is_it = |column: &ColumnRef| match column {
            ColumnRef::Name(name) => {
                let normal = normalised(name);
                name.trim() == text || !normal.is_empty() && normal == normalised(text)
            }
            ColumnRef::Position(_) => false,
        };
        self.passed_over.iter().any(is_it)
    }
}

/// How long a number with separated thousands is that a text begins with: `1.000`, `1 000`, `10,000,000`.
fn grouped(text: &str) -> Option<usize> {
    let first = text.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=3).contains(&first) || text.starts_with('0') {
        return None;
    }
    let sign = text[first..].chars().next().filter(|c| ".,'’ \u{a0}\u{202f}".contains(*c))?;
    let mut end = first;
    while let Some(group) = text[end..].strip_prefix(sign) {
        if group.bytes().take_while(u8::is_ascii_digit).count() != 3 {
            break;
        }
        end += sign.len_utf8() + 3;
    }
    (end > first).then_some(end)
}

/// Letters and digits together, signs by themselves.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = first.is_alphanumeric();
        let number = grouped(rest).unwrap_or(0);
        let end = match is_word {
            true => {
                let behind = &rest[number..];
                number + behind.find(|c: char| !c.is_alphanumeric()).unwrap_or(behind.len())
            }
            false => first.len_utf8(),
        };
        let (raw, after) = rest.split_at(end);
        let is_number = || words.last().is_some_and(|word: &Word<'_>| is_number(&word.folded));
        if is_word || "$€£¥₽₴₹¢%/+×".contains(first) || first == '-' && is_number() {
            let plain: String =
                raw.chars().filter(|c| c.is_alphanumeric() || number == 0).collect();
            words.push(Word { raw, folded: fold(&plain.to_lowercase()) });
        }
        rest = after;
    }
    words
}

/// The folded word at a place, counted from another one.
pub(super) fn at<'w>(words: &'w [Word<'_>], place: usize, offset: isize) -> &'w str {
    let word = place.checked_add_signed(offset).and_then(|place| words.get(place));
    word.map_or("", |word| word.folded.as_str())
}

pub(super) fn starts(word: &str, stems: &[&str]) -> bool {
    stems.iter().any(|stem| word.starts_with(stem))
}

fn is_price(word: &Word<'_>) -> bool {
    let is_one = starts(&word.folded, PRICES)
        || word.folded.ends_with("preise")
        || word.folded.ends_with("preis");
    is_one && !starts(&word.folded, INCREMENTS)
}

/// Whether a line speaks of how calls are billed, rather than of their price.
fn speaks_of_billing(words: &[Word<'_>]) -> bool {
    words.iter().any(|word| starts(&word.folded, INCREMENTS) || starts(&word.folded, BILLS))
}

fn speaks_of_prices(words: &[Word<'_>]) -> bool {
    words.iter().any(is_price)
}

pub(super) fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

/// A currency that is not the tariff's, as it is written.
fn other_currency(words: &[Word<'_>], tariff: &str) -> Option<String> {
    let prices = speaks_of_prices(words);
    let capitals = !words.iter().any(|word| word.raw.contains(char::is_lowercase));
    words.iter().enumerate().find_map(|(place, word)| {
        let folded = word.folded.as_str();
        let before = at(words, place, -1);
        let is_american = matches!(before, "us" | "usa" | "american")
            || before == "s" && at(words, place, -2) == "u";
        let is_labelled = CURRENCY_LABELS.contains(&before);
        let is_in = IN.contains(&before) || IN.contains(&at(words, place, -2));
        let by_minute = is_minutes(at(words, place, 1))
            || PER.contains(&at(words, place, 1)) && is_minutes(at(words, place, 2));
        let is_of =
            matches!(before, "british" | "uk" | "canadian" | "australian" | "schweizer" | "swiss");
        let has_context = is_labelled || is_in || is_of || by_minute || before == "/";
        let codes: &[&str] = if is_american
            && (folded == "$" || starts(folded, &["dollar", "cent"]))
        {
            &["USD"]
        } else if let Some((_, codes)) = MONEY.iter().find(|(stem, _)| match *stem {
            // Europe is none.
            "euro" => matches!(folded, "euro" | "euros"),
            "zl" => folded == "zl",
            stem => folded.starts_with(stem),
        }) {
            if !(prices || has_context || words.len() == 1) {
                return None;
            }
            codes
        } else if let Some((_, codes)) = SUBUNITS.iter().find(|(stem, _)| folded.starts_with(stem))
        {
            codes
        } else {
            // `TRY` is a currency, `try` is a word; and so is `ALL` where all is in capitals.
            let is_code =
                word.raw.to_uppercase() == word.raw && is_currency(&word.raw.to_lowercase());
            let is_word = OFTEN_WORDS.contains(&folded);
            let code = match is_word {
                true => is_code && (!capitals || is_labelled || words.len() == 1),
                false => is_code || has_context && is_currency(folded),
            };
            let code = code || is_labelled && place + 1 == words.len();
            return (code && !same_currency(word.raw, tariff)).then(|| word.raw.to_uppercase());
        };
        (!codes.iter().any(|code| code.eq_ignore_ascii_case(tariff)))
            .then(|| if is_american { format!("US {}", word.raw) } else { word.raw.to_owned() })
    })
}

/// A unit that is not the tariff's for a minute, as it is written.
fn unit(words: &[Word<'_>]) -> Option<String> {
    let prices = speaks_of_prices(words);
    let billing = !prices && speaks_of_billing(words);
    let of_many = || quantity(words, prices).filter(|_| !billing);
    let parts = || multiplier(words, prices);
    of_one(words, prices, billing).or_else(of_many).or_else(parts)
}

/// The same, of one second, hour or call, or of hundredths.
fn of_one(words: &[Word<'_>], prices: bool, billing: bool) -> Option<String> {
    words.iter().enumerate().find_map(|(place, word)| {
        let folded = word.folded.as_str();
        let before = at(words, place, -1);
        let by_minute = is_minutes(at(words, place, 1))
            || (PER.contains(&at(words, place, 1)) && is_minutes(at(words, place, 2)));
        let is_said = by_minute
            || IN.contains(&before)
            || CURRENCY_LABELS.contains(&before)
            || is_currency(before)
            || matches!(
                before,
                "us" | "euro" | "unit" | "units" | "einheit" | "unite" | "unidad" | "unita"
            );
        let is_cents = match folded {
            "p" | "cent" | "ct" | "cts" | "коп" | "c" | "usc" | "rp" | "gr" => {
                let is_percent = folded == "cent" && matches!(before, "per" | "pro");
                let is_plain =
                    prices && !matches!(folded, "p" | "c" | "rp" | "gr") && word.raw == folded
                        || prices && folded == "cent" && place + 1 == words.len();
                !is_percent && (is_said || is_plain || words.len() == 1 && folded != "c")
            }
            _ => {
                let is_hundredth = folded == "100" && before == "/" && at(words, place, -2) == "1"
                    || matches!(folded, "100" | "1000") && before == "x";
                is_cents(folded) || other_units(folded) || is_hundredth
            }
        };
        let per = PER.contains(&before)
            || at(words, place, -1) == "1" && PER.contains(&at(words, place, -2));
        let is_second = is_seconds(folded) && per && (folded != "s" || before == "/") && !billing;
        let is_other = per && OTHER_MEASURES.contains(&folded) && (prices || before != "/");
        (is_cents || is_second || is_other || starts(folded, &["sekundenpreis", "sekundentarif"]))
            .then(|| word.raw.to_owned())
    })
}

/// Whether a word of a line, as split by spaces, is a date.
fn is_date(word: &str, order: Option<DateOrder>) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    !matches!(
        values::moment(word, order),
        Err(ValueError::NoTime(_) | ValueError::OtherDateFormat(_))
    )
}

/// Whether a line says from when something counts.
fn speaks_of_a_date(text: &str, words: &[Word<'_>], order: Option<DateOrder>) -> bool {
    let pieces = || {
        let separators = [' ', '\u{a0}', '\t', ',', ';', '|', '"', '(', ')'];
        let pieces = text.split(separators).filter(|piece| !piece.is_empty());
        pieces.flat_map(|piece| [piece, piece.split_once(':').map_or("", |(_, after)| after)])
    };
    let is_year = |word: &str| word.len() == 4 && word.starts_with("20") && is_number(word);
    let month = |place: usize| {
        let is_named = starts(at(words, place, 0), MONTHS);
        // `1 de diciembre`.
        let is_of = matches!(at(words, place, -1), "de" | "of") && is_number(at(words, place, -2));
        let beside =
            |offset| is_number(at(words, place, offset)) || FROM.contains(&at(words, place, -1));
        is_named && (is_of || beside(-1) || beside(1))
    };
    // `1.12.`, without a year.
    let day = |place: usize| {
        let number = |offset| at(words, place, offset).parse::<u8>().ok();
        let next = if at(words, place, 1) == "/" { 2 } else { 1 };
        number(0).is_some_and(|day| (1..=31).contains(&day))
            && number(next).is_some_and(|month| (1..=12).contains(&month))
    };
    let places = || 0..words.len();
    let is_valid = places().any(|place| {
        let word = at(words, place, 0);
        starts(word, VALIDITY) || word == "stand" || word == "force" && at(words, place, -1) == "in"
    });
    let some_date = || pieces().any(|piece| is_date(piece, order));
    let some_year = || words.iter().any(|word| is_year(&word.folded));
    if is_valid && (some_date() || some_year() || places().any(month) || places().any(day)) {
        return true;
    }
    if is_in_words(words, is_valid) {
        return true;
    }
    // `Preisliste zum 01.12.2026`, `ab Dezember 2026`; not how old the company is, nor its telephone.
    let written = || {
        let is_full = |piece: &str| piece.contains(['.', '/', '-']) && is_date(piece, order);
        pieces().any(is_full) || places().any(|place| month(place) && some_year())
    };
    let prices = speaks_of_prices(words);
    let from = |place: usize| {
        let word = at(words, place, 0);
        if !(FROM.contains(&word) || word == "of" && at(words, place, -1) == "as") {
            return false;
        }
        let article = matches!(at(words, place, 1), "dem" | "le" | "the" | "dnia" | "el" | "dia");
        let first = if article { place + 2 } else { place + 1 };
        let word_first = at(words, first, 0);
        // A street may be named of a day.
        let is_street = matches!(word, "du" | "per" | "del" | "vom");
        let is_month = || (first..first + 4).any(month);
        (is_number(word_first) || starts(word_first, MONTHS))
            && (written()
                || is_number(word_first) && !is_street && is_month()
                || prices && (is_year(word_first) || is_month() || day(first)))
    };
    let is_issue = words.iter().any(|word| starts(&word.folded, ISSUED));
    !is_issue && (places().any(from) || prices && written())
}

/// Whether a line says in words, which nobody can read a date from, from when something counts: `Effective
/// from next Monday`, `ab sofort`.
fn is_in_words(words: &[Word<'_>], is_valid: bool) -> bool {
    let prices = speaks_of_prices(words);
    (0..words.len()).any(|place| {
        let near = |list: &[&str]| (1..4).any(|back| list.contains(&at(words, place, -back)));
        let word = at(words, place, 0);
        let (is_relative, is_weekday) = (starts(word, RELATIVE), starts(word, WEEKDAYS));
        if is_relative || is_weekday {
            return is_valid || near(FROM) && (prices || is_relative);
        }
        starts(word, SPANS) && (is_valid || prices && near(FROM)) && near(AFTER)
    })
}

/// Whether a line says that prices are with taxes.
fn speaks_of_taxes(words: &[Word<'_>]) -> bool {
    let prices = speaks_of_prices(words);
    (0..words.len()).any(|place| {
        let word = at(words, place, 0);
        let window =
            || (-4..=4).filter(|offset| *offset != 0).map(|offset| at(words, place, offset));
        let is_without = window().any(|word| {
            word == "+"
                || EXCLUDING.contains(&word)
                || EXCLUDING.iter().any(|stem| stem.len() > 3 && word.starts_with(stem))
        });
        let is_french = [word, at(words, place, 1), at(words, place, 2)] == ["t", "t", "c"];
        if is_tax_in_price(word) || is_french {
            return !is_without && (prices || words.len() == 1);
        }
        if !is_tax(word) || is_without {
            return false;
        }
        let with = window().any(|word| INCLUDING.contains(&word));
        // The number under which the company pays them.
        let of_company =
            [-1, 1].iter().any(|side| NUMBER_LABELS.contains(&at(words, place, *side)));
        with || !of_company && (prices || words.iter().any(|word| word.folded == "%"))
    })
}

/// Whether a line says in which increments calls are billed.
fn speaks_of_increments(words: &[Word<'_>]) -> bool {
    // `60` or `60s`.
    let step = |word: &str| {
        let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = word[..word.len() - unit.len()].parse::<u16>().ok();
        number.filter(|step| (1..=3600).contains(step) && (unit.is_empty() || is_seconds(unit)))
    };
    let is_step = |word: &str| step(word).is_some();
    let is_usual = |word: &str| matches!(step(word), Some(1 | 6 | 30 | 60));
    let has_time = words.iter().any(|word| {
        let word = word.folded.as_str();
        let is_named = is_seconds(word) && word != "s" || is_minutes(word) || starts(word, TIMED);
        is_named || is_step(word) && !word.ends_with(|c: char| c.is_ascii_digit())
    });
    let pair = |usual: bool| {
        (0..words.len()).any(|place| {
            let sides = [at(words, place, -1), at(words, place, 1)];
            let is_between = match at(words, place, 0) {
                "/" | "+" => true,
                // A telephone number, perhaps.
                "-" => words.len() == 3 || !usual,
                _ => false,
            };
            let before = at(words, place, -2);
            let is_alone = before != "/" && at(words, place, 2) != "/";
            let is_place = PAGES.contains(&before)
                || ["str", "strasse", "street", "road", "weg", "platz"]
                    .iter()
                    .any(|end| before.ends_with(end));
            let fits = match usual {
                true => sides.iter().all(|side| is_usual(side)),
                false => sides.iter().all(|side| is_step(side)),
            };
            is_between && is_alone && fits && !is_place
        })
    };
    let is_billing = words.iter().any(|word| starts(&word.folded, INCREMENTS));
    let bills = speaks_of_billing(words)
        || (0..words.len()).any(|at_min| {
            at(words, at_min, 0) == "min"
                && (MINIMA.contains(&at(words, at_min, 1)) || is_step(at(words, at_min, 1)))
        });
    let exact = ["genau", "takt", "abrechnung"]
        .map(|end| ["sekunden", "minuten"].map(|time| format!("{time}{end}")))
        .concat();
    is_billing && words.iter().any(|word| is_step(&word.folded))
        || bills && has_time
        || pair(true)
        || is_billing && pair(false)
        || words
            .iter()
            .any(|word| exact.iter().any(|start| word.folded.starts_with(start.as_str())))
}
