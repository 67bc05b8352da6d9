//! What lines around a deck say of all its rates is asked, and letterheads are not.
#![allow(clippy::unwrap_used)]

mod titles;

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
    "Valid as of December 1st, 2026",
    "Valid from Dec 1",
    "Effective 12/01/26",
    "Effective date;2026-12-01",
    "Effective: 1-Dec-2026",
    "Effective: 01 Dec 26",
    "Date of effect 01.12.26",
    "New prices from 1st December",
    "These rates come into force on 01/12/2026",
    "These rates will apply from 01/12/2026",
    "Rates apply from December 1",
    "Start date: 20261201",
    "Preise gelten ab 1. Dezember",
    "Preisänderung zum 1.12.2026",
    "gilt ab 01.12.2026",
    "Gültigkeit: 01.12.2026 - 31.12.2026",
    "In Kraft ab 1.12.26",
    "Stand: 01.12.2026",
    "Stand 12/2026",
    "Tarif applicable dès le 1er décembre",
    "Date d'effet : 01/12/2026",
    "À compter du 1er décembre 2026",
    "Entrée en vigueur : 1/12/2026",
    "Fecha de entrada en vigor: 1/12/2026",
    "Tarifas a partir del 1 de diciembre",
    "Con efecto 01/12/2026",
    "Tariffe in vigore dal 1º dicembre 2026",
    "Validità: dal 01/12/2026",
    "Tabela de preços em vigor a partir de 1 de dezembro",
    "Stawki od 1.12.2026",
    "Ważność od 1 grudnia 2026 r.",
    "Вводятся с 01.12.2026",
    "Дата вступления: 01.12.2026",
    "Цены с 1 декабря",
    "Pricelist valid: 2026/12/01",
    "Price list December 2026",
    "Preisliste Dezember 2026",
    "Ab 1.12.2026 gelten folgende Preise",
    "ab dem 1. Dezember 2026",
    "Ab 01.12. neue Preise",
    "Inkrafttreten: 01.12.2026",
    "Gueltigkeitsbeginn 01.12.2026",
    "Preise gültig vom 01.12.2026 bis 31.12.2026",
    "New rates as from 1/12/2026",
    "With effect from 01.12.2026",
    "Implementation date: 01/12/2026",
    "Activation: 2026-12-01 00:00:00",
    "Activation Date;2026-12-01",
    "Applies from 1 Dec",
    "Amendment effective 1/12",
    "Changes take effect December 1",
    "Effective Date: Dec-01-2026",
    "Nouveaux tarifs au 1er décembre 2026",
    "Grille tarifaire au 01/12/2026",
    "Prise d'effet le 01/12/2026",
    "Nuevas tarifas desde diciembre",
    "Aplicable desde 1/12/2026",
    "In vigore dal 01.12.2026",
    "Valide dal 1 dicembre",
    "Ważny od: 2026-12-01",
    "Od dnia 1 grudnia",
    "Начало действия 01.12.2026",
    "Действительны с 1 декабря",
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
    "Rates in EUR cents",
    "Rates in euro-cents/min",
    "Prices are quoted in cents",
    "Rates: c/min",
    "Rate unit: cent",
    "All values in 1/100 EUR",
    "All values in cents",
    "Preisangaben in Cent",
    "Preise in €ct/Min",
    "Preise in Eurocents",
    "Preise pro 100 Minuten",
    "Preise je Sekunde",
    "Sekundenpreise",
    "Rates are per sec",
    "Rates (per-second)",
    "Minutenpreise in Cent",
    "Tarifs en centimes d'euro par minute",
    "Tarifas en céntimos de euro",
    "Tariffe in centesimi di euro",
    "Valores em cêntimos/minuto",
    "Valores en centavos",
    "Stawki w groszach",
    "Тариф, коп/мин",
    "Billing increment 1/1, rates per second",
    "Cents per minute",
    "¢ per min",
    "Rates in US¢",
    "Prices in euro cent",
    "Eurocent/Min",
    "All rates in EUR-Cent",
    "ct",
    "in Cent",
    "Einheit: ct/min",
    "Preis = Cent",
    "Angaben in ct",
    "Beträge in Rp.",
    "Preise in Rappen",
    "pence per minute",
    "ppm in pence",
    "rates p/min",
    "x 100",
    "Tarif en cts",
    "Tarif en cts/min",
    "centimes / minute",
    "Céntimos/min",
    "Prezzi in cent/min",
    "Cena w gr/min",
    "gr/min",
    "Цена, коп.",
    "Стоимость в центах США",
    "per sec",
    "EUR per second",
    "€/Sek.",
    "Rates: EUR/sec",
    "Sekundentarif",
    "Prix à la seconde",
    "Precios por seg.",
    "Preise pro Stunde",
    "Preise je Gespräch",
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
    "Все цены указаны в рублях без НДС",
    "US$ per minute",
    "$/min",
    "USD/min",
    "Price list (USD)",
    "Currency: US Dollar",
    "Currency: Dollar",
    "Currency;GBP",
    "Amounts are in british pounds",
    "CHF pro Minute",
    "Preise in Schweizer Franken",
    "Preise in Dollar",
    "Tarifs en dollars américains",
    "Prix en francs suisses",
    "Precios en dólares americanos",
    "Moneda: dólar",
    "Moeda: real",
    "Ceny w zł",
    "Цены в руб.",
    "Цены в долл. США",
    "USD",
    "US Dollars",
    "Dollars",
    "in dollars",
    "prices quoted in U.S. dollars",
    "Rates [USD]",
    "Curr.: USD",
    "usd/min",
    "all rates in usd",
    "Prices US$",
    "GBP rates",
    "British Pounds Sterling",
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
    "Prices shown include all applicable taxes",
    "Taxes included",
    "Tax inclusive rates",
    "VAT 20% included",
    "VAT included",
    "Gross prices",
    "Bruttopreise",
    "Endkundenpreise inkl. USt.",
    "inkl. MwSt",
    "MwSt. enthalten",
    "Toutes taxes comprises",
    "Impuestos incluidos",
    "Tasse incluse",
    "IVA incl.",
    "Impostos incluídos",
    "z podatkiem VAT",
    "в т.ч. НДС 20%",
    "inc VAT",
    "incl VAT",
    "VAT incl.",
    "Including 20% VAT",
    "Prices inclusive of tax",
    "mit MwSt.",
    "inklusive Mehrwertsteuer",
    "Preise inkl. gesetzl. MwSt.",
    "tax: 19%",
    "MwSt: 19%",
    "PRIX T.T.C.",
    "IVA incluido",
    "IVA inclusa",
    "IVA compresa",
    "con IVA",
    "VAT wliczony",
    "В цену включен НДС",
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
    "Min. charge 60 sec",
    "Min/Inc: 60/60",
    "Rounded up to the full minute",
    "Billed in 6 second increments",
    "Increments: 1/1",
    "Initial 30, subsequent 6 seconds",
    "Billing 1/1 sec",
    "Rounding 60 s",
    "Per second billing",
    "Takt 60/60",
    "Minutentakt",
    "60/60 Takt",
    "Abrechnung sekundengenau",
    "Abrechnung 1/1",
    "angefangene Minute wird voll berechnet",
    "Facturation à la minute",
    "Facturación por segundos",
    "Tariffazione al secondo",
    "Tarifação por minuto",
    "Naliczanie sekundowe",
    "Naliczanie 1/1",
    "Посекундная тарификация",
    "Min 60s",
    "60s/60s",
    "60 / 60",
    "Interval: 60",
    "Increment 6",
    "1 sec billing",
    "Charging: per minute",
    "Charged per minute, rounded up",
    "Takt: 60",
    "60-60",
    "60+60",
    "Minutenabrechnung",
    "Sekundenabrechnung",
    "minutengenaue Abrechnung",
    "Mindestabrechnung 60 Sek.",
    "Durée minimale 60 s",
    "Décompte à la seconde dès la 1ère seconde",
    "Indivisible de 60 secondes",
    "Tarificación por segundos",
    "Tariffazione a scatti di 30 s",
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
    "Standard Tariff",
    "Startup Telecom GmbH",
    "Cent Telecom",
    "Europhone Ltd",
    "Rates for Top Tel Inc.",
    "Tel: 020 7946 0958",
    "Tel: 1555123456",
    "Rate sheet prepared for John Smith",
    "Rate sheet #2026-12",
    "Version 1.2",
    "Rates v 2.1",
    "Interconnect rates, version 12/2026",
    "International Termination Price List",
    "Preisliste Nr. 12",
    "Kundennummer 4711",
    "All rates in euro, excluding VAT",
    "Net prices",
    "Sum of all",
    "Prefix length 3-6 digits",
    "Steuernummer 12/345/67890",
    "Bank: IBAN DE12 3456 7890, BIC ABCDEFGH",
    "Rechnung per E-Mail",
    "Geschäftsführer: Max Pfund",
    "Minimum order 1000 EUR",
    "Second Street 60, Boston MA",
    "Confidential. Rates subject to change with 7 days notice",
    "7 days notice",
    "Mr. May, Sales",
    "Offer No. 2026-123",
    "Africa",
    "Mobile",
    "Starter plan",
    "Phone rates +49 (0)30 123-45",
    "Special services",
    "Rue du 11 novembre 12, Paris",
    "c/o ACME",
    "Min. order 60",
    "Currency of rates is EUR",
    "Moneda: euro",
    "Валюта: евро",
    "Currency: €",
    "Währung: Euro",
    "Preise in EUR/Min",
    "Our values: trust and quality",
    "Second Minute Telecom",
    "Minutenpreise in Euro",
    "Rechnungsbetrag siehe Rechnung",
    "Tel 030/12-34",
    "Fax: 030 60-60",
    "Musterstraße 1/1",
    "1-60 Main Street",
    "Euro House, 12 Mars Street",
    "Apr Telecom",
    "Price list for Mars Inc.",
    "Preisliste A-Z",
    "Preisliste Seite 1/3",
    "HRB 12345, Amtsgericht Berlin",
    "Best regards, April Smith",
    "Sales: May Johnson, ext. 60",
    "Carrier Services Standard 2026",
    "Currency: EUR",
    "Währung: EUR",
    "Alle Preise in EUR ohne MwSt.",
    "All prices per minute in Euro excl. VAT",
    "Route quality: CLI guaranteed",
    "Call center",
    "Rates for call centers",
    "ASR 60%, ACD 2 min",
    "Payment terms: 30 days net",
    "Pro Telecom",
    "In case of questions call +49 30 1234",
    "All prices are in EUR per minute",
    "Application form",
    "Active carriers 2026",
    "Discount Telecom GmbH",
    "Support within 30 minutes",
    "Support from Monday to Friday, 9 to 17",
    "Support: Mon-Fri 8-18",
    "ACD 2 min, PDD below 6 seconds",
    "Rates valid for ASR above 40%",
    "Rates may change with 7 days notice",
    "1,000 customers trust us",
    "Tel. 030 123 456",
    "Payment within 14 days",
    "All rates per 1 minute",
    "Rates per 60 seconds",
    "EUR / 1 min",
    "Next Telecom Ltd.",
    "Morgen Telecom GmbH",
    "Rates per minute",
    "2 x 2 Mbit",
    "Share capital 1.000.000 EUR",
];

/// Each flag, and the phrases that it is asked for.
fn kinds() -> [(&'static str, &'static [&'static str]); 8] {
    [
        ("--effective-from DATE", DATES),
        ("--effective-from DATE", titles::DATES_IN_WORDS),
        ("--factor", UNITS),
        ("--factor", titles::MEASURES),
        ("--factor makes rates what is paid", titles::ADJUSTMENTS),
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
            // A line with digits where prefixes are, or with hardly a letter, is refused as one.
            let quoted = below(&format!("{phrase};"));
            let is_line =
                phrase.contains(|c: char| c.is_ascii_digit() || c == ';') || phrase.len() <= 3;
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
    // A line without a date of its own has that above.
    let blank = format!("{columns}371;1;;1/1\n");
    assert!(asked(&blank, &Profile::default()).unwrap().contains("--effective-from"));
    assert_eq!(asked(&blank, &dates), None);
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
