//! Rego by regorus: its interpreter over a compiled policy, and its virtual machine over a compiled program.

use std::cell::RefCell;

use anyhow::Context;
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{CompiledPolicy, Engine, Value};

use crate::subject::{Converted, Subject};

const POLICY: &str = r#"
package users

default allow := false

allow if {
    startswith(input.after.userName, "emp-")
    input.after.userName != "emp-"
    input.after["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"].department != ""
    object.get(input.before, "externalId", "") == object.get(input.after, "externalId", "")
}
"#;

const ENTRY_POINT: &str = "data.users.allow";

/// [`CompiledPolicy::eval_with_input`].
pub struct Interpreter(CompiledPolicy);

/// [`RegoVM`], made once, as in its own benchmarks.
pub struct Machine(RefCell<RegoVM>);

fn compiled() -> anyhow::Result<CompiledPolicy> {
    let mut engine = Engine::new();
    engine.add_policy("users.rego".to_owned(), POLICY.to_owned())?;
    engine.compile_with_entrypoint(&ENTRY_POINT.into())
}

fn boolean(value: &Value) -> anyhow::Result<bool> {
    value.as_bool().copied().context("the policy answers with true or false")
}

impl Interpreter {
    /// Compiles the policy.
    ///
    /// # Errors
    /// It does not compile.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(compiled()?))
    }

    fn eval(&self, input: Value) -> anyhow::Result<bool> {
        boolean(&self.0.eval_with_input(input)?)
    }
}

impl Machine {
    /// Compiles the policy to the machine's program.
    ///
    /// # Errors
    /// It does not compile.
    pub fn new() -> anyhow::Result<Self> {
        let program = Compiler::compile_from_policy(&compiled()?, &[ENTRY_POINT])?;
        let mut machine = RegoVM::new();
        machine.load_program(program);
        Ok(Self(RefCell::new(machine)))
    }

    fn eval(&self, input: Value) -> anyhow::Result<bool> {
        let mut machine = self.0.borrow_mut();
        machine.set_input(input);
        boolean(&machine.execute()?)
    }
}

impl Subject for Interpreter {
    fn name(&self) -> String {
        "regorus, interpreter".to_owned()
    }

    fn judge(&self, text: &str) -> anyhow::Result<bool> {
        self.eval(Value::from_json_str(text)?)
    }

    fn convert(&self, text: &str) -> anyhow::Result<Converted<'_>> {
        let input = Value::from_json_str(text)?;
        Ok(Box::new(move || self.eval(input.clone())))
    }
}

impl Subject for Machine {
    fn name(&self) -> String {
        "regorus, virtual machine".to_owned()
    }

    fn judge(&self, text: &str) -> anyhow::Result<bool> {
        self.eval(Value::from_json_str(text)?)
    }

    fn convert(&self, text: &str) -> anyhow::Result<Converted<'_>> {
        let input = Value::from_json_str(text)?;
        Ok(Box::new(move || self.eval(input.clone())))
    }
}
