//! Words of the lines around a deck, in English and the languages of [`super::languages`], in small letters
//! and without accents. Where a list is of beginnings, any ending may follow.

/// Beginnings of words for prices.
pub(super) const PRICES: &[&str] = &[
    "rate",
    "price",
    "pricing",
    "tarif",
    "charges",
    "costs",
    "preis",
    "entgelt",
    "prix",
    "precio",
    "prezz",
    "listino",
    "preco",
    "ceny",
    "cena",
    "cennik",
    "stawk",
    "taryf",
    "тариф",
    "цен",
    "стоимост",
    "прайс",
    "amount",
    "values",
    "valores",
    "montant",
    "importes",
    "betrag",
    "kwot",
    "сумм",
];

/// Beginnings of words that say that something counts from a date on.
pub(super) const VALIDITY: &[&str] = &[
    "effect",
    "valid",
    "starting",
    "start",
    "begin",
    "commenc",
    "gultig",
    "gueltig",
    "wirksam",
    "kraft",
    "valable",
    "vigueur",
    "effet",
    "appl",
    "inkraft",
    "implement",
    "activat",
    "aktivier",
    "vigen",
    "vigor",
    "efect",
    "gelten",
    "gilt",
    "efetiv",
    "decorr",
    "obowiaz",
    "wazn",
    "действ",
    "вступ",
];

/// What stands before a date from which something counts.
pub(super) const FROM: &[&str] = &[
    "from", "since", "ab", "zum", "per", "seit", "vom", "partir", "partire", "du", "depuis",
    "desde", "del", "dal", "dall", "od", "dnia", "с", "от",
];

/// Beginnings of words for when a file was made.
pub(super) const ISSUED: &[&str] = &[
    "generated",
    "printed",
    "created",
    "exported",
    "issued",
    "erstellt",
    "gedruckt",
    "exportiert",
    "imprime",
    "genere",
    "generado",
    "creado",
    "stampat",
    "generat",
    "criado",
    "wygenerowan",
    "wydruk",
    "создан",
];

/// Beginnings of names of months.
pub(super) const MONTHS: &[&str] = &[
    "januar",
    "janvier",
    "enero",
    "gennaio",
    "janeiro",
    "stycz",
    "январ",
    "februar",
    "fevrier",
    "febrero",
    "febbraio",
    "fevereiro",
    "lutego",
    "феврал",
    "march",
    "marz",
    "maerz",
    "mars",
    "marco",
    "marca",
    "март",
    "april",
    "avril",
    "abril",
    "kwiet",
    "апрел",
    "may",
    "mai",
    "maggio",
    "maja",
    "мая",
    "june",
    "juni",
    "juin",
    "giugno",
    "junho",
    "czerw",
    "июн",
    "july",
    "juli",
    "juillet",
    "luglio",
    "julho",
    "lipca",
    "июл",
    "august",
    "aout",
    "agosto",
    "sierp",
    "август",
    "sept",
    "settembre",
    "setembro",
    "wrzes",
    "сентяб",
    "octo",
    "oktob",
    "octub",
    "ottobre",
    "outubro",
    "pazdz",
    "октяб",
    "novemb",
    "noviemb",
    "listopad",
    "нояб",
    "decemb",
    "dezemb",
    "diciemb",
    "dicemb",
    "grud",
    "декаб",
    "jan",
    "feb",
    "apr",
    "aug",
    "oct",
    "nov",
    "dec",
    "dez",
];

/// What stands before a unit or currency.
pub(super) const IN: &[&str] = &["in", "en", "em", "w", "в"];

/// What stands before a currency.
pub(super) const CURRENCY_LABELS: &[&str] = &[
    "currency",
    "wahrung",
    "waehrung",
    "devise",
    "monnaie",
    "moneda",
    "divisa",
    "valuta",
    "moeda",
    "waluta",
    "валюта",
    "валюте",
];

/// What stands between a price and what it is the price of.
pub(super) const PER: &[&str] =
    &["/", "per", "pro", "je", "par", "por", "al", "alla", "la", "za", "за", "a", "each", "every"];

/// Codes of currencies that are words of titles in capitals, too.
pub(super) const OFTEN_WORDS: &[&str] = &[
    "all", "ang", "bam", "bob", "cad", "cop", "cup", "cve", "dop", "gel", "lak", "mad", "mop",
    "mur", "mvr", "pen", "ron", "sos", "std", "tmt", "top", "try", "uah", "vet", "xaf", "zar",
    "mga", "lek", "mro", "nad",
];

/// Beginnings of the names of money, with the codes that it can be.
pub(super) const MONEY: &[(&str, &[&str])] = &[
    ("dollar", DOLLARS),
    ("dolar", DOLLARS),
    ("долл", DOLLARS),
    ("euro", &["EUR"]),
    ("евро", &["EUR"]),
    ("pound", &["GBP", "EGP", "SYP", "LBP", "SDG", "SSP", "GIP", "FKP", "SHP"]),
    ("sterling", &["GBP"]),
    ("pfund", &["GBP", "EGP", "SYP", "LBP", "SDG", "SSP", "GIP", "FKP", "SHP"]),
    ("фунт", &["GBP"]),
    ("zlot", &["PLN"]),
    ("zl", &["PLN"]),
    ("злот", &["PLN"]),
    ("rubel", &["RUB", "BYN"]),
    ("ruble", &["RUB", "BYN"]),
    ("rouble", &["RUB", "BYN"]),
    ("rubl", &["RUB", "BYN"]),
    ("руб", &["RUB", "BYN"]),
    ("₽", &["RUB"]),
    ("₴", &["UAH"]),
    ("₹", &["INR"]),
    ("¥", &["JPY", "CNY"]),
    ("francs", &["CHF", "XAF", "XOF", "XPF", "CDF", "DJF", "GNF", "KMF", "RWF", "BIF"]),
    ("франк", &["CHF"]),
    ("гривн", &["UAH"]),
    ("тенге", &["KZT"]),
    ("franken", &["CHF"]),
    ("rupee", &["INR", "PKR", "LKR", "NPR", "MUR", "SCR"]),
    ("kronor", &["SEK"]),
    ("kroner", &["NOK", "DKK"]),
    ("forint", &["HUF"]),
    ("reais", &["BRL"]),
];

const DOLLARS: &[&str] = &[
    "USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "JMD", "TTD", "BSD", "BBD", "BZD", "BMD",
    "KYD", "XCD", "FJD", "GYD", "LRD", "NAD", "SBD", "SRD", "ZWL",
];

/// Beginnings of the names of hundredths of one currency.
pub(super) const SUBUNITS: &[(&str, &[&str])] = &[
    ("pence", &["GBP", "GIP", "FKP", "SHP"]),
    ("eurocent", &["EUR"]),
    ("uscent", &["USD"]),
    ("rappen", &["CHF"]),
    ("grosz", &["PLN"]),
    ("копе", &["RUB", "BYN", "UAH"]),
];

/// Names of parts of a unit that no column of prices has in its name.
pub(super) fn other_units(word: &str) -> bool {
    word == "¢"
        || [
            "eurocent",
            "uscent",
            "millicent",
            "hundredth",
            "hundertstel",
            "thousandth",
            "tausendstel",
            "tenth",
            "zehntel",
            "milliem",
            "centiem",
            "millesim",
            "milesim",
            "tysieczn",
            "тысячны",
            "сотых",
            "копе",
            "grosz",
            "центах",
            "centach",
            "centow",
        ]
        .iter()
        .any(|stem| word.starts_with(stem))
        || matches!(word, "mills" | "penny" | "pennies" | "centesimos" | "centy")
}

/// What a price may be of beside a minute or second.
pub(super) const OTHER_MEASURES: &[&str] = &[
    "hour",
    "hours",
    "stunde",
    "heure",
    "hora",
    "ora",
    "godzine",
    "час",
    "call",
    "anruf",
    "gesprach",
    "verbindung",
    "appel",
    "llamada",
    "chiamata",
    "chamada",
    "polaczenie",
    "звонок",
    "вызов",
];

/// Words for taxes on a price.
pub(super) const TAXES: &[&str] = &[
    "vat",
    "tax",
    "taxes",
    "gst",
    "mwst",
    "ust",
    "steuer",
    "steuern",
    "tva",
    "taxe",
    "tasse",
    "iva",
    "impuesto",
    "impuestos",
    "imposte",
    "imposta",
    "imposto",
    "impostos",
    "podatek",
    "podatku",
    "podatkiem",
    "podatki",
    "ндс",
    "igic",
    "pst",
    "hst",
    "icms",
];

/// Words for prices with taxes.
pub(super) fn is_tax_in_price(word: &str) -> bool {
    matches!(word, "brutto" | "ttc" | "gross" | "lordo" | "lordi" | "bruttopreis" | "bruttopreise")
}

/// What says that taxes are in a price.
pub(super) const INCLUDING: &[&str] = &[
    "incl",
    "inc",
    "including",
    "inclusive",
    "include",
    "includes",
    "included",
    "with",
    "inkl",
    "inklusive",
    "einschl",
    "einschliesslich",
    "mit",
    "enthalten",
    "beinhalten",
    "compris",
    "comprise",
    "comprises",
    "inclus",
    "incluse",
    "incluses",
    "avec",
    "incluido",
    "incluidos",
    "incluida",
    "incluye",
    "incluyen",
    "con",
    "compresa",
    "comprese",
    "inclusa",
    "comprensivi",
    "com",
    "incluindo",
    "incluem",
    "z",
    "zawieraja",
    "zawiera",
    "lacznie",
    "wliczony",
    "с",
    "включая",
    "включен",
    "включает",
    "включают",
];

/// Beginnings of what says that taxes are not in a price.
pub(super) const EXCLUDING: &[&str] = &[
    "excl",
    "exkl",
    "escl",
    "exempt",
    "without",
    "not",
    "net",
    "netto",
    "netti",
    "plus",
    "zzgl",
    "zuzuglich",
    "zuzueglich",
    "ohne",
    "nicht",
    "hors",
    "sans",
    "sin",
    "senza",
    "sem",
    "acresc",
    "bez",
    "без",
    "не",
    "befreit",
    "ausgenommen",
    "ht",
    "nie",
    "mas",
    "before",
    "subject",
];

/// What stands beside the number of who pays taxes.
pub(super) const NUMBER_LABELS: &[&str] = &[
    "no",
    "nr",
    "id",
    "idnr",
    "number",
    "num",
    "nummer",
    "numero",
    "reg",
    "registration",
    "p",
    "partita",
    "intracommunautaire",
    "code",
    "nip",
    "n",
];

/// Beginnings of words for billing increments.
pub(super) const INCREMENTS: &[&str] = &[
    "increment",
    "interval",
    "pulse",
    "rounding",
    "rounded",
    "takt",
    "abrechnungstakt",
    "abrechnungsinterv",
    "mindestdauer",
    "mindestgesprach",
    "mindestabrechn",
    "palier",
    "cadenc",
    "incremento",
    "scatti",
    "taktowan",
    "naliczan",
    "тарификац",
    "интервал",
    "шаг",
    "ersttakt",
    "folgetakt",
    "gerundet",
    "arrond",
    "redonde",
    "arroton",
    "zaokragl",
    "округл",
    "duree",
    "duracion",
    "durata",
    "billed",
    "subsequent",
    "indivisib",
    "decompt",
    "angefangen",
    "tariffazion",
    "tarifac",
    "tarificac",
    "step",
];

/// What stands before the number of a page.
pub(super) const PAGES: &[&str] = &[
    "page",
    "seite",
    "pagina",
    "strona",
    "страница",
    "p",
    "s",
    "sheet",
    "part",
    "teil",
    "version",
];

/// Beginnings of words for bills, of which a line says how calls are billed if it speaks of time.
pub(super) const BILLS: &[&str] = &[
    "bill", "abrechn", "factur", "fattur", "fatur", "minimum", "minimal", "minimo", "initial",
    "charging",
];

/// What behind `min` says that it is no minute.
pub(super) const MINIMA: &[&str] =
    &["charge", "duration", "billing", "time", "call", "dauer", "sec", "seconds"];

/// Beginnings of words for time beside seconds and minutes themselves.
pub(super) const TIMED: &[&str] = &["sekund", "minut", "посекунд", "поминут", "секунд", "second"];

/// Whether a word is one for taxes.
pub(super) fn is_tax(word: &str) -> bool {
    TAXES.contains(&word)
        || ["mehrwertst", "umsatzst", "налог"].iter().any(|stem| word.starts_with(stem))
}
