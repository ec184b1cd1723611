//! A server whose database goes away: what it answers meanwhile, when it is back, and that nothing it has acknowledged is lost.
//! Each test has PostgreSQL servers of its own, which it kills.

mod load;
mod loss;
mod promotion;
mod tls;

use scruple::config::Config;
use scruple_tests::TestServer;

/// A server with the database at an address.
async fn server_with(url: &str) -> TestServer {
    let mut config = Config::default();
    config.store.database = Some(url.to_owned());
    config.scim.requests_per_second = 0;
    TestServer::start_with(config).await
}
