//! A data folder with many tenants, filled through the product's own parts.
//!
//! Only compiling is done once for all tenants with the same rule: the machine code of a component does not depend on the
//! section with its number. Whether that is so is looked at with one that is compiled for itself.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, ensure};
use scruple::app::{App, Opened};
use scruple::clock::Clock;
use scruple::config::Config;
use scruple::constraints::cache::CompiledFiles;
use scruple::constraints::sandbox::Checked;
use scruple::constraints::{CompilerProgram, Grants, compile};
use scruple::decision::{ConstraintName, FailurePolicy, Mode, TenantId};
use scruple::scim::schema::SchemaRegistry;
use scruple::secrets::Secrets;
use scruple::store::{ActivationState, NewToken, NewVersion, StoredComponent};
use serde_json::{Value, json};

use crate::builders::numbered;
use crate::server::OPERATOR_TOKEN;

/// Tenants that are made at once: as many writes as one durable transaction takes.
const AT_ONCE: usize = 64;

/// Bytes of the MAC in front of a compiled file's machine code.
const MAC_BYTES: usize = 32;

/// A rule that tenants have.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    /// What the plugin is called.
    pub(super) name: String,
    component: Vec<u8>,
    settings: Value,
}

/// A tenant, as its client knows it.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    /// Its name.
    pub(super) tenant: String,
    /// A token of scope `scim`.
    pub(super) token: String,
    /// The rule it has.
    pub(super) kind: String,
}

impl Kind {
    /// A shipped plugin, with settings that ask something of every user.
    pub(super) fn shipped(name: &str, path: &str, settings: &Value) -> anyhow::Result<Self> {
        let component = std::fs::read(path).with_context(|| format!("cannot read `{path}`"))?;
        Ok(Self { name: name.to_owned(), component, settings: settings.clone() })
    }

    /// A golden component.
    pub(super) fn golden(name: &str) -> anyhow::Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("golden/components/{name}.wasm.xz"));
        let packed = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let mut component = Vec::new();
        lzma_rust2::XzReader::new(packed.as_slice(), false).read_to_end(&mut component)?;
        Ok(Self { name: name.to_owned(), component, settings: json!({}) })
    }

    /// The component with a number in a custom section, which nothing depends on.
    fn numbered(&self, number: usize) -> Vec<u8> {
        numbered(self.component.clone(), number)
    }
}

/// Everything that a tenant is made with.
struct Filler {
    app: Arc<App>,
    files: CompiledFiles,
    secrets: Secrets,
    kinds: Vec<(Kind, Checked)>,
}

/// Makes tenants, each with a component of its own in force.
pub(super) async fn fill(data: &Path, program: &Path, kinds: &[Kind], tenants: usize) -> anyhow::Result<Vec<Prepared>> {
    let mut config = Config::default();
    config.server.data = data.to_owned();
    let compiler = CompilerProgram::at(program.to_owned());
    let Opened { app, .. } = App::open(&config, Some(OPERATOR_TOKEN), Clock::system(), compiler)?;
    let secrets = Secrets::open(data)?;
    let sandbox = &app.pipeline.sandbox;
    let files = CompiledFiles::open(&data.join("compiled"), secrets.cache_key, &sandbox.runner().engine)?;
    let schemas = SchemaRegistry::core();
    let mut checked = Vec::new();
    for kind in kinds {
        let uploaded = sandbox.upload(TenantId(0), kind.component.clone(), &schemas).await?;
        let numbered = sandbox.upload(TenantId(0), kind.numbered(999_999_999), &schemas).await?;
        let code = |digest: &str| anyhow::Ok(std::fs::read(files.path(digest))?.split_off(MAC_BYTES));
        ensure!(
            code(&uploaded.digest)? == code(&numbered.digest)?,
            "machine code of `{}` has the number in it",
            kind.name
        );
        checked.push((kind.clone(), uploaded));
    }
    let filler = Arc::new(Filler { app: Arc::clone(&app), files, secrets, kinds: checked });
    let next = Arc::new(AtomicUsize::new(0));
    let fillers: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (filler, next) = (Arc::clone(&filler), Arc::clone(&next));
            tokio::spawn(async move {
                let mut prepared = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= tenants {
                        return anyhow::Ok(prepared);
                    }
                    prepared.push(filler.tenant(number).await?);
                }
            })
        })
        .collect();
    let mut prepared = Vec::new();
    for filled in fillers {
        prepared.extend(filled.await??);
    }
    prepared.sort_by(|a: &Prepared, b| a.tenant.cmp(&b.tenant));
    Ok(prepared)
}

impl Filler {
    async fn tenant(&self, number: usize) -> anyhow::Result<Prepared> {
        let (kind, checked) = &self.kinds[number % self.kinds.len()];
        let now = self.app.clock.now();
        let name = format!("t{number:05}");
        let tenant =
            self.app.store.create_tenant(&name, now).await?.context("the tenant of a fresh folder is taken")?;
        let store = self.app.store.tenant(tenant.id);

        let component = kind.numbered(number);
        let digest = compile::digest(&component);
        self.files.keep(&digest, checked.pre.component());
        let version = NewVersion {
            plugin: kind.name.clone(),
            digest: digest.clone(),
            component: StoredComponent::Here(component),
            world: checked.world.clone(),
            descriptor: checked.descriptor.to_json(),
            tag: None,
            created_at: now,
            signatures: Vec::new(),
        };
        let (version, _) = store.add_version(version).await?;
        let grants = Grants::parse(None, &checked.descriptor, &SchemaRegistry::core())?;
        let state = ActivationState {
            plugin: version.plugin,
            version: version.version,
            digest,
            descriptor: version.descriptor,
            settings: kind.settings.clone(),
            grants: grants.to_json(),
            mode: Mode::Enforce,
            on_fault: FailurePolicy::Deny,
            order: 0,
        };
        store.activate(&ConstraintName("rule".to_owned()), Some(state), "density", now).await?;

        let token = format!("density-{number:05}-0123456789abcdef0123456789");
        let new_token = NewToken {
            id: self.app.clock.new_id(now),
            hash: self.secrets.hash(&token),
            label: "density".to_owned(),
            scopes: vec!["scim".to_owned()],
            created_at: now,
            expires_at: None,
            user: None,
        };
        store.create_token(new_token).await?;
        Ok(Prepared { tenant: name, token, kind: kind.name.clone() })
    }
}
