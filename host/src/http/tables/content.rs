//! The contents of a table, sent as they are read: memory holds a page of rows and no more.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::problem::Problem;
use crate::http::stream::{self, Cause, Out};
use crate::store::{TableRevision, TenantStore};
use crate::tables::{Columns, csv, json};

/// Rows read in one question: some 5 ms of the store, and with rows of a hundred bytes 200 KB.
const ROWS_AT_ONCE: usize = 2_000;

/// Shows a table as the client wants it.
pub(super) fn show(
    store: Arc<dyn TenantStore>,
    table: TableRevision,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    if !wants_csv(headers) {
        let rows = Rows::Json(json::Shown::default());
        return Ok(([(header::CONTENT_TYPE, "application/json")], rows.sent(store, table)).into_response());
    }
    let Some(columns) = table.state.as_ref().and_then(|state| state.columns.clone()) else {
        return Err(Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            "not-csv",
            format!("table `{}` has rows that are not objects of texts: ask for `application/json`", table.name),
        ));
    };
    let content_type = [(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")];
    Ok((content_type, Rows::Csv(columns).sent(store, table)).into_response())
}

/// How rows are written.
enum Rows {
    Json(json::Shown),
    Csv(Columns),
}

impl Rows {
    fn sent(mut self, store: Arc<dyn TenantStore>, table: TableRevision) -> axum::body::Body {
        stream::body(move |mut out: Out| async move {
            if let Self::Csv(columns) = &self {
                out.write(&csv::header(columns)).await?;
            }
            let mut after: Option<String> = None;
            loop {
                let page = store.table_rows(&table.name, table.revision, after.as_deref(), ROWS_AT_ONCE).await?;
                // Others have added revisions meanwhile, so that this one is kept no more.
                let page = page.ok_or(Cause::Dropped)?;
                for (key, row) in &page {
                    out.write(&self.row(key, row)).await?;
                }
                match page.into_iter().nth(ROWS_AT_ONCE - 1) {
                    Some((last, _)) => after = Some(last),
                    None => break,
                }
            }
            if let Self::Json(shown) = self {
                out.write(shown.end()).await?;
            }
            Ok(out.end().await?)
        })
    }

    fn row(&mut self, key: &str, row: &str) -> String {
        match self {
            Self::Json(shown) => shown.row(key, row),
            Self::Csv(columns) => csv::row(columns, key, row),
        }
    }
}

/// Whether the client would rather have CSV than JSON (RFC 9110 §12.5.1). Who has no preference gets JSON.
fn wants_csv(headers: &HeaderMap) -> bool {
    let texts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut csv, mut json) = (0.0f32, 0.0f32);
    for range in texts.flat_map(|text| text.split(',')) {
        let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
        let essence = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse().ok()).unwrap_or(1.0);
        match essence.as_str() {
            "text/csv" | "text/*" => csv = csv.max(weight),
            "application/json" | "application/*" | "*/*" => json = json.max(weight),
            _ => {}
        }
    }
    csv > json
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn csv_is_for_those_who_prefer_it() {
        let check = |accept: &'static str, expected: bool| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(wants_csv(&headers), expected, "{accept}");
        };
        check("text/csv", true);
        check("TEXT/CSV; header=present", true);
        check("application/json", false);
        check("*/*", false);
        check("text/csv, */*;q=0.1", true);
        check("text/csv;q=0.5, application/json", false);
        check("text/html", false);
        assert!(!wants_csv(&HeaderMap::new()));
    }
}
