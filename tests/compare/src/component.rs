//! Components in the sandbox: each evaluation in a fresh instance, with fuel and the epoch, and every read recorded.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use lzma_rust2::XzReader;
use scruple::decision::{Evaluation, Verdict};
use scruple::scim::schema::SchemaRegistry;
use scruple_tests::bench::change::{Update, planned_from_text, updated};
use scruple_tests::bench::{Bench, Subject as Evaluated};
use scruple_tests::components::COMPARED_RULE;
use tokio::runtime::{Builder, Runtime};

use crate::cases::Rule;
use crate::subject::{Converted, Subject};

/// The sandbox, and a runtime to wait for it.
pub struct Workshop {
    bench: Bench,
    runtime: Runtime,
    schemas: SchemaRegistry,
}

/// The rule as a component.
pub struct Component<'w> {
    name: String,
    workshop: &'w Workshop,
    rule: Rule,
    evaluated: Evaluated,
}

impl Workshop {
    /// Starts the sandbox.
    ///
    /// # Errors
    /// It does not start.
    pub fn open() -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let bench = runtime.block_on(Bench::start())?;
        Ok(Self { bench, runtime, schemas: SchemaRegistry::core() })
    }

    /// The rule in Rust, compiled just now, and the golden rule as a component of each other language that is kept.
    ///
    /// # Errors
    /// One of them is refused.
    pub fn components(&self) -> anyhow::Result<Vec<Component<'_>>> {
        let mut components = vec![self.rust()?];
        for path in kept()? {
            let name = path.file_name().and_then(|name| name.to_str()?.split('.').next()).unwrap_or_default();
            let language = language(name).with_context(|| format!("of which language is `{}`?", path.display()))?;
            let mut bytes = Vec::new();
            XzReader::new(fs::read(&path)?.as_slice(), false).read_to_end(&mut bytes)?;
            components.push(self.component(format!("component, {language}, golden rule"), Rule::Golden, bytes)?);
        }
        Ok(components)
    }

    /// The rule in Rust.
    ///
    /// # Errors
    /// It is refused.
    pub fn rust(&self) -> anyhow::Result<Component<'_>> {
        self.component("component, Rust".to_owned(), Rule::Compared, fs::read(COMPARED_RULE)?)
    }

    fn component(&self, name: String, rule: Rule, bytes: Vec<u8>) -> anyhow::Result<Component<'_>> {
        let planned = updated(&Update::allowed(1 << 10)?, &self.schemas)?;
        let evaluated = self.runtime.block_on(self.bench.subject(bytes, planned)).with_context(|| name.clone())?;
        Ok(Component { name, workshop: self, rule, evaluated })
    }
}

/// A kept component's language, as people write it.
fn language(name: &str) -> Option<&'static str> {
    let known = [
        ("c", "C"),
        ("quickjs", "JavaScript (QuickJS)"),
        ("spidermonkey", "JavaScript (SpiderMonkey)"),
        ("python", "Python"),
    ];
    known.iter().find(|(kept, _)| *kept == name).map(|(_, language)| *language)
}

/// The components that are kept in `tests/golden`, each with the golden rule. That in Rust is left out: it is measured as the SDK
/// makes it today.
fn kept() -> anyhow::Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden/components");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("`{}`", folder.display()))? {
        let path = entry?.path();
        let is_packed = path.extension().is_some_and(|extension| extension == "xz");
        if is_packed && !path.ends_with("rust.wasm.xz") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

impl Subject for Component<'_> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn rule(&self) -> Rule {
        self.rule
    }

    fn judge(&self, text: &str) -> anyhow::Result<bool> {
        let planned = planned_from_text(text, &self.workshop.schemas)?;
        is_allowed(self.workshop.runtime.block_on(self.evaluated.evaluate_change(planned)))
    }

    fn convert(&self, text: &str) -> anyhow::Result<Converted<'_>> {
        let planned = planned_from_text(text, &self.workshop.schemas)?;
        let evaluated = self.evaluated.put_to(planned);
        Ok(Box::new(move || is_allowed(self.workshop.runtime.block_on(evaluated.evaluate_alone()))))
    }
}

fn is_allowed(evaluation: Evaluation) -> anyhow::Result<bool> {
    match evaluation.answer {
        Ok(Verdict::Allow) => Ok(true),
        Ok(Verdict::Deny(_)) => Ok(false),
        Ok(other) => bail!("a component answered {other:?}"),
        Err(fault) => bail!("a component broke: {fault}"),
    }
}
