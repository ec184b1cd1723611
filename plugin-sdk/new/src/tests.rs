use super::*;

/// Every plan there is, but for the name.
fn plans() -> Vec<Plan> {
    let needs = [vec![], vec![Need::Directory], vec![Need::Tables], vec![Need::Directory, Need::Tables]];
    let of = |(_, language): (&str, Language)| needs.iter().cloned().map(move |needs| (language, needs));
    let made = |(language, needs): (Language, Vec<Need>)| Plan::new("company-mail", language).unwrap().needs(needs);
    Language::ALL.into_iter().flat_map(of).map(made).collect()
}

fn text_of(plan: &Plan, path: &str) -> String {
    plan.files().into_iter().find(|(name, _)| name == path).unwrap_or_else(|| panic!("no `{path}`")).1
}

#[test]
fn every_project_has_a_rule_its_test_fixtures_a_build_server_and_an_editor() {
    for plan in plans() {
        let files = plan.files();
        let has = |path: &str| files.iter().any(|(name, _)| name == path);
        for path in [
            ".gitignore",
            ".github/workflows/constraint.yml",
            ".vscode/settings.json",
            "README.md",
            "fixtures/settings.json",
            "fixtures/an-address-elsewhere/expected.json",
            "schema/operation.schema.json",
            "schema/schemas.schema.json",
            "wit/world.wit",
        ] {
            assert!(has(path), "{plan:?} has no `{path}`");
        }
        let tests = ["src/tests.rs", "test/constraint.test.js", "tests/test_constraint.py", "test/rule_test.c"];
        assert!(tests.into_iter().any(has), "{plan:?} has no unit test");
    }
}

#[test]
fn a_project_carries_only_what_its_needs_ask_for() {
    for plan in plans() {
        let own: String = plan
            .files()
            .into_iter()
            // Of the contract, the SDK and the bindings, all is there.
            .filter(|(path, _)| !["wit/", "sdk/", "bindings/", "schema/"].iter().any(|part| path.starts_with(part)))
            .map(|(_, text)| text)
            .collect();
        for (word, need) in [("address-taken", Need::Directory), ("unknown-department", Need::Tables)] {
            assert_eq!(own.contains(word), plan.needs.contains(&need), "{plan:?}: {word}");
        }
        for left in ["%if", "%end", "{{name}}", "{{sdk}}", "{{needs}}"] {
            assert!(!own.contains(left), "{plan:?} has `{left}` left");
        }
    }
}

#[test]
fn a_project_has_a_copy_of_the_sdk_unless_it_is_told_where_one_is() {
    let plan = Plan::new("company-mail", Language::Rust).unwrap();
    let manifest = text_of(&plan, "sdk/Cargo.toml");
    assert!(manifest.contains("wit-bindgen = {") && !manifest.contains("workspace"), "{manifest}");
    assert!(text_of(&plan, "Cargo.toml").contains(r#"scruple-sdk = { path = "sdk" }"#));

    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let elsewhere = plan.sdk(sdk).unwrap();
    assert!(!elsewhere.files().iter().any(|(path, _)| path.starts_with("sdk/")));
    assert!(text_of(&elsewhere, "Cargo.toml").contains(&sdk.canonicalize().unwrap().display().to_string()));
    let error = Plan::new("company-mail", Language::Rust).unwrap().sdk(Path::new("/nowhere")).unwrap_err();
    assert!(error.to_string().contains("`/nowhere` has no SDK"), "{error}");
    assert!(Plan::new("company-mail", Language::C).unwrap().sdk(sdk).is_err());
}

#[test]
fn names_that_no_plugin_can_have_are_refused() {
    let long = "a".repeat(65);
    for name in ["", "Company", "company_mail", "9-lives", "-mail", "a/b", "..", "naïve", long.as_str()] {
        assert!(matches!(Plan::new(name, Language::C), Err(NewError::Name(_))), "{name}");
    }
    assert!(Plan::new(&"a".repeat(64), Language::C).is_ok());
    assert!(matches!(Plan::new("serde", Language::Rust), Err(NewError::Taken(_))));
    assert!(Plan::new("serde", Language::C).is_ok());
}

#[test]
fn a_folder_with_something_in_it_is_left_as_it_is() {
    let folder = std::env::temp_dir().join(format!("scruple-new-{}", std::process::id()));
    fs::create_dir_all(folder.join("mine")).unwrap();
    let plan = Plan::new("company-mail", Language::Rust).unwrap();
    assert!(matches!(plan.write(&folder), Err(NewError::NotEmpty(_))));
    assert_eq!(folder.read_dir().unwrap().count(), 1);
    let new = folder.join("new");
    plan.write(&new).unwrap();
    assert!(new.join("src/lib.rs").is_file());
    assert!(matches!(plan.write(&new), Err(NewError::NotEmpty(_))));
    fs::create_dir_all(folder.join("empty")).unwrap();
    plan.write(&folder.join("empty")).unwrap();
    let left: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
    fs::remove_dir_all(folder).unwrap();
}
