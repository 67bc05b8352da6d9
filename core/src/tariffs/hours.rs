//! Hours of working days and of free days, for which there is a rate or none.

use crate::rating::{Days, DeckRate, LAST_SECOND};

/// Seconds of a day, in order: the first and the last of each piece.
type Pieces = Vec<(u32, u32)>;

/// Hours of working days, and of free ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hours([Pieces; 2]);

impl Hours {
    pub(super) fn whole() -> Self {
        Self([vec![(0, LAST_SECOND)], vec![(0, LAST_SECOND)]])
    }

    pub(super) fn none() -> Self {
        Self([Vec::new(), Vec::new()])
    }

    /// Those at which a rate counts.
    pub(super) fn of(rate: &DeckRate) -> Self {
        let piece = vec![(rate.hours.0, rate.hours.1.min(LAST_SECOND))];
        match rate.days {
            Days::All => Self([piece.clone(), piece]),
            Days::Work => Self([piece, Vec::new()]),
            Days::Free => Self([Vec::new(), piece]),
        }
    }

    /// Those of them at which a rate counts.
    pub(super) fn common(&self, rate: &DeckRate) -> Self {
        let others = Self::of(rate).0;
        let mut common = Self::none();
        for ((own, others), common) in self.0.iter().zip(&others).zip(&mut common.0) {
            for (from, till) in own {
                let pieces =
                    others.iter().map(|(first, last)| ((*from).max(*first), (*till).min(*last)));
                common.extend(pieces.filter(|(first, last)| first <= last));
            }
        }
        common
    }

    pub(super) fn overlaps(&self, rate: &DeckRate) -> bool {
        self.common(rate) != Self::none()
    }

    /// Takes out those at which a rate counts.
    pub(super) fn take(&mut self, rate: &DeckRate) {
        for (own, others) in self.0.iter_mut().zip(Self::of(rate).0) {
            for (first, last) in others {
                *own =
                    std::mem::take(own).into_iter().fold(Vec::new(), |mut rest, (from, till)| {
                        if from < first {
                            rest.push((from, till.min(first - 1)));
                        }
                        if till > last {
                            rest.push((from.max(last + 1), till));
                        }
                        rest
                    });
            }
        }
    }

    /// Adds hours, none of which it has.
    pub(super) fn add(&mut self, more: Self) {
        for (own, more) in self.0.iter_mut().zip(more.0) {
            own.extend(more);
            own.sort_unstable();
            own.dedup_by(|next, last| {
                let joins = last.1 + 1 == next.0;
                if joins {
                    last.1 = next.1;
                }
                joins
            });
        }
    }

    /// The hours and days in pieces of which each may be those of a rate.
    pub(super) fn pieces(self) -> Vec<((u32, u32), Days)> {
        let [work, free] = self.0;
        if work == free {
            return work.into_iter().map(|piece| (piece, Days::All)).collect();
        }
        let work = work.into_iter().map(|piece| (piece, Days::Work));
        work.chain(free.into_iter().map(|piece| (piece, Days::Free))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(days: Days, hours: (u32, u32)) -> DeckRate {
        DeckRate { days, hours, ..DeckRate::end(i64::MIN) }
    }

    #[test]
    fn what_is_left_of_a_week() {
        let mut hours = Hours::whole();
        hours.take(&rate(Days::All, (100, 199)));
        assert!(!hours.overlaps(&rate(Days::Work, (100, 199))));
        assert!(hours.overlaps(&rate(Days::Work, (100, 200))));
        hours.take(&rate(Days::Work, (0, 299)));
        assert!(hours.overlaps(&rate(Days::All, (0, 99))));
        let pieces = [
            ((300, LAST_SECOND), Days::Work),
            ((0, 99), Days::Free),
            ((200, LAST_SECOND), Days::Free),
        ];
        assert_eq!(hours.clone().pieces(), pieces);
        let mut joined = hours.common(&rate(Days::All, (200, LAST_SECOND)));
        joined.add(hours.common(&rate(Days::Free, (0, 99))));
        assert_eq!(joined, hours);
        joined.add(Hours::of(&rate(Days::Free, (100, 199))));
        joined.add(Hours::of(&rate(Days::Work, (0, 299))));
        assert_eq!(joined, Hours::whole());
        assert_eq!(joined.pieces(), [((0, LAST_SECOND), Days::All)]);
        hours.take(&rate(Days::All, (0, LAST_SECOND)));
        assert_eq!(hours, Hours::none());
    }
}
