//! [`Threads`]: where the store does its work, whoever asks.
//!
//! A question may come from any runtime. That of the caller has other work on its blocking threads (a few compilations
//! are enough to fill those of the sandbox), and a question that waits behind it looks like a store that is slow.

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinError;

use crate::store::StoreError;

/// A runtime of the store's own: one worker, which only hands on, and as many blocking threads as there are connections.
pub(super) struct Threads {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Threads {
    /// Has room for `blocking_max` queries at once. A thread is started when it is needed and ends when it has had
    /// nothing to do for ten seconds.
    pub(super) fn start(blocking_max: usize) -> Result<Self, StoreError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(blocking_max.max(1))
            .thread_name("store-reader")
            .enable_all()
            .build()
            .map_err(|error| StoreError::Database(Box::new(error)))?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// The runtime, for what lives in it.
    pub(super) fn handle(&self) -> Result<&tokio::runtime::Handle, StoreError> {
        self.runtime.as_ref().map(Runtime::handle).ok_or(StoreError::Closed)
    }

    /// Runs a query away from the async workers. If the caller goes away, the query is finished nevertheless.
    pub(super) async fn blocking<T, E>(&self, work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let runtime = self.runtime.as_ref().ok_or(StoreError::Closed)?;
        unless_lost(runtime.spawn_blocking(work).await)
    }

    /// Runs something to its end, even if the caller goes away; unless the store does.
    pub(super) async fn detached<T, E>(&self, work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let runtime = self.runtime.as_ref().ok_or(StoreError::Closed)?;
        unless_lost(runtime.spawn(work).await)
    }
}

impl Drop for Threads {
    /// The last who holds the store may be an async worker, even the one in here, and none may wait for a thread.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The threads are going down, or the work panicked.
fn unless_lost<T, E: From<StoreError>>(done: Result<Result<T, E>, JoinError>) -> Result<T, E> {
    done.unwrap_or_else(|error| Err(StoreError::Database(Box::new(error)).into()))
}
