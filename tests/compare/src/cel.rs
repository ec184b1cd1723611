//! CEL: one expression over two variables.

use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use cel::{Context, Env, Program, Value};
use serde_json::Map;

use crate::subject::{Converted, Subject};

const EXPRESSION: &str = r#"
after.userName.startsWith("emp-")
&& after.userName != "emp-"
&& "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User" in after
&& has(after["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"].department)
&& after["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"].department != ""
&& (has(before.externalId) ? before.externalId : "") == (has(after.externalId) ? after.externalId : "")
"#;

/// The compiled expression, and the standard library that it is executed with.
pub struct Cel {
    env: Arc<Env>,
    program: Program,
}

impl Cel {
    /// Compiles the expression.
    ///
    /// # Errors
    /// It does not compile.
    pub fn new() -> anyhow::Result<Self> {
        let env = Arc::new(Env::stdlib());
        let program = env.compile(EXPRESSION).map_err(|errors| anyhow!("{errors}"))?;
        Ok(Self { env, program })
    }

    fn context(&self, text: &str) -> anyhow::Result<Context<'static, 'static>> {
        let mut update: Map<String, serde_json::Value> = serde_json::from_str(text)?;
        let mut context = Context::with_env(Arc::clone(&self.env));
        for name in ["before", "after"] {
            let state = update.remove(name).with_context(|| format!("no state {name}"))?;
            let state: Value = cel::to_value(state).map_err(|error| anyhow!("{error}"))?;
            context.add_variable_from_value(name, state);
        }
        Ok(context)
    }

    fn eval(&self, context: &Context<'_, '_>) -> anyhow::Result<bool> {
        match self.program.execute(context) {
            Ok(Value::Bool(allowed)) => Ok(allowed),
            Ok(other) => bail!("the expression came to {other:?}"),
            Err(error) => bail!("the expression failed: {error}"),
        }
    }
}

impl Subject for Cel {
    fn name(&self) -> String {
        "cel".to_owned()
    }

    fn judge(&self, text: &str) -> anyhow::Result<bool> {
        self.eval(&self.context(text)?)
    }

    fn convert(&self, text: &str) -> anyhow::Result<Converted<'_>> {
        let context = self.context(text)?;
        Ok(Box::new(move || self.eval(&context)))
    }
}
