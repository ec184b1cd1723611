//! The pages with commands, carried out.

use std::fs;

use serde_json::Value;

use super::commands::Newcomer;

/// Carries pages out that make a project, and looks whether its schema for editors is that of its settings, as the component
/// declares it.
#[track_caller]
fn check(pages: &[&str]) {
    let newcomer = Newcomer::new();
    let shown = newcomer.follows(pages, "scruple plugin show company-mail --json");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let declared = &shown["versions"][0]["descriptor"]["settings_schema"];
    let schema = newcomer.folder().join("company-mail/schema/settings.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    for part in ["/required", "/additionalProperties", "/properties/domain/description", "/properties/domain/type"] {
        assert!(declared.pointer(part).is_some(), "{part} is not declared: {declared}");
        assert_eq!(schema.pointer(part), declared.pointer(part), "{part}");
    }
}

#[test]
fn the_first_constraint_in_rust_is_made_enforced_and_tested_as_the_guide_says() {
    check(&["rust.md", "testing.md"]);
}

#[test]
fn the_first_constraint_in_javascript_is_made_and_enforced_as_the_guide_says() {
    check(&["javascript.md"]);
}

#[test]
fn the_first_constraint_in_python_is_made_and_enforced_as_the_guide_says() {
    check(&["python.md"]);
}

#[test]
fn every_recipe_of_the_cookbook_refuses_what_it_says() {
    Newcomer::new().with_plugins().follows(&["cookbook.md"], "");
}
