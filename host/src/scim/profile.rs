//! What a tenant's provisioning clients are like, where they differ so much that one answer cannot suit all.
//!
//! Most of what clients send beside the RFC is understood from everybody. A profile settles only what is in conflict:
//! whether a client that names attributes we do not have is told so or passed over, and what it expects after a PATCH.

/// For which clients a tenant is set up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Whoever goes by RFC 7643 and RFC 7644.
    #[default]
    Rfc,
    /// Microsoft Entra ID.
    Entra,
    /// Okta.
    Okta,
}

impl Profile {
    /// Every profile, the default first.
    pub const ALL: [Self; 3] = [Self::Rfc, Self::Entra, Self::Okta];

    /// The word for it in settings and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rfc => "rfc",
            Self::Entra => "entra",
            Self::Okta => "okta",
        }
    }

    /// The profile a word names, exactly.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.as_str() == word)
    }

    /// How what such a client sends is read.
    pub fn leniency(self) -> Leniency {
        match self {
            Self::Rfc => Leniency::Strict,
            Self::Entra | Self::Okta => Leniency::Lenient,
        }
    }

    /// What a PATCH that succeeds is answered with. RFC 7644 §3.5.2: "the server either MUST return a 200 OK response
    /// code and the entire resource within the response body, … or MAY return HTTP status code 204 (No Content)".
    ///
    /// `has_rows`: the resource type has values that are kept as rows (`members`). To return all of them would make a
    /// change of one member as dear as reading a million, so nobody gets many unasked: Entra ID expects 204 there, Okta,
    /// which wants a body, does without them in it, and others get the body as long as they are few.
    pub fn patch_answer(self, has_rows: bool) -> PatchAnswer {
        match (self, has_rows) {
            (_, false) => PatchAnswer::Body,
            (Self::Rfc, true) => PatchAnswer::BodyWithFewRows,
            (Self::Entra, true) => PatchAnswer::NoContent,
            (Self::Okta, true) => PatchAnswer::BodyWithoutRows,
        }
    }
}

/// How much of what the RFC does not have is let pass.
///
/// Never more than this: text that is no JSON, a value of the wrong type and a change of what may not change are
/// refused in either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Leniency {
    /// An attribute that the resource type does not have is an error, and so is a message without its `schemas`.
    #[default]
    Strict,
    /// What is not known is passed over, `schemas` may be missing, and a filter's texts may go without quotes.
    Lenient,
}

impl Leniency {
    /// Whether it is [`Leniency::Lenient`].
    pub fn is_lenient(self) -> bool {
        self == Self::Lenient
    }
}

/// What a PATCH is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PatchAnswer {
    /// 200 with the resource.
    Body,
    /// 200 with the resource as long as few values are kept as rows, else 204.
    BodyWithFewRows,
    /// 200 with the resource, but for the values that are kept as rows.
    BodyWithoutRows,
    /// 204.
    NoContent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_is_found_by_its_word_alone() {
        for profile in Profile::ALL {
            assert_eq!(Profile::parse(profile.as_str()), Some(profile));
            assert_eq!(Profile::parse(&profile.as_str().to_uppercase()), None);
        }
        assert_eq!(Profile::default(), Profile::Rfc);
    }

    #[test]
    fn a_patch_of_a_group_is_answered_as_each_client_expects() {
        let check = |profile: Profile, expected: [PatchAnswer; 2]| {
            assert_eq!([profile.patch_answer(false), profile.patch_answer(true)], expected, "{profile:?}");
        };
        check(Profile::Rfc, [PatchAnswer::Body, PatchAnswer::BodyWithFewRows]);
        check(Profile::Entra, [PatchAnswer::Body, PatchAnswer::NoContent]);
        check(Profile::Okta, [PatchAnswer::Body, PatchAnswer::BodyWithoutRows]);
    }

    #[test]
    fn only_the_profile_of_the_rfc_is_strict() {
        let strict: Vec<Profile> =
            Profile::ALL.into_iter().filter(|profile| !profile.leniency().is_lenient()).collect();
        assert_eq!(strict, [Profile::Rfc]);
    }
}
