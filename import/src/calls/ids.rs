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
    /// The id of the call; `None` if the file gives none: the uniqueid, or without one
    /// (`loguniqueid = no`) linkedid and channel.
    ///
    /// It is the same in files that have sequences and in those that have none, so that a call
    /// that is in both is billed once. Asterisk writes several records under one uniqueid: of
    /// attempts, of which one is answered, and of further calls (one that is sent on, a second
    /// `Dial`), for which see [`Self::record_key`].
    ///
    /// A `%` or `#` in one of several parts is written `%25` or `%23`, so that no part can be
    /// mistaken for two.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        match (&*self.unique, &*self.linked, &*self.channel) {
            ("", "", _) | ("", _, "") => None,
            ("", linked, channel) => Some(joined(&[linked, channel])),
            // As it is: also what earlier imports stored.
            (unique, ..) => Some(unique.to_owned()),
        }
    }

    /// An id that is made of what a record says beside ids: when the call began, on which channel, to which
    /// number. `None` if it does not say the time or the channel.
    #[must_use]
    pub fn made_of(start: &str, channel: &str, destination: &str) -> Option<String> {
        let whole = !start.is_empty() && !channel.is_empty();
        whole.then(|| joined(&["made", start, channel, destination]))
    }

    /// The id of this record among those of [`Self::key`], under which it is a call of its own
    /// where another call has that: with the sequence; `None` if the file gives none.
    #[must_use]
    pub fn record_key(&self) -> Option<String> {
        match (&*self.unique, &*self.linked, &*self.channel, &*self.sequence) {
            (.., "") | ("", "", ..) | ("", _, "", _) => None,
            ("", linked, channel, sequence) => Some(joined(&[linked, channel, sequence])),
            (unique, .., sequence) => Some(joined(&[unique, sequence])),
        }
    }
}

fn joined(parts: &[&str]) -> String {
    let escaped = parts.iter().map(|part| part.replace('%', "%25").replace('#', "%23"));
    escaped.collect::<Vec<_>>().join("#")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(unique: &str, linked: &str, sequence: &str, channel: &str) -> [Option<String>; 2] {
        let [unique, linked, sequence, channel] =
            [unique, linked, sequence, channel].map(str::to_owned);
        let ids = CallIds { unique, linked, sequence, channel };
        [ids.key(), ids.record_key()]
    }

    #[test]
    fn the_id_of_a_call_does_not_depend_on_its_sequence() {
        let some = |call: &str, record: &str| [Some(call.to_owned()), Some(record.to_owned())];
        let alone = |call: &str| [Some(call.to_owned()), None];
        assert_eq!(keys("1.1", "1.1", "0", "SIP/a-1"), some("1.1", "1.1#0"));
        assert_eq!(keys("1.1", "1.1", "", "SIP/a-1"), alone("1.1"));
        assert_eq!(keys("", "1.1", "", "SIP/a-1"), alone("1.1#SIP/a-1"));
        assert_eq!(keys("", "1.1", "7", "SIP/a-1"), some("1.1#SIP/a-1", "1.1#SIP/a-1#7"));
        assert_eq!(keys("a#1", "", "2", ""), some("a#1", "a%231#2"));
        assert_eq!(keys("", "1.1", "7", ""), [None, None]);
        assert_eq!(keys("", "", "7", "SIP/a-1"), [None, None]);
    }
}
