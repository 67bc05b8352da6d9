//! What lines around a deck say of the measure of its rates: of how many seconds or minutes they are the
//! price, what they are to be multiplied by, and by how much all of them are raised or lowered.

use super::{
    languages::{is_minutes, is_seconds},
    measure_words::{
        ADJUSTMENTS, EVERY, MANY, MULTIPLIED, PERCENT, QUALITY, THOUSANDS, number_word,
    },
    phrases::{IN, OTHER_MEASURES, PER, is_tax},
    titles::{Word, at, is_number, starts},
};

/// `6s` and `1k` without the digits; empty where there is nothing behind them.
fn behind_digits(word: &str) -> &str {
    word.trim_start_matches(|c: char| c.is_ascii_digit())
}

fn digits(word: &str) -> &str {
    word.get(..word.len() - behind_digits(word).len()).unwrap_or_default()
}

/// A number, written in digits or as a word.
fn is_quantity(word: &str) -> bool {
    let end = behind_digits(word);
    is_number(word) && matches!(end, "" | "k" | "m" | "er") || number_word(word)
}

/// Of how much a line says that a price is, as it is written: `1.000 Minuten`, `6s`, `half minute`; `None` if
/// of a minute, or of nothing.
pub(super) fn quantity(words: &[Word<'_>], prices: bool) -> Option<String> {
    (0..words.len()).find_map(|place| {
        let word = at(words, place, 0);
        let end = behind_digits(word);
        let has_digits = end.len() < word.len();
        let unit = if has_digits { end } else { word };
        let (seconds, minutes) = (is_seconds(unit), is_minutes(unit));
        let measures = seconds || minutes || OTHER_MEASURES.contains(&unit);
        if starts(word, &["halbminut", "polminut", "полминут"]) {
            return Some(words.get(place)?.raw.to_owned());
        }
        if !measures {
            return None;
        }
        // `10-Sekunden-Preise` has a sign between.
        let is_joined = at(words, place, -1) == "-";
        let first = match (has_digits, is_joined) {
            (true, _) => place,
            (false, true) => place.checked_sub(2)?,
            (false, false) => place.checked_sub(1)?,
        };
        let number = at(words, first, 0);
        let is_one = matches!((digits(number), unit), ("1", _)) && behind_digits(number) != "k";
        let is_minute = is_one && minutes || digits(number) == "60" && seconds;
        if !(has_digits || is_quantity(number)) || is_minute {
            return None;
        }
        let before = at(words, first, -1);
        // `60s/60s` are increments.
        let is_pair = before == "/" && is_number(at(words, first, -2));
        let per = !is_pair && (PER.contains(&before) || EVERY.contains(&before));
        let lately = (2..4).any(|back: isize| {
            let word = at(words, first, -back);
            PER.contains(&word) && word.len() > 2 || EVERY.contains(&word) && word.len() > 3
        });
        let many = minutes
            && (digits(number).len() > 2 || MANY.contains(&number) || number.ends_with('k'));
        let is_label = words.len() <= first + 3 && first == 0;
        let is_said = per || prices && (lately || is_joined || many) || many && is_label;
        is_said.then(|| {
            let raw = words.iter().take(place + 1).skip(first).map(|word| word.raw);
            raw.collect::<Vec<_>>().join(" ")
        })
    })
}

/// What a line says that its rates are to be multiplied or divided by: `x1000`, `1/1000`, `in thousands`.
pub(super) fn multiplier(words: &[Word<'_>], prices: bool) -> Option<String> {
    let is_factor = |number: &str| {
        let is_round =
            number.len() > 1 && number.starts_with('1') && number[1..].bytes().all(|b| b == b'0');
        let is_plain =
            !number.is_empty() && number != "1" && number.bytes().all(|b| b.is_ascii_digit());
        is_round || prices && is_plain
    };
    (0..words.len()).find_map(|place| {
        let word = at(words, place, 0);
        let (before, after) = (at(words, place, -1), at(words, place, 1));
        let joined = word.strip_prefix('x').or_else(|| word.strip_suffix('x'));
        let is_sign = |sign: &str| matches!(sign, "x" | "×" | "*");
        let times = joined.is_some_and(is_factor)
            || is_factor(word) && (is_sign(before) || is_sign(after))
            || word == "1"
                && after == "/"
                && is_factor(at(words, place, 2))
                && at(words, place, 2).len() > 2;
        let said = starts(word, MULTIPLIED) && (1..3).any(|next| is_factor(at(words, place, next)));
        let thousands = THOUSANDS.contains(&word) && (prices || IN.contains(&before));
        (times || said || thousands).then(|| words.get(place).map(|word| word.raw.to_owned()))?
    })
}

/// By what a line says that all rates are raised or lowered, as it is written: `Rabatt 10%`, `Rates +5%`.
pub(super) fn adjustment(words: &[Word<'_>], prices: bool) -> Option<String> {
    let has_tax = words.iter().any(|word| is_tax(&word.folded));
    let has_quality = words.iter().any(|word| starts(&word.folded, QUALITY));
    let is_percent = |word: &str| word == "%" || PERCENT.contains(&word);
    let percent = |place: usize| {
        let number = at(words, place, -1);
        let split = number == "per" || number == "pour" || number == "por";
        is_percent(at(words, place, 0)) && (is_quantity(number) || split)
    };
    (0..words.len()).find_map(|place| {
        let word = at(words, place, 0);
        let is_named = starts(word, ADJUSTMENTS);
        let near = (-4..=4_isize).any(|offset| {
            let word = at(words, place, offset);
            is_quantity(word) || word == "%"
        });
        let is_said =
            is_named && (near || prices) || prices && !has_tax && !has_quality && percent(place);
        is_said.then(|| {
            let word = words.get(place).map_or("", |word| word.raw);
            if is_named { word.to_owned() } else { format!("{} {word}", at(words, place, -1)) }
        })
    })
}
