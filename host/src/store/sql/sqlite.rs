//! What is SQLite's alone: the file, whose it is, and the one thread that writes it.

mod open;
mod owner;
mod writer;

pub(super) use self::open::{open_reader, open_writer};
pub(super) use self::owner::{claim, is_ours};
pub(super) use self::writer::{LooseEnd, Writer};
use crate::store::StoreError;
use crate::store::sql::driver::Error;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Error::from(error).into()
    }
}
