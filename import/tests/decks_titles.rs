//! What lines around a deck say of all its rates is asked, and letterheads are not.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tollbook_import::{
    Part, Profile,
    deck::{Deck, DeckOptions},
    table::ColumnRef,
};

/// The flags that answer what is asked of a deck in euros; `None` if nothing is asked.
fn asked(text: &str, profile: &Profile) -> Option<String> {
    let part = Part::from_bytes("input", text.as_bytes().to_vec()).unwrap();
    let options = DeckOptions { currency: Some("EUR".to_owned()), ..DeckOptions::default() };
    let mut deck = match Deck::open(part, profile, options) {
        Ok(deck) => deck,
        Err(error) => return Some(error.to_string()),
    };
    deck.find_map(Result::err).map(|error| error.to_string())
}

const DATES: &[&str] = &[
    "Gültig ab: 01.12.2026",
    "gültig ab:01.12.2026",
    "GUELTIG AB 1.12.2026",
    "gültig ab;01.12.2026",
    "Preisliste gültig ab 1.12.",
    "Preisliste zum 01.12.2026",
    "Preisliste zum 1. Dezember 2026",
    "Preise ab Dezember 2026",
    "Preisliste 01.12.2026",
    "Tarifs valables à partir du 1er décembre 2026",
    "Tarifs applicables au 01/12/2026",
    "En vigueur le 1 décembre 2026",
    "Tarifas vigentes desde el 1 de diciembre de 2026",
    "Válido desde 01/12/2026",
    "Listino valido dal 01/12/2026",
    "Decorrenza 1 dicembre 2026",
    "Preços válidos a partir de 01/12/2026",
    "Cennik obowiązuje od 1 grudnia 2026",
    "Cennik ważny od 01.12.2026",
    "Тарифы действуют с 01.12.2026",
    "Прайс-лист от 1 декабря 2026",
    "Rates effective from 1 December 2026",
    "Rates valid from 2026-12-01",
    "Rates as of 01/12/2026",
    "Starting 1 December 2026",
    "From 01/12/2026",
    "A-Z rates 2026-12-01",
];

const UNITS: &[&str] = &[
    "Alle Preise in ct/min",
    "Alle Preise in ct",
    "Alle Preise netto in Cent/Min.",
    "(Cent/Minute)",
    "All rates in US cents per minute",
    "Rates in pence",
    "Prices: ¢/min",
    "All prices in Eurocent",
    "p/min",
    "Prix en centimes",
    "Precios en céntimos por minuto",
    "Prezzi in centesimi al minuto",
    "Preços em cêntimos",
    "Ceny w groszach",
    "Цены в копейках за минуту",
    "Цены в центах",
    "All rates per second",
    "Preise pro Sekunde",
    "Prix par seconde",
    "EUR/s",
    "€/sec",
    "Precio por segundo",
    "Prezzo al secondo",
    "Preço por segundo",
    "Cena za sekundę",
    "Цена за секунду",
    "All prices per hour",
    "Prices per 1000 minutes",
];

const CURRENCIES: &[&str] = &[
    "Währung USD",
    "Currency: usd",
    "ALL RATES IN USD",
    "Prices in US$",
    "All rates in US dollars",
    "All rates in US cents per minute",
    "All rates in U.S. cents",
    "Prices in £",
    "Prix en dollars",
    "Preise in Pfund",
    "Precios en dólares",
    "Prezzi in dollari USD",
    "Ceny w złotych",
    "Ceny w PLN",
    "Цены в рублях",
    "Цены в долларах США",
    "Rates in pence",
    "Preise in Franken",
];

const TAXES: &[&str] = &[
    "Alle Preise inkl. 19% MwSt.",
    "Preise einschließlich Umsatzsteuer",
    "Alle Preise brutto",
    "All prices include VAT",
    "Rates incl. 21 % VAT",
    "Prices including taxes",
    "Prix TTC",
    "Prix TVA comprise",
    "Precios con IVA incluido",
    "Prezzi IVA inclusa",
    "Preços com IVA",
    "Ceny z VAT",
    "Ceny brutto",
    "Цены с НДС",
    "Цены включая НДС",
];

const INCREMENTS: &[&str] = &[
    "Abrechnungstakt 60/60",
    "Taktung: 60/1",
    "Billing increment 60/60",
    "Billing: 60/60",
    "60/60",
    "1+1",
    "Per minute billing",
    "Billed per second",
    "Sekundengenaue Abrechnung",
    "Minimum duration 30 seconds",
    "Facturation à la seconde",
    "Palier de facturation 60/60",
    "Incremento de facturación 60/60",
    "Scatti di fatturazione 30 secondi",
    "Cadência 30/6",
    "Taktowanie 60/60",
    "Тарификация 60/60",
    "Поминутная тарификация, шаг 60",
];

/// Nothing of these is asked in a tariff in euros.
const LETTERHEADS: &[&str] = &[
    "ACME Carrier Ltd.",
    "Rate sheet for ACME",
    "Wholesale voice rates",
    "ACME A-Z rates 2026",
    "All rates are confidential.",
    "Preisliste der Beispiel GmbH",
    "Musterstr. 12, 10115 Berlin",
    "12 Main St., Stamford, CT 06901",
    "P.O. Box 12, London",
    "Tel. +49 30 555-1234, Fax +49 30 555-1235",
    "Phone: 1-555-123-4567",
    "Support 24/7: noc@acme.example",
    "Billing department: +1 555 123 4567",
    "VAT No. GB123456789",
    "USt-IdNr. DE123456789",
    "P.IVA 01234567890",
    "All prices excl. VAT",
    "Alle Preise zzgl. 19% MwSt.",
    "Alle Preise netto, ohne Umsatzsteuer",
    "Prix hors TVA",
    "Precios sin IVA",
    "Ceny bez VAT",
    "Цены без НДС",
    "All rates in EUR per minute",
    "Alle Preise in Euro pro Minute",
    "ALL RATES IN EUR",
    "Цены в евро за минуту",
    "Generated 2026-11-20 12:30",
    "Datum: 20.11.2026",
    "Page 1/1",
    "Customer: Top Call Inc.",
    "Contact: Max Mustermann, Vertrieb",
    "Rates may change without notice",
    "Europe",
    "France - mobile",
    "Société Générale de Télécom, 12 rue de la Paix",
    "Confidential - do not distribute",
    "Company registered in England since 1999",
    "Rates valid for customers of ACME only",
];

/// Each flag, and the phrases that it is asked for.
fn kinds() -> [(&'static str, &'static [&'static str]); 5] {
    [
        ("--effective-from DATE", DATES),
        ("--factor", UNITS),
        ("where the tariff is in EUR", CURRENCIES),
        ("of taxes", TAXES),
        ("billing increments", INCREMENTS),
    ]
}

fn above(line: &str) -> String {
    format!("ACME Ltd.;\n{line}\nCode;Rate\n370;0.1\n371;0.2\n")
}

fn below(line: &str) -> String {
    format!("Code;Rate\n370;0.1\n371;0.2\n{line}\n")
}

#[test]
fn what_is_said_of_all_rates_is_asked() {
    let mut wrong = Vec::new();
    for (flag, phrases) in kinds() {
        for phrase in phrases {
            let asked_above = asked(&above(phrase), &Profile::default()).unwrap_or_default();
            if !asked_above.contains(flag) {
                wrong.push(format!("above {phrase:?}: {asked_above}"));
            }
            // A line with digits where prefixes are is refused as one.
            let quoted = below(&format!("{phrase};"));
            let is_line = phrase.contains(|c: char| c.is_ascii_digit()) || phrase.contains(';');
            let asked_below = asked(&quoted, &Profile::default()).unwrap_or_default();
            if !is_line && !asked_below.contains(flag) {
                wrong.push(format!("below {phrase:?}: {asked_below}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn letterheads_are_passed_over() {
    let found = LETTERHEADS.iter().filter_map(|line| {
        let asked = asked(&above(line), &Profile::default())
            .or_else(|| asked(&below(&format!("{line};")), &Profile::default()));
        asked.map(|asked| format!("{line:?}: {asked}"))
    });
    let found: Vec<_> = found.collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_flag_answers() {
    let units = Profile { factor: Some("0.01".to_owned()), ..Profile::default() };
    assert_eq!(asked(&above("Alle Preise in ct/min"), &units), None);
    let dates = Profile { effective_from: Some("2026-12-01".to_owned()), ..Profile::default() };
    assert_eq!(asked(&above("Gültig ab: 01.12.2026"), &dates), None);
    assert!(asked(&above("Alle Preise in ct/min"), &dates).unwrap().contains("--factor"));
    let columns = "Gültig ab: 01.12.2026\nTaktung 60/60\nCode;Rate;Valid from;Increment\n370;1;2026-12-02;1/1\n";
    assert_eq!(asked(columns, &Profile::default()), None);
}

proptest! {
    /// Whatever letterhead stands around it, and in whichever case.
    #[test]
    fn no_letterhead_hides_it(
        kind in 0..5_usize,
        which in any::<prop::sample::Index>(),
        before in prop::collection::vec(prop::sample::select(LETTERHEADS), 0..4),
        after in prop::collection::vec(prop::sample::select(LETTERHEADS), 0..4),
    ) {
        let (flag, phrases) = kinds()[kind];
        let phrase = which.get(phrases);
        let text = format!("{}\n{phrase}\n{}\nCode;Rate\n370;0.1\n", before.join("\n"), after.join("\n"));
        let asked = asked(&text, &Profile::default());
        prop_assert!(asked.as_ref().is_some_and(|asked| asked.contains(flag)), "{text}: {asked:?}");
    }

    /// Passing over one line leaves what the others say to be asked.
    #[test]
    fn one_line_is_passed_over(
        kinds_of in prop::sample::subsequence(vec![0_usize, 1, 2, 3, 4], 2),
        which in any::<[prop::sample::Index; 2]>(),
    ) {
        let said = [0, 1].map(|at| {
            let (flag, phrases) = kinds()[kinds_of[at]];
            (flag, *which[at].get(phrases))
        });
        prop_assume!(said[0].1 != said[1].1);
        for (passed, (flag, other)) in [(said[0].1, said[1]), (said[1].1, said[0])] {
            let mut profile = Profile::default();
            profile.columns.ignore_columns =
                vec![ColumnRef::Name(passed.replace(';', ", "))];
            let text = format!("{}\n{}\nCode;Rate\n370;0.1\n", said[0].1, said[1].1);
            let asked = asked(&text, &profile);
            prop_assert!(asked.as_ref().is_some_and(|asked| asked.contains(flag)), "{other} {asked:?}");
        }
    }
}
