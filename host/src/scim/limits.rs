//! How large and how deep what a client sends may be.
//!
//! The defaults are what legitimate clients need with room to spare. They can be set, within [`ScimLimits::RANGES`]: a
//! limit of nothing would refuse everything, and some guard what cannot be had more of, such as stack.

use serde::Deserialize;

/// Limits of what is read from a client.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScimLimits {
    /// Longest filter in bytes. 16 KiB: [`filter_terms_max`](Self::filter_terms_max) comparisons of an id (`id eq "…"`
    /// and ` or `, about 60 bytes).
    pub filter_bytes_max: usize,
    /// Most comparisons in a filter. 256: clients chunk look-ups of many ids into one `or`, by 100 or 200.
    pub filter_terms_max: usize,
    /// Deepest nesting of parentheses, brackets and `not` in a filter. 50: each level is a few hundred bytes of stack when
    /// the filter is parsed, printed, evaluated and dropped, some 20 KB in all, of the 2 MB that a thread has. People
    /// nest to 3. No more than 200, so that an unoptimised build, whose levels are ten times as large, has room too.
    pub filter_depth_max: usize,
    /// Longest path in bytes. 4,096: the longest that a client has reason to send is an extension's URN (about 80), an
    /// attribute name and a value filter with a value of a few hundred bytes; this is ten times that.
    pub path_bytes_max: usize,
    /// Most operations in a PATCH. 1,000: clients send one for each attribute that changed, and for groups up to a
    /// hundred or so, one a member. The keys of values without a path are counted apart, with the same limit. Each
    /// operation goes through the values of its attribute; what that comes to has a limit of its own, in
    /// `patch::work`.
    pub operations_max: usize,
    /// Most operations in a bulk request. 1,000: at a millisecond or so each, a request takes a second, well under the
    /// minute that clients wait. The body's limit holds besides.
    pub bulk_operations_max: usize,
    /// Most values of one multi-valued attribute that is kept inline. 1,000: roles and entitlements reach some hundreds;
    /// members are rows and not limited here.
    pub values_max: usize,
    /// Most members that one request names. 250,000: a replacement of 100,000 is legitimate, and a body of 8 MiB (the
    /// default) has room for 215,000 ids of 39 bytes with quotes and comma, so it is the body's limit that counts
    /// unless this one is lowered.
    pub members_max: usize,
    /// Most members of those that go which are listed, one by one, when a request takes many out of a group and does not
    /// name them (a replacement, a filter). 5,000: to delete so many rows takes the store some 50 ms, and no constraint
    /// can be told more differences within its budget of reads. Beyond, the group's members are replaced in one moment
    /// and the old ones go later, and a constraint asks for the members that matter to it.
    pub members_listed_max: usize,
    /// Most attributes that a resource has values of, those of its extensions included, and most keys in a body that
    /// describes one. 1,000: `User` has 32 with its extension, a tenant's own schema may have some hundreds.
    pub attributes_max: usize,
    /// Longest text in bytes. 64 KiB: the largest that clients send are certificates and inline photos; a certificate is
    /// 2–4 KB, a thumbnail as a `data:` URI some tens of KB.
    pub text_bytes_max: usize,
    /// Deepest nesting of objects and lists in a body. 127 is what the JSON parser itself lets through, so no more can be
    /// set. What the RFC has is 9 deep at the most: a PATCH of a complex attribute of an extension in a bulk request.
    pub json_depth_max: usize,
}

/// A limit outside its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfRange {
    /// The limit's name.
    pub name: &'static str,
    /// What it is set to.
    pub found: usize,
    /// The least it may be.
    pub least: usize,
    /// The most it may be.
    pub most: usize,
}

/// A limit's name, how to read it, the least and the most that it may be.
type Range = (&'static str, fn(&ScimLimits) -> usize, usize, usize);

impl ScimLimits {
    /// The limits where nothing is set.
    pub const DEFAULT: Self = Self {
        filter_bytes_max: 16 * 1024,
        filter_terms_max: 256,
        filter_depth_max: 50,
        path_bytes_max: 4_096,
        operations_max: 1_000,
        bulk_operations_max: 1_000,
        values_max: 1_000,
        members_max: 250_000,
        members_listed_max: 5_000,
        attributes_max: 1_000,
        text_bytes_max: 64 * 1024,
        json_depth_max: 127,
    };

    /// For what is stored, which nobody sends: no limit of its size.
    pub const OF_STORED: Self = Self { values_max: usize::MAX, text_bytes_max: usize::MAX, ..Self::DEFAULT };

    /// What each limit may be set to. The least is what the examples of the RFC need, the most what the limit's own
    /// documentation has as a reason, or where none is, a hundred times the default.
    pub const RANGES: [Range; 12] = [
        ("filter_bytes_max", |limits| limits.filter_bytes_max, 256, 1 << 20),
        ("filter_terms_max", |limits| limits.filter_terms_max, 4, 25_600),
        ("filter_depth_max", |limits| limits.filter_depth_max, 4, 200),
        ("path_bytes_max", |limits| limits.path_bytes_max, 256, 409_600),
        ("operations_max", |limits| limits.operations_max, 1, 100_000),
        ("bulk_operations_max", |limits| limits.bulk_operations_max, 1, 100_000),
        ("values_max", |limits| limits.values_max, 1, 100_000),
        ("members_max", |limits| limits.members_max, 1, 25_000_000),
        ("members_listed_max", |limits| limits.members_listed_max, 1, 100_000),
        ("attributes_max", |limits| limits.attributes_max, 32, 100_000),
        ("text_bytes_max", |limits| limits.text_bytes_max, 800, 6_553_600),
        ("json_depth_max", |limits| limits.json_depth_max, 9, 127),
    ];

    /// The first limit that is outside its range.
    pub fn out_of_range(&self) -> Option<OutOfRange> {
        Self::RANGES.iter().find_map(|(name, get, least, most)| {
            let found = get(self);
            let outside = !(*least..=*most).contains(&found);
            outside.then_some(OutOfRange { name, found, least: *least, most: *most })
        })
    }
}

impl Default for ScimLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges_and_what_is_not_is_named() {
        assert_eq!(ScimLimits::default().out_of_range(), None);
        let nested = ScimLimits { filter_depth_max: 201, ..ScimLimits::DEFAULT };
        let expected = OutOfRange { name: "filter_depth_max", found: 201, least: 4, most: 200 };
        assert_eq!(nested.out_of_range(), Some(expected));
        let none = ScimLimits { values_max: 0, ..ScimLimits::DEFAULT };
        assert_eq!(none.out_of_range().unwrap().name, "values_max");
    }

    #[test]
    fn a_limit_is_set_by_its_name_and_a_misspelt_one_is_an_error() {
        let limits: ScimLimits = serde_json::from_str(r#"{"values_max": 7}"#).unwrap();
        assert_eq!(limits, ScimLimits { values_max: 7, ..ScimLimits::DEFAULT });
        assert!(serde_json::from_str::<ScimLimits>(r#"{"value_max": 7}"#).is_err());
    }
}
