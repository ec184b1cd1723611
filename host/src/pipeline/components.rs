//! [`StoredComponents`]: the sandbox's view of the components in the store.

use std::sync::Arc;

use async_trait::async_trait;

use crate::causes::with_causes;
use crate::constraints::ComponentSource;
use crate::store::Store;

/// The components of a store.
pub struct StoredComponents(pub Arc<dyn Store>);

#[async_trait]
impl ComponentSource for StoredComponents {
    async fn component(&self, digest: &str) -> Result<Vec<u8>, String> {
        let found = self.0.component(digest).await.map_err(|error| with_causes(&error))?;
        found.ok_or_else(|| "it is not in the store".to_owned())
    }
}
