//! The users that a server is filled with: the same for the same number, on every machine and in every run. Pure.

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::bench::full_user;
use crate::builders::user;

/// How much a user carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Size {
    /// About 2 KB, as an identity provider with a full profile sends it.
    Full,
    /// A name and an e-mail address.
    Small,
}

const GIVEN: [&str; 8] = ["Ada", "Grace", "Alan", "Barbara", "Edsger", "Frances", "Tony", "Radia"];
const FAMILY: [&str; 8] = ["Lovelace", "Hopper", "Turing", "Liskov", "Dijkstra", "Allen", "Hoare", "Perlman"];
const DEPARTMENTS: [&str; 4] = ["Analytical Engines", "Compilers", "Networks", "Proofs"];
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The `userName` of a user.
pub(super) fn user_name(prefix: &str, number: usize) -> String {
    format!("{prefix}-{number:07}")
}

/// The user of a name. Who it is depends on `number` alone.
pub(super) fn user_of(size: Size, name: &str, number: usize) -> Value {
    let draw = scatter(number);
    let (given, family) = (pick(&GIVEN, draw), pick(&FAMILY, draw >> 8));
    let mut made = match size {
        Size::Full => full_user(name),
        Size::Small => user(name),
    };
    made["name"]["givenName"] = given.into();
    made["name"]["familyName"] = family.into();
    made["displayName"] = format!("{given} {family}").into();
    if size == Size::Full {
        made["name"]["formatted"] = format!("{given} {family}, of the {number}th desk").into();
        made[ENTERPRISE]["employeeNumber"] = number.to_string().into();
        made[ENTERPRISE]["department"] = pick(&DEPARTMENTS, draw >> 16).into();
    }
    made
}

/// The `value`s of members.
pub(super) fn members(ids: &[String]) -> Value {
    ids.iter().map(|id| json!({ "value": id })).collect()
}

/// A PATCH message (RFC 7644 §3.5.2).
pub(super) fn patch(operations: &Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

/// A number that looks drawn by lot, the same for the same number (SplitMix64's finaliser): requests that follow each
/// other ask for users far apart.
pub(super) fn scatter(number: usize) -> u64 {
    let mut mixed = (number as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn pick<'a>(from: &[&'a str], draw: u64) -> &'a str {
    from[(draw % from.len() as u64) as usize]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_number_is_the_same_user_and_another_is_another() {
        let made = |number| user_of(Size::Full, &user_name("u", number), number).to_string();
        assert_eq!(made(7), made(7));
        let all: HashSet<String> = (0..1_000).map(made).collect();
        assert_eq!(all.len(), 1_000);
        // The very first user, so that a change of the generator between two runs that are compared does not go unseen.
        let first = user_of(Size::Small, "u-0000000", 0);
        assert_eq!(first["displayName"], "Radia Allen");
    }

    #[test]
    fn a_full_user_is_of_about_two_kilobytes_and_a_small_one_a_tenth() {
        for number in [0, 99, 999_999] {
            let bytes = |size| user_of(size, &user_name("user", number), number).to_string().len();
            assert!((1_900..2_400).contains(&bytes(Size::Full)), "{}", bytes(Size::Full));
            assert!((200..350).contains(&bytes(Size::Small)), "{}", bytes(Size::Small));
        }
    }

    #[test]
    fn scattered_numbers_reach_all_of_a_population() {
        let reached: HashSet<u64> = (0..20_000).map(|number| scatter(number) % 1_000).collect();
        assert_eq!(reached.len(), 1_000);
    }
}
