//! The shape of the database: one template for every engine, and the migrations that lead to it.
//!
//! Migrations go forward only. A file that has been released is never edited: its checksum stands in each database
//! that it was applied to, and one that differs is refused.

/// An engine's spelling of the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite 3.37 and later.
    Sqlite,
    /// PostgreSQL 15 and later.
    Postgres,
}

/// One step from an older shape to a newer one.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// 1, 2, 3 …
    pub version: i64,
    /// DDL with tokens.
    pub template: &'static str,
}

/// Every migration, oldest first.
pub const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, template: include_str!("schema/0001_begin.sql") },
    Migration { version: 2, template: include_str!("schema/0002_model.sql") },
    Migration { version: 3, template: include_str!("schema/0003_async.sql") },
    Migration { version: 4, template: include_str!("schema/0004_member_sets.sql") },
    Migration { version: 5, template: include_str!("schema/0005_tables.sql") },
    Migration { version: 6, template: include_str!("schema/0006_staged_tables.sql") },
    Migration { version: 7, template: include_str!("schema/0007_waivers.sql") },
    Migration { version: 8, template: include_str!("schema/0008_signatures.sql") },
    Migration { version: 9, template: include_str!("schema/0009_count_stripes.sql") },
    Migration { version: 10, template: include_str!("schema/0010_async_node.sql") },
    Migration { version: 11, template: include_str!("schema/0011_retention.sql") },
    Migration { version: 12, template: include_str!("schema/0012_nodes.sql") },
];

/// The shape that this program reads and writes.
pub const NEWEST: i64 = MIGRATIONS.len() as i64;

impl Migration {
    /// Identifies the template's text.
    pub fn checksum(&self) -> [u8; 32] {
        *blake3::hash(self.template.as_bytes()).as_bytes()
    }
}

impl Dialect {
    /// Fills in the tokens of a template.
    pub fn render(self, template: &str) -> String {
        self.tokens().iter().fold(template.to_owned(), |text, (token, spelling)| text.replace(token, spelling))
    }

    fn tokens(self) -> [(&'static str, &'static str); 7] {
        match self {
            // AUTOINCREMENT: without it SQLite gives the id of a deleted last row to the next one.
            Self::Sqlite => [
                ("{serial}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
                ("{int}", "INTEGER"),
                ("{uuid}", "BLOB"),
                ("{bytes}", "BLOB"),
                // SQLite compares text byte by byte unless told otherwise.
                ("{bytewise}", ""),
                ("{strict}", " STRICT"),
                ("{clustered}", " STRICT, WITHOUT ROWID"),
            ],
            // Collation "C" compares byte by byte, so that a prefix is a range of the index, as it is in SQLite.
            Self::Postgres => [
                ("{serial}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
                ("{int}", "BIGINT"),
                ("{uuid}", "UUID"),
                ("{bytes}", "BYTEA"),
                ("{bytewise}", " COLLATE \"C\""),
                ("{strict}", ""),
                ("{clustered}", ""),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_from_one_without_gaps() {
        let versions: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        assert_eq!(versions, (1..=NEWEST).collect::<Vec<_>>());
    }

    #[test]
    fn no_token_is_left_in_either_dialect() {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            for migration in MIGRATIONS {
                let ddl = dialect.render(migration.template);
                let statements: String = ddl.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
                assert!(!statements.contains('{'), "{dialect:?}: {statements}");
            }
        }
    }

    #[test]
    fn every_key_begins_with_the_tenant_where_there_is_one() {
        for migration in MIGRATIONS {
            let ddl = Dialect::Postgres.render(migration.template);
            let is_key = |line: &&str| line.starts_with("PRIMARY KEY(") || line.starts_with("UNIQUE(");
            for line in ddl.lines().map(str::trim).filter(is_key) {
                assert!(line.contains("(tenant_id"), "{line}");
            }
        }
    }
}
