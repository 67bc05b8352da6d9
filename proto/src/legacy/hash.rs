//! What the hash of a legacy request may be made of: which parameters, in which order.

use super::{Declaration, mor};
use crate::v1::LegacyDialect;

/// Up to so many hashed parameters, every order of them counts in a dialect whose clients choose
/// it: 24 orders to try.
const ANY_ORDER: usize = 4;

/// Parameters whose values, one behind the other and before the key, a hash may be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The position of the list in [`Declaration::hash`] of which it is an order.
    pub list: usize,
    /// Those that have a value, under the names that the method hashes.
    pub names: Vec<&'static str>,
}

impl Declaration {
    /// What a request's hash may be made of: each of the method's lists, and the documented one in
    /// the order in which the request has the parameters, in that which the dialect has for all
    /// methods, or in any. Whoever signs may choose one: an attacker who repeats a hash could
    /// reorder the request as well, so that more orders give nothing away.
    ///
    /// `sent` are the names in the request, and `is_filled` knows which of them have a value.
    pub fn orders<'a>(
        &self,
        dialect: LegacyDialect,
        sent: impl IntoIterator<Item = &'a str>,
        is_filled: impl Fn(&str) -> bool,
    ) -> Vec<Order> {
        let filled = |names: &[&'static str]| -> Vec<&'static str> {
            names.iter().copied().filter(|name| self.sent_as(name, &is_filled).is_some()).collect()
        };
        let lists = self.hash.iter().map(|names| filled(names)).enumerate();
        let mut orders: Vec<Order> = lists.map(|(list, names)| Order { list, names }).collect();
        let documented = filled(self.hash.first().copied().unwrap_or_default());
        let mut as_sent: Vec<&'static str> = Vec::with_capacity(documented.len());
        for name in sent {
            let name = self.canonical(name);
            let known = documented.iter().find(|known| **known == name);
            as_sent.extend(known.filter(|name| !as_sent.contains(name)));
        }
        let mut otherwise = vec![as_sent];
        if dialect == LegacyDialect::Mor {
            otherwise.push(in_the_order_of_all(&documented));
            if documented.len() <= ANY_ORDER {
                otherwise.extend(permutations(&documented));
            }
        }
        for names in otherwise {
            if !orders.iter().any(|order| order.list == 0 && order.names == names) {
                orders.push(Order { list: 0, names });
            }
        }
        orders
    }
}

/// Some parameters in the one order that MOR has for all methods, what that does not name behind
/// the rest.
fn in_the_order_of_all(names: &[&'static str]) -> Vec<&'static str> {
    let mut names = names.to_vec();
    names.sort_by_key(|name| {
        let known = mor::GLOBAL_ORDER.iter().position(|known| known == name);
        known.unwrap_or(usize::MAX)
    });
    names
}

fn permutations(names: &[&'static str]) -> Vec<Vec<&'static str>> {
    let Some((first, rest)) = names.split_first() else { return vec![Vec::new()] };
    let placed = |rest: Vec<&'static str>| {
        (0..=rest.len()).map(move |place| {
            let mut all = rest.clone();
            all.insert(place, *first);
            all
        })
    };
    permutations(rest).into_iter().flat_map(placed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(dialect: LegacyDialect, sent: &[&str]) -> Vec<Vec<&'static str>> {
        let method = &mor::PAYMENT_CREATE;
        let orders = method.orders(dialect, sent.iter().copied(), |name| sent.contains(&name));
        orders.into_iter().filter(|order| order.list == 0).map(|order| order.names).collect()
    }

    #[test]
    fn few_parameters_may_be_hashed_in_any_order_in_mor_alone() {
        let sent = ["amount", "p_currency", "user_id"];
        let listed = ["user_id", "p_currency", "amount"];
        assert_eq!(orders(LegacyDialect::M4, &sent), [listed, sent]);
        let all = orders(LegacyDialect::Mor, &sent);
        assert_eq!((all.len(), &all[0][..]), (6, &listed[..]));
        assert!(all.iter().any(|names| names[..] == ["p_currency", "amount", "user_id"]));
        let more = ["transaction", "paymenttype"];
        assert_eq!(orders(LegacyDialect::Mor, &[&sent[..], &more].concat()).len(), 2);
    }
}
