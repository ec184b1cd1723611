//! Statements as PostgreSQL writes them.

/// `?1` is `$1`, and PostgreSQL chooses its indexes itself.
pub(super) fn spelling(sql: &str) -> String {
    let mut spelt = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(place) = rest.find(" INDEXED BY ") {
        let (before, after) = rest.split_at(place);
        spelt.push_str(before);
        let name = after.trim_start_matches(" INDEXED BY ");
        rest = name.trim_start_matches(|character: char| character.is_ascii_alphanumeric() || character == '_');
    }
    spelt.push_str(rest);
    // No text of a statement has a question mark in it.
    spelt.replace('?', "$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_dollars_and_indexes_are_not_named() {
        let spelt = spelling("SELECT id FROM decision INDEXED BY decision_refused WHERE tenant_id = ?1 AND id < ?12");
        assert_eq!(spelt, "SELECT id FROM decision WHERE tenant_id = $1 AND id < $12");
    }
}
