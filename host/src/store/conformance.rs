//! What every engine must do, as tests that take any [`Store`]. An engine lists them in its own tests through
//! [`conformance!`].

mod administration;
mod asynchronous;
mod change_sets;
mod commits;
mod decision_log;
mod member_sets;
mod queries;
mod shown;
mod signing;
mod tables;
mod waivers;
mod world;

pub(crate) use administration::*;
pub(crate) use asynchronous::*;
pub(crate) use change_sets::*;
pub(crate) use commits::*;
pub(crate) use decision_log::*;
pub(crate) use member_sets::*;
pub(crate) use queries::*;
pub(crate) use shown::*;
pub(crate) use signing::*;
pub(crate) use tables::*;
pub(crate) use waivers::*;
pub(crate) use world::*;

/// Makes one test of each: `conformance!(open; a, b, c)`, where `open` gives something to keep, and a store.
macro_rules! conformance {
    ($open:path; $($name:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let (_keep, store) = $open();
                crate::store::conformance::$name(&store).await;
            }
        )+
    };
}
pub(crate) use conformance;
