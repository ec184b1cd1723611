//! The format of a file of cases.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::Value;

/// How a tenant speaks to its clients.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Strict, as the RFCs have it. The default of a tenant.
    Rfc,
    /// Lenient, 204 after a PATCH of a group: Microsoft Entra ID.
    Entra,
    /// Lenient, 200 with the body after every PATCH: Okta.
    Okta,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Rfc, Self::Entra, Self::Okta];

    /// Its name in the administration API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rfc => "rfc",
            Self::Entra => "entra",
            Self::Okta => "okta",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|profile| profile.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is no profile: use rfc, entra or okta"))
    }
}

/// The cases of one client.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// Who sends such requests.
    pub client: String,
    /// The cases.
    pub cases: Vec<Case>,
}

/// Requests in a row, and what must come back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// A sentence that is false if it fails.
    pub name: String,
    /// Where it is documented that clients do so, by title and section.
    pub source: String,
    /// The profiles under which it holds.
    #[serde(default = "every_profile")]
    pub profiles: Vec<Profile>,
    /// Resources that are there before. Their ids are `{name}` in every later path and text.
    #[serde(default)]
    pub given: Vec<Given>,
    /// The requests.
    pub steps: Vec<Step>,
}

fn every_profile() -> Vec<Profile> {
    Profile::ALL.to_vec()
}

/// A resource that is made beforehand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// What its id is called.
    #[serde(rename = "as")]
    pub name: String,
    /// The endpoint, `/Users`.
    pub endpoint: String,
    /// The resource. `schemas` is added where it is missing.
    pub body: Value,
}

/// One request and its answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Method and path below the tenant's base: `GET /Users?filter=userName eq "ada"`. The query is percent-encoded when
    /// it is sent.
    pub send: String,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<Value>,
    /// Instead of the body: the operations of a PATCH.
    pub operations: Option<Value>,
    /// Instead of the body: a text that may be no JSON.
    pub text: Option<String>,
    /// The status that must come back.
    pub status: Status,
    /// What must be in the body ([`matching`](super::matching)).
    pub expect: Option<Value>,
    /// Whether lists in the body must be in the order of `expect`.
    #[serde(default)]
    pub ordered: bool,
    /// Headers that must come back; `*` for any value.
    #[serde(default)]
    pub expect_headers: BTreeMap<String, String>,
    /// What the id in the answer is called from now on.
    #[serde(rename = "as")]
    pub name: Option<String>,
}

/// A status, or one for each profile.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Status {
    /// The same for all.
    Same(u16),
    /// By profile.
    By(BTreeMap<Profile, u16>),
}

impl Status {
    /// The one that must come back under a profile.
    pub fn under(&self, profile: Profile) -> Option<u16> {
        match self {
            Self::Same(status) => Some(*status),
            Self::By(by_profile) => by_profile.get(&profile).copied(),
        }
    }
}
