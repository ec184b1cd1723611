//! [`Line`]: what carries a session's questions to the server and the answers back.
//!
//! Most sessions are asked by one thread at a time, which waits for the answer. It carries both itself: to have another thread do so, and
//! to be woken by that, costs more than many an answer. Sessions that several ask, or that have something to say unasked, are
//! carried by a task in the store's runtime.

use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Builder, Handle, Runtime};

/// What is to be polled for anything to come or go, until the connection has ended.
pub(super) type Carrying = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The carrier of a session.
pub(super) enum Line {
    /// Whoever waits for an answer.
    Own(Own),
    /// A task in this runtime.
    Task(Handle),
}

pub(super) struct Own {
    /// It knows when the network has something; `None` only while it is dropped.
    runtime: Option<Runtime>,
    /// `None`: the connection has ended.
    carrying: Mutex<Option<Carrying>>,
}

impl Line {
    /// A runtime for a line that is carried by who waits.
    pub(super) fn runtime() -> std::io::Result<Runtime> {
        Builder::new_current_thread().enable_all().build()
    }

    /// A line that whoever waits carries. The connection was made in the runtime.
    pub(super) fn own(runtime: Runtime, carrying: Carrying) -> Self {
        Self::Own(Own { runtime: Some(runtime), carrying: Mutex::new(Some(carrying)) })
    }

    /// A line that is carried by a task from now on.
    pub(super) fn task(runtime: &Handle, carrying: Carrying) -> Self {
        runtime.spawn(carrying);
        Self::Task(runtime.clone())
    }

    /// Waits for something that is asked in the session.
    pub(super) fn wait<T>(&self, asked: impl Future<Output = T>) -> T {
        match self {
            Self::Own(own) => own.wait(asked),
            Self::Task(runtime) => runtime.block_on(asked),
        }
    }

    /// Sends what is asked, as far as that can be done without waiting for it.
    pub(super) fn send<F: Future + ?Sized>(&self, asked: Pin<&mut F>) -> Poll<F::Output> {
        let context = &mut Context::from_waker(Waker::noop());
        let polled = asked.poll(context);
        if let Self::Own(own) = self {
            own.carry(context);
        }
        polled
    }

    /// Takes in what has come while nobody waited, such as the end of the connection. On a thread that may wait.
    pub(super) fn catch_up(&self) {
        if let Self::Own(own) = self {
            own.catch_up();
        }
    }
}

impl Own {
    fn wait<T>(&self, asked: impl Future<Output = T>) -> T {
        let mut asked = pin!(asked);
        let both = std::future::poll_fn(|context| {
            if let Poll::Ready(done) = asked.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            // All that is asked is here now, so it goes together.
            self.carry(context);
            asked.as_mut().poll(context)
        });
        self.block_on(both)
    }

    fn catch_up(&self) {
        self.block_on(async {
            // Meanwhile the runtime looks what the network has.
            tokio::task::yield_now().await;
            let carry = |context: &mut Context<'_>| {
                self.carry(context);
                Poll::Ready(())
            };
            std::future::poll_fn(carry).await;
        });
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        match &self.runtime {
            Some(runtime) => runtime.block_on(work),
            // It is being dropped, so nobody can ask.
            None => Handle::current().block_on(work),
        }
    }

    fn carry(&self, context: &mut Context<'_>) {
        let mut carrying = self.carrying.lock().unwrap_or_else(PoisonError::into_inner);
        if carrying.as_mut().is_some_and(|carrying| carrying.as_mut().poll(context).is_ready()) {
            *carrying = None;
        }
    }
}

impl Drop for Own {
    /// Says that the session is over, if the client has been dropped before. A runtime that is dropped in another one must not wait.
    fn drop(&mut self) {
        self.carry(&mut Context::from_waker(Waker::noop()));
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
