//! [`RightOfWay`]: that of several nodes one changes a resource at a time.

use std::fmt;

use async_trait::async_trait;

/// The right of way of a resource. One node has it at a time, and gives it back by dropping it; a node that dies loses it. It binds
/// nobody: a change is committed without it as well.
pub struct RightOfWay(Box<dyn Held>);

/// What gives it back when it is dropped.
#[async_trait]
pub(in crate::store) trait Held: Send + Sync {
    /// See [`RightOfWay::is_wanted`].
    async fn is_wanted(&self) -> bool;
}

impl RightOfWay {
    pub(in crate::store) fn new(held: impl Held + 'static) -> Self {
        Self(Box::new(held))
    }

    /// Whether another node waits for it, as far as can be told.
    pub async fn is_wanted(&self) -> bool {
        self.0.is_wanted().await
    }
}

impl fmt::Debug for RightOfWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RightOfWay").finish_non_exhaustive()
    }
}
