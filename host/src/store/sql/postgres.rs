//! What is PostgreSQL's alone: sessions with a server, nodes that share it, transactions that are begun anew when another one was in
//! their way, and the one statement of a commit.
//!
//! Everything that writes is SERIALIZABLE, also what is a single statement. So what was checked in a transaction (version,
//! generation, look-ups, members that are there) holds when it is committed, whatever other nodes do: PostgreSQL ends one of
//! those that could not have come one after the other, and that one is begun anew.

mod address;
mod bulk;
mod columns;
mod commit;
mod foreseen;
mod generations;
mod glimpses;
mod lanes;
mod line;
mod own_session;
mod owner;
mod partitions;
mod questions;
mod right_of_way;
mod server;
mod session;
mod spelling;
mod text;
mod writer;

#[cfg(test)]
pub(super) mod tests;

pub(super) use self::bulk::{copy_in, copy_out};
pub(super) use self::foreseen::FORESEEN_MAX;
pub(super) use self::glimpses::{GlimpseOf, RESOURCE_AT};
pub(super) use self::lanes::{Lane, QueuedWrite};
pub(super) use self::own_session::{CALLS_MAX, OwnSession};
pub(super) use self::owner::{alone, claim, copy_alone, is_empty, is_ours, must_be_ours};
pub(super) use self::partitions::{Care, partitions};
pub(super) use self::questions::AskedTogether;
pub(super) use self::right_of_way::right_of_way;
pub(super) use self::server::Server;
pub(super) use self::session::{Prepared, Session};
pub(super) use self::text::{escaped, unescaped};
pub(super) use self::writer::{WRITERS_MAX, Writer};
