//! What the columns of rate decks are called, and what their status is, in German, French, Spanish,
//! Italian, Portuguese, Polish and Russian.
//!
//! Only names that say one thing. What may be another thing as well is refused, so that a person says what
//! it is: `Tarif` and its like are prices or the names of plans, `Verbindungsentgelt` is the price of a
//! minute or of a call, `Estado` a status or a state, `Code pays` digits or letters.

use super::Status;

/// Names of fields, folded as [`fold`] folds them.
const NAMES: [(&str, &[&str]); 16] = [
    (
        "prefix",
        &[
            "vorwahl",
            "vorwahlen",
            "rufnummernprafix",
            "prafix",
            "praefix",
            "zielvorwahl",
            "prefixe",
            "prefixes",
            "indicatif",
            "indicatifs",
            "prefijo",
            "prefijos",
            "codigo",
            "codigos",
            "prefisso",
            "prefissi",
            "prefixo",
            "prefixos",
            "prefiks",
            "prefiksy",
            "kod",
            "kody",
            "kod kierunkowy",
            "numer kierunkowy",
            "код",
            "коды",
            "префикс",
            "префиксы",
            "код направления",
            "телефонный код",
        ],
    ),
    (
        "country_code",
        &[
            "landesvorwahl",
            "landervorwahl",
            "laendervorwahl",
            "landerkennzahl",
            "landeskennzahl",
            "indicatif pays",
            "indicatif du pays",
            "prefijo pais",
            "prefijo de pais",
            "prefijo del pais",
            "код страны",
        ],
    ),
    (
        "area_code",
        &[
            "ortsvorwahl",
            "ortskennzahl",
            "ortsnetzkennzahl",
            "codigo de area",
            "prefijo de area",
            "код города",
            "код зоны",
            "код региона",
        ],
    ),
    ("country", &["land", "zielland", "pays", "pais", "paese", "nazione", "kraj", "страна"]),
    (
        "destination",
        &[
            "ziel",
            "ziele",
            "zielgebiet",
            "zielnetz",
            "zielname",
            "zielbezeichnung",
            "bezeichnung",
            "beschreibung",
            "nom de la destination",
            "libelle",
            "destino",
            "destinos",
            "descripcion",
            "destinazione",
            "destinazioni",
            "direttrice",
            "descrizione",
            "descricao",
            "kierunek",
            "nazwa kierunku",
            "opis",
            "направление",
            "название направления",
            "описание",
        ],
    ),
    (
        "rate",
        &[
            "preis",
            "minutenpreis",
            "nettopreis",
            "neuer preis",
            "prix",
            "prix a la minute",
            "prix de la minute",
            "cout par minute",
            "cout minute",
            "tarif par minute",
            "tarif minute",
            "tarif a la minute",
            "nouveau prix",
            "precio",
            "precio minuto",
            "coste por minuto",
            "costo por minuto",
            "tarifa por minuto",
            "nuevo precio",
            "prezzo",
            "prezzo minuto",
            "costo al minuto",
            "tariffa al minuto",
            "nuovo prezzo",
            "preco",
            "preco minuto",
            "valor por minuto",
            "cena",
            "cena minuty",
            "stawka",
            "stawka za minute",
            "цена",
            "цена минуты",
            "стоимость минуты",
            "стоимость за минуту",
            "тариф за минуту",
            "новая цена",
        ],
    ),
    (
        "connection_fee",
        &[
            "verbindungsaufbau",
            "verbindungsaufbaugebuhr",
            "rufaufbau",
            "rufaufbaugebuhr",
            "aufbaugebuhr",
            "einwahlgebuhr",
            "frais de connexion",
            "cout de connexion",
            "frais de mise en relation",
            "cout de mise en relation",
            "mise en relation",
            "frais d etablissement",
            "frais d etablissement d appel",
            "establecimiento",
            "establecimiento de llamada",
            "coste de establecimiento",
            "costo de establecimiento",
            "cargo por establecimiento",
            "scatto alla risposta",
            "taxa de conexao",
            "taxa de estabelecimento",
            "oplata inicjacyjna",
            "oplata za inicjacje polaczenia",
            "плата за соединение",
            "стоимость соединения",
        ],
    ),
    (
        "increment",
        &[
            "taktung",
            "takt",
            "takte",
            "abrechnungstakt",
            "abrechnungstaktung",
            "abrechnungsintervall",
            "pas de facturation",
            "palier de facturation",
            "intervalle de facturation",
            "cadence de facturation",
            "incremento",
            "incremento de facturacion",
            "intervalo de facturacion",
            "intervallo di fatturazione",
            "scatti di fatturazione",
            "cadencia",
            "incremento de faturacao",
            "taktowanie",
            "naliczanie",
            "тарификация",
            "шаг тарификации",
            "интервал тарификации",
        ],
    ),
    (
        "min_time",
        &[
            "mindestdauer",
            "mindestgesprachsdauer",
            "mindestabrechnungsdauer",
            "duree minimale",
            "duree minimum",
            "duracion minima",
            "durata minima",
            "duracao minima",
            "minimalny czas",
            "минимальная длительность",
            "минимальное время",
        ],
    ),
    ("first_interval", &["ersttakt", "erster takt", "первый интервал", "primer intervalo"]),
    ("next_interval", &["folgetakt", "weiterer takt", "следующий интервал", "intervalo siguiente"]),
    (
        "effective_from",
        &[
            "gultig ab",
            "gueltig ab",
            "gultig von",
            "gueltig von",
            "gultig seit",
            "gueltig seit",
            "preis gultig ab",
            "wirksam ab",
            "startdatum",
            "datum ab",
            "ab datum",
            "valable a partir du",
            "valable du",
            "applicable au",
            "applicable a partir du",
            "date d effet",
            "date d application",
            "date d entree en vigueur",
            "date de debut",
            "en vigueur depuis",
            "fecha de inicio",
            "fecha inicio",
            "fecha efectiva",
            "fecha de vigencia",
            "vigente desde",
            "valido desde",
            "valido dal",
            "valida dal",
            "data inizio",
            "data di inizio",
            "decorrenza",
            "valido a partir de",
            "data de inicio",
            "inicio da vigencia",
            "vigencia a partir de",
            "obowiazuje od",
            "wazne od",
            "wazny od",
            "data od",
            "дата начала",
            "дата начала действия",
            "действует с",
            "действует от",
            "дата вступления в силу",
            "дата активации",
        ],
    ),
    (
        "effective_until",
        &[
            "gultig bis",
            "gueltig bis",
            "enddatum",
            "datum bis",
            "valable jusqu au",
            "date de fin",
            "date fin",
            "fecha de fin",
            "fecha fin",
            "vigente hasta",
            "valido hasta",
            "valido al",
            "valido fino al",
            "data fine",
            "data di fine",
            "valido ate",
            "data de fim",
            "data do fim",
            "obowiazuje do",
            "wazne do",
            "wazny do",
            "data do",
            "дата окончания",
            "дата окончания действия",
            "действует до",
            "действует по",
        ],
    ),
    (
        "currency",
        &[
            "wahrung",
            "waehrung",
            "devise",
            "moneda",
            "divisa",
            "valuta",
            "moeda",
            "waluta",
            "валюта",
        ],
    ),
    ("blocked", &["gesperrt", "bloque", "bloqueado", "bloccato", "zablokowany", "заблокировано"]),
    ("status", &["anderung", "aenderung", "statut", "zmiana", "статус", "изменение"]),
];

/// The field that a column of this normalised name is.
pub(super) fn field(normal: &str) -> Option<&'static str> {
    let folded = fold(normal);
    let found = NAMES.iter().find(|(_, names)| names.contains(&folded.as_str()));
    found.map(|(field, _)| *field)
}

/// What a cell of the column of the status says, given as normalised; `None` if it is not known.
pub(super) fn status(normal: &str) -> Option<Status> {
    Some(match fold(normal).as_str() {
        "unverandert"
        | "gleich"
        | "inchange"
        | "sans changement"
        | "sin cambios"
        | "invariato"
        | "sem alteracao"
        | "bez zmian"
        | "без изменений" => Status::Current,
        "neu" | "nouveau" | "nouvelle" | "nuevo" | "nueva" | "nuovo" | "nuova" | "novo"
        | "nova" | "nowy" | "nowa" | "новый" | "новое" => Status::New,
        "erhohung"
        | "erhoht"
        | "hausse"
        | "augmentation"
        | "aumento"
        | "subida"
        | "wzrost"
        | "podwyzka"
        | "повышение"
        | "увеличение" => Status::Increase,
        "senkung" | "gesenkt" | "baisse" | "diminution" | "bajada" | "reduccion"
        | "diminuzione" | "reducao" | "obnizka" | "снижение" | "понижение" => {
            Status::Decrease
        }
        "geandert" | "modifie" | "modificado" | "modificato" | "alterado" | "zmieniony"
        | "изменено" => Status::Changed,
        "geloscht" | "entfallt" | "geschlossen" | "supprime" | "ferme" | "eliminado"
        | "cerrado" | "eliminato" | "removido" | "usuniety" | "закрыто" | "удалено" => {
            Status::Closed
        }
        "gesperrt" | "bloque" | "bloqueado" | "bloccato" | "zablokowany" | "заблокировано" => {
            Status::Blocked
        }
        _ => return None,
    })
}

/// A normalised name without accents, as people leave them out.
pub(super) fn fold(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    for char in name.chars() {
        let plain = match char {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ą' => 'a',
            'ç' | 'ć' => 'c',
            'è' | 'é' | 'ê' | 'ë' | 'ę' => 'e',
            'ì' | 'í' | 'î' | 'ï' => 'i',
            'ñ' | 'ń' => 'n',
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' => 'o',
            'ù' | 'ú' | 'û' | 'ü' => 'u',
            'ł' => 'l',
            'ś' => 's',
            'ź' | 'ż' => 'z',
            'ё' => 'е',
            'ß' => {
                folded.push('s');
                's'
            }
            other => other,
        };
        folded.push(plain);
    }
    folded
}

/// Words for minutes.
pub(super) fn is_minutes(word: &str) -> bool {
    matches!(
        word,
        "min"
            | "mins"
            | "minute"
            | "minutes"
            | "pm"
            | "minuten"
            | "minuto"
            | "minutos"
            | "minuti"
            | "minuta"
            | "minuty"
            | "minutę"
            | "мин"
            | "минута"
            | "минуту"
            | "минуты"
            | "минут"
            | "minut"
    )
}

/// Words for seconds.
pub(super) fn is_seconds(word: &str) -> bool {
    matches!(
        word,
        "sec"
            | "secs"
            | "second"
            | "seconds"
            | "s"
            | "sek"
            | "sekunde"
            | "sekunden"
            | "seconde"
            | "secondes"
            | "seg"
            | "segundo"
            | "segundos"
            | "secondo"
            | "secondi"
            | "sekunda"
            | "sekundy"
            | "sekundę"
            | "сек"
            | "секунда"
            | "секунду"
            | "секунды"
            | "секунд"
            | "sekund"
            | "segs"
    )
}

/// Words for hundredths of a currency's unit.
pub(super) fn is_cents(word: &str) -> bool {
    matches!(
        word,
        "cent"
            | "cents"
            | "ct"
            | "cts"
            | "pence"
            | "p"
            | "rappen"
            | "centime"
            | "centimes"
            | "centimo"
            | "céntimo"
            | "céntimos"
            | "cêntimo"
            | "cêntimos"
            | "centimos"
            | "centavo"
            | "centavos"
            | "centesimo"
            | "centesimi"
            | "grosz"
            | "grosze"
            | "groszy"
            | "коп"
            | "копеек"
            | "копейки"
            | "цент"
            | "центы"
            | "центов"
    )
}

/// Words between a price and its unit, and for prices without taxes.
pub(super) fn is_between(word: &str) -> bool {
    matches!(
        word,
        "per" | "in" | "1" | "pro" | "je" | "par" | "por" | "al" | "za" | "за" | "netto" | "ht"
    )
}

/// Whether a folded name speaks of a price.
fn is_price(folded: &str) -> bool {
    let is_price = |word: &str| {
        let is_word = matches!(
            word,
            "prix"
                | "precio"
                | "prezzo"
                | "preco"
                | "cena"
                | "stawka"
                | "entgelt"
                | "tarif"
                | "tarifa"
                | "tariffa"
                | "taryfa"
                | "тариф"
                | "цена"
                | "стоимость"
                | "kosten"
                | "cout"
                | "coste"
                | "costo"
                | "custo"
                | "koszt"
                | "gebuhr"
                | "gebuehr"
        );
        is_word || word.ends_with("preis")
    };
    folded.split(' ').any(is_price)
}

/// Why a column that is no field must not be passed over; `None` if it can be. Given its normalised name.
pub(super) fn refused(normal: &str) -> Option<&'static str> {
    let folded = fold(normal);
    let has = |words: &[&str]| folded.split(' ').any(|word| words.contains(&word));
    let starts = |starts: &[&str]| {
        folded.split(' ').any(|word| starts.iter().any(|start| word.starts_with(start)))
    };
    if starts(&["verbindungsentgelt", "verbindungsgebuhr", "verbindungspreis", "verbindungskosten"])
    {
        return Some(
            "the price of a minute or of a call: --column rate=COLUMN or --column connection_fee=COLUMN \
             says which, or --ignore-column passes it over",
        );
    }
    let is_price = is_price(&folded);
    if has(&["brutto", "bruttopreis", "ttc", "mwst", "ust", "iva", "ндс", "vat"]) {
        return Some(
            "a price with taxes, perhaps, and rates are without: take it with --column rate=COLUMN if it is \
             without, or pass over it with --ignore-column",
        );
    }
    let band = [
        "hauptzeit",
        "nebenzeit",
        "wochenende",
        "pleines",
        "creuses",
        "punta",
        "szczyt",
        "horario",
    ];
    if starts(&band)
        || is_price && has(&["reducido", "ridotto", "reduzido", "nacht", "nuit", "noche"])
    {
        return Some(
            "rates that depend on the hour or day, in columns of their own: take the one that is to count \
             with --column rate=COLUMN, and pass over the others with --ignore-column",
        );
    }
    if starts(&[
        "herkunft", "ursprung", "anrufer", "origine", "origen", "origem", "appelant", "llamante",
    ]) {
        return Some(
            "rates that depend on the origin of the caller: take the one that is to count with --column \
             rate=COLUMN, and pass over the others with --ignore-column",
        );
    }
    (is_price && folded.split(' ').count() <= 5).then_some(
        "another price: pass over it with --ignore-column if rates do not depend on it, or take it as the \
         price with --column rate=COLUMN",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{deck::FIELDS, table::normalised};

    #[test]
    fn each_name_says_one_thing() {
        let mut seen = std::collections::BTreeMap::new();
        for (field, names) in &NAMES {
            for name in *names {
                assert_eq!(fold(&normalised(name)), *name, "it would never be found");
                assert_eq!(FIELDS.field(name).map(|(found, _)| found), Some(*field), "{name}");
                let before = seen.insert(*name, *field);
                assert!(before.is_none_or(|before| before == *field), "{name}");
            }
        }
    }

    #[test]
    fn what_may_be_two_things_is_asked() {
        for name in ["Tarif", "Tarifa", "Тариф", "Verbindungsentgelt", "Preis brutto", "Prix TTC"]
        {
            assert_eq!(FIELDS.field(name), None, "{name}");
            assert!((FIELDS.refused)(&normalised(name)).is_some(), "{name}");
        }
        for name in ["Precio horario reducido", "Preis Nebenzeit", "Herkunft", "Alter Preis"] {
            assert!((FIELDS.refused)(&normalised(name)).is_some(), "{name}");
        }
        for name in ["Code pays", "Estado", "Datum", "Bemerkung"] {
            assert_eq!(FIELDS.field(name), None, "{name}");
            assert_eq!((FIELDS.refused)(&normalised(name)), None, "{name}");
        }
    }
}
