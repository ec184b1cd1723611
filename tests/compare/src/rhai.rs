//! Rhai: a script that was parsed and optimised once, over a scope of two constants.

use std::cell::RefCell;

use anyhow::{Context, anyhow};
use rhai::{AST, Dynamic, Engine, Map, Scope};

use crate::subject::{Converted, Subject};

const SCRIPT: &str = r#"
let enterprise = after["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"];
after.userName.starts_with("emp-")
    && after.userName != "emp-"
    && enterprise != ()
    && enterprise.department != ()
    && enterprise.department != ""
    && before.externalId == after.externalId
"#;

/// The engine and the script.
pub struct Rhai {
    engine: Engine,
    script: AST,
}

impl Rhai {
    /// Compiles the script.
    ///
    /// # Errors
    /// It does not parse.
    pub fn new() -> anyhow::Result<Self> {
        let engine = Engine::new();
        let script = engine.compile(SCRIPT)?;
        Ok(Self { engine, script })
    }

    fn scope(text: &str) -> anyhow::Result<Scope<'static>> {
        let update: Dynamic = serde_json::from_str(text)?;
        let mut update: Map = update.try_cast().context("the update is an object")?;
        let mut scope = Scope::new();
        for name in ["before", "after"] {
            let state: Dynamic = update.remove(name).with_context(|| format!("no state {name}"))?;
            scope.push_constant_dynamic(name, state);
        }
        Ok(scope)
    }

    fn eval(&self, scope: &mut Scope<'static>) -> anyhow::Result<bool> {
        let allowed = self.engine.eval_ast_with_scope(scope, &self.script);
        allowed.map_err(|error| anyhow!("the script failed: {error}"))
    }
}

impl Subject for Rhai {
    fn name(&self) -> String {
        "rhai".to_owned()
    }

    fn judge(&self, text: &str) -> anyhow::Result<bool> {
        self.eval(&mut Self::scope(text)?)
    }

    fn convert(&self, text: &str) -> anyhow::Result<Converted<'_>> {
        let scope = RefCell::new(Self::scope(text)?);
        Ok(Box::new(move || {
            let mut scope = scope.borrow_mut();
            let states = scope.len();
            let allowed = self.eval(&mut scope);
            scope.rewind(states);
            allowed
        }))
    }
}
