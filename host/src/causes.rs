//! An error with its causes, in one line: for logs, and for whoever runs a command.

use std::error::Error;

/// `this: because of this: because of that`. What an error has said already is not said again: some name their causes themselves.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error)]
    #[error("{said}")]
    struct Said {
        said: &'static str,
        source: Option<Box<Said>>,
    }

    fn said(said: &'static str, source: Option<Said>) -> Said {
        Said { said, source: source.map(Box::new) }
    }

    #[test]
    fn every_cause_is_said_once() {
        let refused = || said("connection refused", None);
        let error = said("cannot open", Some(said("cannot connect", Some(refused()))));
        assert_eq!(with_causes(&error), "cannot open: cannot connect: connection refused");
        let error = said("cannot open", Some(said("cannot connect: connection refused", Some(refused()))));
        assert_eq!(with_causes(&error), "cannot open: cannot connect: connection refused");
    }
}
