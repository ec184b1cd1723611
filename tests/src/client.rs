//! Clients of a server under test, wherever it runs.

use std::net::SocketAddr;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body as JSON; `null` if there is none.
    pub body: Value,
}

impl Response {
    /// Fails the test unless the status is this one.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "unexpected status; the body is {:#}", self.body);
        self
    }

    /// The id of the resource in the body.
    #[track_caller]
    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {:#}", self.body)).to_owned()
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The `detail` of an error.
    pub fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap_or("")
    }

    /// The codes of the reasons in a refusal.
    pub fn reason_codes(&self) -> Vec<&str> {
        let reasons = self.body["urn:scruple:params:scim:api:messages:1.0:Decision"]["reasons"].as_array();
        reasons.into_iter().flatten().filter_map(|reason| reason["code"].as_str()).collect()
    }

    /// The id of the decision on a refused or admitted change.
    pub fn decision_id(&self) -> Option<String> {
        let refused = self.body["urn:scruple:params:scim:api:messages:1.0:Decision"]["decisionId"].as_str();
        refused.or_else(|| self.header("scruple-decision-id")).map(str::to_owned)
    }
}

/// A client with one token.
#[derive(Clone, Debug)]
pub struct ApiClient {
    base: String,
    token: String,
    http: reqwest::Client,
}

impl ApiClient {
    /// A client of the server at an address.
    pub fn new(address: SocketAddr, token: &str) -> Self {
        // Another client of this process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { base: format!("http://{address}"), token: token.to_owned(), http: reqwest::Client::new() }
    }

    /// The same client of a server that has moved.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { base: format!("http://{address}"), ..self.clone() }
    }

    /// The same client with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// The token that it sends.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A request to be completed by hand.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// Sends a request and reads the answer to its end.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Response {
        self.try_send(request).await.expect("an answer from the server under test")
    }

    /// Sends a request to a server that may be gone.
    pub async fn try_send(&self, request: reqwest::RequestBuilder) -> Result<Response, reqwest::Error> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = serde_json::from_slice(&response.bytes().await?).unwrap_or(Value::Null);
        Ok(Response { status, headers, body })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Response {
        self.send(self.request(Method::GET, path)).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Response {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Response {
        self.send(self.request(Method::PUT, path).json(&body)).await
    }

    /// PATCH with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Response {
        self.send(self.request(Method::PATCH, path).json(&body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Response {
        self.send(self.request(Method::DELETE, path)).await
    }
}

/// One tenant as its provisioning client and its administrator see it.
#[derive(Clone, Debug)]
pub struct TenantClient {
    /// Its name.
    pub name: String,
    /// With a token of scope `scim`.
    pub scim: ApiClient,
    /// With a token of scope `admin`.
    pub admin: ApiClient,
}

impl TenantClient {
    /// Makes the tokens that it needs.
    pub async fn new(address: SocketAddr, name: &str, operator: &ApiClient) -> Self {
        let mut clients = Vec::new();
        for scope in ["scim", "admin"] {
            let body = json!({ "label": format!("{name} {scope}"), "scopes": [scope] });
            let made = operator.post(&format!("/api/v1/tenants/{name}/tokens"), body).await.expect_status(201);
            clients.push(ApiClient::new(address, made.body["token"].as_str().expect("a token")));
        }
        let admin = clients.pop().expect("two clients");
        let scim = clients.pop().expect("two clients");
        Self { name: name.to_owned(), scim, admin }
    }

    /// The same tenant on a server that has moved.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { scim: self.scim.at(address), admin: self.admin.at(address), ..self.clone() }
    }

    /// A path below the tenant's SCIM base.
    pub fn scim_path(&self, path: &str) -> String {
        format!("/scim/{}/v2{path}", self.name)
    }

    /// A path below the tenant in the administration API.
    pub fn api_path(&self, path: &str) -> String {
        format!("/api/v1/tenants/{}{path}", self.name)
    }

    /// GET below the SCIM base.
    pub async fn get(&self, path: &str) -> Response {
        self.scim.get(&self.scim_path(path)).await
    }

    /// POST below the SCIM base.
    pub async fn post(&self, path: &str, body: Value) -> Response {
        self.scim.post(&self.scim_path(path), body).await
    }

    /// PUT below the SCIM base.
    pub async fn put(&self, path: &str, body: Value) -> Response {
        self.scim.put(&self.scim_path(path), body).await
    }

    /// PATCH below the SCIM base, given the operations.
    pub async fn patch(&self, path: &str, operations: Value) -> Response {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        self.scim.patch(&self.scim_path(path), body).await
    }

    /// DELETE below the SCIM base.
    pub async fn delete(&self, path: &str) -> Response {
        self.scim.delete(&self.scim_path(path)).await
    }

    /// GET with a query, below the SCIM base.
    pub async fn query(&self, path: &str, query: &[(&str, &str)]) -> Response {
        self.scim.send(self.scim.request(Method::GET, &self.scim_path(path)).query(query)).await
    }

    /// Uploads a component.
    pub async fn upload(&self, plugin: &str, component: Vec<u8>) -> Response {
        let path = self.api_path(&format!("/plugins/{plugin}/versions"));
        let request = self.admin.request(Method::POST, &path).header("content-type", "application/wasm");
        self.admin.send(request.body(component)).await
    }

    /// Sets a constraint of that name; `body` as the administration API takes it.
    pub async fn set(&self, name: &str, body: Value) -> Response {
        self.admin.put(&self.api_path(&format!("/constraints/{name}")), body).await
    }

    /// Uploads the component of a file (from [`components`](crate::components)) and puts it to work under its name.
    #[track_caller]
    pub fn enforce(&self, component: &str, settings: Value) -> impl Future<Output = ()> {
        let client = self.clone();
        let path = std::path::PathBuf::from(component);
        async move {
            let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a file name").to_owned();
            let bytes = std::fs::read(&path).expect("a component made by the build script");
            let uploaded = client.upload(&name, bytes).await;
            assert!(matches!(uploaded.status, 200 | 201), "{:#}", uploaded.body);
            client.set(&name, json!({ "plugin": name, "settings": settings })).await.expect_status(200);
        }
    }

    /// The newest decisions.
    pub async fn decisions(&self) -> Vec<Value> {
        let page = self.admin.get(&self.api_path("/decisions?limit=1000")).await.expect_status(200);
        page.body["decisions"].as_array().cloned().unwrap_or_default()
    }

    /// One decision.
    pub async fn decision(&self, id: &str) -> Value {
        self.admin.get(&self.api_path(&format!("/decisions/{id}"))).await.expect_status(200).body
    }
}
