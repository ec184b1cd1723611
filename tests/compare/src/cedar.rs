//! Cedar: one policy over the request's context, which has both states.

use anyhow::bail;
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};

use crate::subject::{Converted, Subject};

const POLICY: &str = r#"
permit(principal, action == Action::"update", resource) when {
    context.after.userName like "emp-*" &&
    context.after.userName != "emp-" &&
    context.after has "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User" &&
    context.after["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] has department &&
    context.after["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"].department != "" &&
    (if context.before has externalId
     then context.after has externalId && context.before.externalId == context.after.externalId
     else !(context.after has externalId))
};
"#;

/// The parsed policy, and what a request is about beside its context.
pub struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
}

impl Cedar {
    /// Parses the policy.
    ///
    /// # Errors
    /// It does not parse.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            authorizer: Authorizer::new(),
            policies: POLICY.parse()?,
            entities: Entities::empty(),
            principal: r#"Client::"bench""#.parse()?,
            action: r#"Action::"update""#.parse()?,
            resource: r#"User::"ada""#.parse()?,
        })
    }

    fn eval(&self, context: Context) -> anyhow::Result<bool> {
        let (principal, action) = (self.principal.clone(), self.action.clone());
        let request = Request::new(principal, action, self.resource.clone(), context, None)?;
        let response = self.authorizer.is_authorized(&request, &self.policies, &self.entities);
        if let Some(error) = response.diagnostics().errors().next() {
            bail!("the policy failed: {error}");
        }
        Ok(response.decision() == Decision::Allow)
    }
}

impl Subject for Cedar {
    fn name(&self) -> String {
        "cedar-policy".to_owned()
    }

    fn judge(&self, text: &str) -> anyhow::Result<bool> {
        self.eval(Context::from_json_str(text, None)?)
    }

    fn convert(&self, text: &str) -> anyhow::Result<Converted<'_>> {
        let context = Context::from_json_str(text, None)?;
        Ok(Box::new(move || self.eval(context.clone())))
    }
}
