//! What billing steps count from.

/// What billing steps count from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Steps {
    /// The beginning of the call: 90/60 bills 120, 180, 240 seconds.
    #[default]
    FromZero,
    /// The end of the minimum time: 90/60 bills 90, 150, 210 seconds.
    AfterMinimum,
}

impl Steps {
    const ALL: [Self; 2] = [Self::FromZero, Self::AfterMinimum];

    /// As a line of a deck and a person write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FromZero => "zero",
            Self::AfterMinimum => "minimum",
        }
    }

    /// The steps of that name; none: there are no such.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|steps| steps.name() == name)
    }

    /// The number under which they are stored.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Self::FromZero => 0,
            Self::AfterMinimum => 1,
        }
    }

    /// The steps of that number; none: there are no such.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|steps| steps.number() == number)
    }
}
