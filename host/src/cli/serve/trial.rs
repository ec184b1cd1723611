//! `scruple serve --trial`: a tenant, and a context for it, so that somebody who tries it out has nothing to do but that.
//!
//! All of it is asked of the server through its API, as anybody else would.

use serde_json::{Value, json};

use crate::cli::Failure;
use crate::cli::client::Client;
use crate::cli::context::{Contexts, Kept, Options, place, same_server};

/// Sees to it that there is the tenant and that the user of this computer is logged in to it; gives a sentence that says so.
pub(super) async fn prepare(server: &str, tenant: &str, operator: Option<&str>) -> Result<String, Failure> {
    let kept = Contexts::read()?.contexts.remove(tenant);
    if let Some(kept) = &kept {
        if !same_server(&kept.server, server) || kept.tenant.as_deref() != Some(tenant) {
            let other = place(&kept.server, kept.tenant.as_deref());
            return Err(Failure::Usage(format!(
                "the context `{tenant}` is for {other}: choose another tenant, or remove it with `scruple context remove {tenant}`"
            )));
        }
        if let Some(token) = &kept.token
            && client(server, tenant, token)?.get(&["tenants", tenant, "constraints"]).await.is_ok()
        {
            Contexts::change(|contexts| {
                contexts.current = Some(tenant.to_owned());
                Ok(())
            })?;
            return Ok(said(tenant));
        }
    }
    let operator = operator.ok_or_else(|| {
        Failure::Usage(
            "`--trial` needs the operator's token, which was shown when the server started for the first time: give it as \
             SCRUPLE_ADMIN_TOKEN, or begin with an empty folder (`--data DIR`)"
                .to_owned(),
        )
    })?;
    let client = client(server, tenant, operator)?;
    if client.get(&["tenants", tenant]).await.is_err() {
        client.post(&["tenants"], &json!({ "name": tenant })).await?;
    }
    let wanted = json!({ "label": "trial", "scopes": ["admin"] });
    let made = client.post(&["tenants", tenant, "tokens"], &wanted).await?;
    let token = made.get("token").and_then(Value::as_str).unwrap_or_default().to_owned();
    Contexts::change(|contexts| {
        let context = Kept { server: server.to_owned(), tenant: Some(tenant.to_owned()), token: Some(token) };
        contexts.contexts.insert(tenant.to_owned(), context);
        contexts.current = Some(tenant.to_owned());
        Ok(())
    })?;
    Ok(said(tenant))
}

fn said(tenant: &str) -> String {
    format!("You are the administrator of tenant {tenant} on this computer: context {tenant} is used from now on")
}

fn client(server: &str, tenant: &str, token: &str) -> Result<Client, Failure> {
    let own = |text: &str| Some(text.to_owned());
    Client::new(Options { server: own(server), tenant: own(tenant), token: own(token), context: None })
}
