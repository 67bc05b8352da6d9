//! What identifies a call in the files of switches.

/// The longest id that a call may have, in bytes: that of `CallRecord.call_id`.
pub const LONGEST_KEY: usize = 255;

/// The ids that a file gives for a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CallIds {
    /// The id of the record: Asterisk's uniqueid, FreeSWITCH's uuid, the call id of others.
    pub unique: String,
    /// Asterisk's linkedid, which all channels of one call share; empty: not written.
    pub linked: String,
    /// Asterisk's sequence: the number of this record among those of its uniqueid; empty: not
    /// written.
    pub sequence: String,
    /// The caller's channel, where ids are taken from it; else empty.
    pub channel: String,
}

impl CallIds {
    /// The id under which the call is stored; `None` if the file gives none.
    ///
    /// - uniqueid and sequence: Asterisk writes several records under one uniqueid (a call that
    ///   is sent on, a second `Dial`), each with a sequence of its own, and each is a call;
    /// - uniqueid alone: records under it are legs of one call, see [`super::legs::compare`];
    /// - without a uniqueid (`loguniqueid = no`) linkedid, channel, and sequence if there is one.
    ///
    /// A `%` or `#` in a part is written `%25` or `%23`, so that no part can be mistaken for two.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        let parts: &[&str] = match (&*self.unique, &*self.linked, &*self.sequence, &*self.channel) {
            ("", "", _, _) | ("", _, _, "") => return None,
            ("", linked, "", channel) => &[linked, channel],
            ("", linked, sequence, channel) => &[linked, channel, sequence],
            // As it is: also what earlier imports stored.
            (unique, _, "", _) => return Some(unique.to_owned()),
            (unique, _, sequence, _) => &[unique, sequence],
        };
        let escaped = parts.iter().map(|part| part.replace('%', "%25").replace('#', "%23"));
        Some(escaped.collect::<Vec<_>>().join("#"))
    }

    /// The id that all records of the caller's channel share: a call that is known under it came
    /// from a file without sequences. Empty: there is none.
    #[must_use]
    pub fn group(&self) -> &str {
        if self.unique.is_empty() { &self.linked } else { &self.unique }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(unique: &str, linked: &str, sequence: &str, channel: &str) -> Option<String> {
        let [unique, linked, sequence, channel] =
            [unique, linked, sequence, channel].map(str::to_owned);
        CallIds { unique, linked, sequence, channel }.key()
    }

    #[test]
    fn keys() {
        assert_eq!(key("1.1", "1.1", "0", "SIP/a-1").unwrap(), "1.1#0");
        assert_eq!(key("1.1", "1.1", "", "SIP/a-1").unwrap(), "1.1");
        assert_eq!(key("", "1.1", "", "SIP/a-1").unwrap(), "1.1#SIP/a-1");
        assert_eq!(key("", "1.1", "7", "SIP/a-1").unwrap(), "1.1#SIP/a-1#7");
        assert_eq!(key("", "1.1", "7", ""), None);
        assert_eq!(key("", "", "7", "SIP/a-1"), None);
        assert_eq!(key("a#1", "", "2", "").unwrap(), "a%231#2");
    }
}
