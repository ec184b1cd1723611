//! [`Said`]: what of an evaluation tells whether it is another answer. From an entry of the log, so that what is recorded and
//! what is said now are told apart by the same code. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

/// A verdict and its reasons, without their texts: those name values, and may be worded anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Said {
    /// `allow`, `deny`, `fault` …
    pub verdict: String,
    /// Code and paths of each reason; of a fault its kind.
    pub reasons: BTreeSet<(String, Vec<String>)>,
}

impl Said {
    /// What an evaluation of the log says.
    pub fn of(entry: &Value) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let fault = entry.get("fault").map(|fault| (text(fault.get("kind")), Vec::new()));
        let reasons = entry.get("reasons").and_then(Value::as_array).into_iter().flatten();
        let reasons = reasons.map(|reason| {
            let paths = reason.get("paths").and_then(Value::as_array).into_iter().flatten();
            (text(reason.get("code")), paths.map(|path| text(Some(path))).collect())
        });
        Self { verdict: text(entry.get("verdict")), reasons: reasons.chain(fault).collect() }
    }

    /// Whether it would keep a change from being made.
    pub fn refuses(&self) -> bool {
        !matches!(self.verdict.as_str(), "allow" | "not-applicable" | "rewrite")
    }

    /// The codes, each once.
    pub fn codes(&self) -> Vec<String> {
        let codes: BTreeSet<&String> = self.reasons.iter().map(|(code, _)| code).collect();
        codes.into_iter().cloned().collect()
    }

    /// The same without paths: they may have values of one resource in them.
    #[must_use]
    pub fn without_paths(self) -> Self {
        Self { reasons: self.reasons.into_iter().map(|(code, _)| (code, Vec::new())).collect(), ..self }
    }
}
