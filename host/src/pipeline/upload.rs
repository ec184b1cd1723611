//! From uploaded bytes to a version of a plugin. Nothing is in force by that.

use thiserror::Error;

use crate::causes::with_causes;
use crate::constraints::Overloaded;
use crate::constraints::compile::{CompileError, digest};
use crate::constraints::sandbox::{UploadError, UploadPlace};
use crate::decision::TenantId;
use crate::pipeline::Pipeline;
use crate::signature::{KeyId, Signature, SignatureError};
use crate::store::{AddVersionError, NewVersion, PluginVersion, Signing, StoreError, Unsigned};

/// A component was not taken.
#[derive(Debug, Error)]
pub enum PushError {
    /// It is at fault.
    #[error("{detail}")]
    Refused {
        /// Stable name of what is wrong.
        code: &'static str,
        /// What is wrong, and what helps.
        detail: String,
    },
    /// A signature that came with it is not one.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A signature cannot be checked.
    #[error(
        "this tenant knows no key {0}, so that the signature by it cannot be checked: add the key, or send no signature by it"
    )]
    UnknownKey(KeyId),
    /// The tenant wants it signed.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
    /// Nothing can be compiled.
    #[error(transparent)]
    Compiler(CompileError),
    /// The tenant uploads too much at once.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<UploadError> for PushError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Compile(error) if error.is_ours() => Self::Compiler(error),
            UploadError::Overloaded(overloaded) => Self::Overloaded(overloaded),
            error => Self::Refused { code: error.code(), detail: with_causes(&error) },
        }
    }
}

impl From<AddVersionError> for PushError {
    fn from(error: AddVersionError) -> Self {
        match error {
            AddVersionError::Unsigned(unsigned) => Self::Unsigned(unsigned),
            AddVersionError::UnknownKey(key) => Self::UnknownKey(key),
            AddVersionError::Store(error) => Self::Store(error),
        }
    }
}

/// A component to be a version.
#[derive(Clone, Debug)]
pub struct NewUpload {
    /// Of which plugin.
    pub plugin: String,
    /// A word of the author's choosing.
    pub tag: Option<String>,
    /// The component.
    pub component: Vec<u8>,
    /// Its signatures, as they came.
    pub signatures: Vec<Signature>,
}

/// An uploaded component.
#[derive(Debug)]
pub struct Uploaded {
    /// The version it is.
    pub version: PluginVersion,
    /// Whether it is a new one.
    pub added: bool,
    /// How long compiling took.
    pub compile_ms: u64,
}

impl Pipeline {
    /// Checks a component with its signatures and adds it as a version.
    pub async fn upload(&self, tenant: TenantId, place: &UploadPlace, new: NewUpload) -> Result<Uploaded, PushError> {
        let NewUpload { plugin, tag, component, signatures } = new;
        let store = self.store.tenant(tenant);
        // Before it is compiled: that costs seconds, and what is not signed is not worth them. The store asks again.
        let signing = store.signing().await?;
        let component = match signing.required > 0 || !signatures.is_empty() {
            true => self.check_signed(tenant, &signing, component, &signatures).await?,
            false => component,
        };
        let model = store.model().await?;
        let checked = self.sandbox.upload_in(place, component.clone(), &model.schemas).await?;
        // Before the version: what there is a version of can be fetched.
        let component = self.components.keep(&checked.digest, component).await?;
        let version = NewVersion {
            plugin,
            digest: checked.digest,
            component,
            world: checked.world,
            descriptor: checked.descriptor.to_json(),
            tag,
            created_at: self.clock.now(),
            signatures,
        };
        let (version, added) = store.add_version(version).await?;
        Ok(Uploaded { version, added, compile_ms: checked.compile_ms })
    }

    /// Every signature has to be a good one by a key that the tenant knows; and with those that the component had before, they
    /// have to be what the tenant requires.
    async fn check_signed(
        &self,
        tenant: TenantId,
        signing: &Signing,
        component: Vec<u8>,
        signatures: &[Signature],
    ) -> Result<Vec<u8>, PushError> {
        // The largest component takes some tens of milliseconds, too long for a request's worker.
        let digested = tokio::task::spawn_blocking(move || (digest(&component), component)).await;
        let (digest, component) = digested.map_err(|_panicked| PushError::Compiler(CompileError::CutOff))?;
        let mut by = Vec::with_capacity(signatures.len());
        for signature in signatures {
            let key = signing.key(signature.key).ok_or(PushError::UnknownKey(signature.key))?;
            key.made.key.verify(&digest, signature)?;
            by.push(key.made.name.clone());
        }
        if signing.required > 0 {
            let before = self.store.tenant(tenant).signatures(Some(&digest)).await?;
            by.extend(before.into_iter().map(|signed| signed.key));
            let by: Vec<&str> = by.iter().map(String::as_str).collect();
            if let Some(unsigned) = signing.lacking(&digest, &by) {
                return Err(unsigned.into());
            }
        }
        Ok(component)
    }
}
