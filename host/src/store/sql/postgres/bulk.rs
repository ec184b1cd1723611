//! Many rows at once, into a table or out of it, by `COPY`.

use std::future::poll_fn;
use std::pin::pin;

use futures_core::Stream;
use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutRow, BinaryCopyOutStream};
use tokio_postgres::types::Type;

use super::session::Session;
use crate::store::sql::driver::{Error, Result, Value};

/// Writes the rows that `next` gives into a table and its columns (`table(column, …)`) of these types. `next` puts a row into
/// what it is given, or says that there is none any more; while it does, what it gave before is on its way.
pub(in crate::store::sql) fn copy_in(
    session: &Session,
    into: &str,
    types: &[Type],
    mut next: impl FnMut(&mut Vec<Value<'static>>) -> Result<bool>,
) -> Result<u64> {
    session.wait(async {
        let sink = session.client().copy_in(&format!("COPY {into} FROM STDIN (FORMAT BINARY)")).await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, types));
        let mut row = Vec::with_capacity(types.len());
        while next(&mut row)? {
            writer.as_mut().write_raw(row.iter()).await?;
        }
        Ok(writer.finish().await?)
    })
}

/// Shows `each` every row that a query finds, whose columns are of these types. They are read as they come, however many.
pub(in crate::store::sql) fn copy_out(
    session: &Session,
    query: &str,
    types: &[Type],
    mut each: impl FnMut(&BinaryCopyOutRow) -> Result<()>,
) -> Result<()> {
    session.wait(async {
        let rows = session.client().copy_out(&format!("COPY ({query}) TO STDOUT (FORMAT BINARY)")).await?;
        let mut rows = pin!(BinaryCopyOutStream::new(rows, types));
        while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
            each(&row.map_err(Error::from)?)?;
        }
        Ok(())
    })
}
