//! The answer: allow, not applicable, deny or hold, and the reasons.

/// What a constraint answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No objection.
    Allow,
    /// The rule has nothing to say here; counted apart from `Allow`.
    NotApplicable,
    /// Refuse, for at least one reason.
    Deny(Vec<Reason>),
    /// Refuse for now, keep the request and try again.
    Hold(Hold),
}

impl Verdict {
    /// No objection.
    #[must_use]
    pub fn allow() -> Self {
        Self::Allow
    }

    /// The rule has nothing to say here.
    #[must_use]
    pub fn not_applicable() -> Self {
        Self::NotApplicable
    }

    /// Refuse. Give every reason at once, so that a person corrects everything in one go.
    pub fn deny(reasons: impl IntoIterator<Item = Reason>) -> Self {
        Self::Deny(reasons.into_iter().collect())
    }

    /// Refuse if there is any reason to, allow otherwise.
    pub fn deny_any(reasons: impl IntoIterator<Item = Reason>) -> Self {
        let reasons: Vec<Reason> = reasons.into_iter().collect();
        if reasons.is_empty() { Self::Allow } else { Self::Deny(reasons) }
    }
}

impl From<Reason> for Verdict {
    fn from(reason: Reason) -> Self {
        Self::Deny(vec![reason])
    }
}

impl From<Hold> for Verdict {
    fn from(hold: Hold) -> Self {
        Self::Hold(hold)
    }
}

/// One reason for a denial or a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) paths: Vec<String>,
    pub(crate) scim_type: Option<ScimType>,
}

impl Reason {
    /// `code` is stable and machine-readable, `immutable-attribute`: exceptions and dashboards key on it. `message` is
    /// for the administrator of the identity provider, who reads it in the SCIM error. Put no secrets there.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), paths: Vec::new(), scim_type: None }
    }

    /// Names a SCIM path at fault.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// Picks the status of the SCIM error: 409 for uniqueness, 400 for the others, 403 without.
    #[must_use]
    pub fn scim_type(mut self, scim_type: ScimType) -> Self {
        self.scim_type = Some(scim_type);
        self
    }

    /// The code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The SCIM paths at fault.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }
}

/// The error keywords of RFC 7644, table 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScimType {
    /// `invalidFilter`
    InvalidFilter,
    /// `tooMany`
    TooMany,
    /// `uniqueness`
    Uniqueness,
    /// `mutability`
    Mutability,
    /// `invalidSyntax`
    InvalidSyntax,
    /// `invalidPath`
    InvalidPath,
    /// `noTarget`
    NoTarget,
    /// `invalidValue`
    InvalidValue,
    /// `invalidVers`
    InvalidVers,
    /// `sensitive`
    Sensitive,
}

impl ScimType {
    /// As it stands in the error.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
        }
    }
}

/// Why an operation cannot be judged yet. Without [`Hold::not_before_seconds`] it is judged again when anything that was
/// read changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub(crate) reasons: Vec<Reason>,
    pub(crate) not_before_seconds: Option<u32>,
    pub(crate) expires_after_seconds: Option<u32>,
}

impl Hold {
    /// Holds for these reasons.
    pub fn new(reasons: impl IntoIterator<Item = Reason>) -> Self {
        Self { reasons: reasons.into_iter().collect(), not_before_seconds: None, expires_after_seconds: None }
    }

    /// Judge again no earlier than this.
    #[must_use]
    pub fn not_before_seconds(mut self, seconds: u32) -> Self {
        self.not_before_seconds = Some(seconds);
        self
    }

    /// Give up after this: the hold becomes a denial.
    #[must_use]
    pub fn expires_after_seconds(mut self, seconds: u32) -> Self {
        self.expires_after_seconds = Some(seconds);
        self
    }
}
