//! Who asks. The tenant comes from the credential, here, and from nowhere else; a path that names another tenant is
//! answered as if that tenant did not exist.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use moka::sync::Cache;
use uuid::Uuid;

use crate::app::App;
use crate::decision::{Actor, TenantId};
use crate::http::error::{Failure, Surface};
use crate::scim::resource::ResourceId;
use crate::secrets::Secrets;
use crate::store::{Store, StoreError, Tenant, TokenHash, TokenOwner};

/// Owners of tokens kept in memory. One is about 300 bytes, so this is about 3 MB; beyond it the least used are asked
/// for again.
const OWNERS_MAX: u64 = 10_000;

/// How long an owner is believed without asking the store. What is revoked here is forgotten at once; this bounds what
/// is revoked by another process on the same database.
const OWNERS_FOR: Duration = Duration::from_secs(1);

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The SCIM endpoint.
    Scim,
    /// Uploading plugin versions; seeing constraints and decisions.
    Author,
    /// Everything in the tenant's administration.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 3] = [Self::Scim, Self::Author, Self::Admin];

    /// The word used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scim => "scim",
            Self::Author => "author",
            Self::Admin => "admin",
        }
    }

    /// The scope a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// Who may pass a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Whoever has a token that is valid.
    Bearer,
    /// The operator.
    Operator,
    /// The tenant named in the path, with one of these scopes; in the administration also the operator.
    Tenant(&'static [Scope]),
}

/// The authenticated client of a tenant's route; in the request's extensions once [`authorize`] has let it pass.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The tenant.
    pub tenant: Tenant,
    /// The client.
    pub actor: Actor,
    /// The user that its token speaks for.
    pub user: Option<ResourceId>,
}

/// Where tokens are checked.
pub struct Credentials {
    secrets: Secrets,
    operator: TokenHash,
    store: Arc<dyn Store>,
    owners: Cache<[u8; 32], Arc<TokenOwner>>,
}

/// Whose token a request has.
#[derive(Clone)]
pub enum Bearer {
    /// The operator's.
    Operator,
    /// One of a tenant.
    Owner(Arc<TokenOwner>),
}

/// What a request gets to know of who asks, in its extensions.
enum Admitted {
    Nobody,
    Bearer(Bearer),
    Principal(Principal),
}

impl Credentials {
    /// Tokens of the store, and the operator's.
    pub fn new(secrets: Secrets, operator: TokenHash, store: Arc<dyn Store>) -> Self {
        let owners = Cache::builder().max_capacity(OWNERS_MAX).time_to_live(OWNERS_FOR).build();
        Self { secrets, operator, store, owners }
    }

    /// The hash under which a new token is stored.
    pub fn hash(&self, token: &str) -> TokenHash {
        self.secrets.hash(token)
    }

    /// Forgets what is believed of a tenant's tokens, or of one of them.
    pub fn forget(&self, tenant: TenantId, token: Option<Uuid>) {
        // Few entries, rare calls: a scan is simpler than a second index.
        for (hash, owner) in &self.owners {
            if owner.tenant.id == tenant && token.is_none_or(|id| owner.token.id == id) {
                self.owners.invalidate(&*hash);
            }
        }
    }

    async fn bearer(&self, headers: &HeaderMap, now: Timestamp) -> Result<Bearer, Failure> {
        let token = bearer_token(headers)?;
        let hash = self.secrets.hash(token);
        if blake3::Hash::from_bytes(hash.0) == blake3::Hash::from_bytes(self.operator.0) {
            return Ok(Bearer::Operator);
        }
        let owner = self.owner(hash).await?.ok_or(Failure::Unauthorized("the bearer token is not valid"))?;
        match owner.token.expires_at {
            Some(expires_at) if expires_at <= now => Err(Failure::Unauthorized("the bearer token has expired")),
            _ => Ok(Bearer::Owner(owner)),
        }
    }

    async fn owner(&self, hash: TokenHash) -> Result<Option<Arc<TokenOwner>>, StoreError> {
        if let Some(owner) = self.owners.get(&hash.0) {
            return Ok(Some(owner));
        }
        // What is unknown is not remembered: a token must work in the moment it is made.
        let owner = self.store.token_owner(&hash).await?.map(Arc::new);
        if let Some(owner) = &owner {
            self.owners.insert(hash.0, Arc::clone(owner));
        }
        Ok(owner)
    }
}

fn bearer_token(headers: &HeaderMap) -> Result<&str, Failure> {
    let value = headers.get(header::AUTHORIZATION).ok_or(Failure::Unauthorized("send a bearer token"))?;
    let text = value.to_str().map_err(|_| Failure::Unauthorized("the authorization header is not text"))?;
    match text.split_once(' ') {
        // RFC 9110 §11.1: the scheme is case-insensitive.
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Failure::Unauthorized("only bearer tokens are accepted")),
    }
}

/// Lets a request pass if its credential allows the route.
pub async fn authorize(
    State((app, access)): State<(Arc<App>, Access)>,
    params: RawPathParams,
    mut request: Request,
    next: Next,
) -> Response {
    let surface = Surface::of(request.uri().path());
    let named = params.iter().find(|(name, _)| *name == "tenant").map(|(_, value)| value.to_owned());
    match admit(&app, access, surface, named.as_deref(), request.headers()).await {
        Ok(admitted) => {
            let known = request.extensions_mut();
            match admitted {
                Admitted::Nobody => {}
                Admitted::Bearer(bearer) => drop(known.insert(bearer)),
                Admitted::Principal(principal) => drop(known.insert(principal)),
            }
            next.run(request).await
        }
        Err(failure) => surface.respond(failure).into_response(),
    }
}

async fn admit(
    app: &App,
    access: Access,
    surface: Surface,
    named: Option<&str>,
    headers: &HeaderMap,
) -> Result<Admitted, Failure> {
    let scopes = match access {
        Access::Public => return Ok(Admitted::Nobody),
        Access::Bearer => return app.credentials.bearer(headers, app.clock.now()).await.map(Admitted::Bearer),
        Access::Operator => {
            return match app.credentials.bearer(headers, app.clock.now()).await? {
                Bearer::Operator => Ok(Admitted::Nobody),
                Bearer::Owner(_) => Err(Failure::Forbidden("only the operator may do this".to_owned())),
            };
        }
        Access::Tenant(scopes) => scopes,
    };
    let named = named.unwrap_or_default();
    match app.credentials.bearer(headers, app.clock.now()).await? {
        Bearer::Operator if surface == Surface::Scim => Err(Failure::Forbidden(
            "the operator's token is for administration: use a token of the tenant with the scope `scim`".to_owned(),
        )),
        Bearer::Operator => {
            let tenant =
                app.store.tenant_named(named).await?.ok_or_else(|| Failure::NotFound(format!("tenant `{named}`")))?;
            let actor = Actor {
                subject: "operator".to_owned(),
                label: "operator".to_owned(),
                scopes: vec!["operator".to_owned()],
            };
            Ok(Admitted::Principal(Principal { tenant, actor, user: None }))
        }
        Bearer::Owner(owner) if owner.tenant.name != named => Err(Failure::NotFound(format!("tenant `{named}`"))),
        Bearer::Owner(owner) => {
            let allowed = scopes.iter().any(|scope| owner.token.scopes.iter().any(|has| has == scope.as_str()));
            if !allowed {
                let wanted: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
                return Err(Failure::Forbidden(format!("the token lacks the scope `{}`", wanted.join("` or `"))));
            }
            if surface == Surface::Scim {
                app.rates.check(owner.token.id, app.clock.now()).map_err(Failure::TooMany)?;
            }
            let actor = Actor {
                subject: owner.token.id.to_string(),
                label: owner.token.label.clone(),
                scopes: owner.token.scopes.clone(),
            };
            Ok(Admitted::Principal(Principal { tenant: owner.tenant.clone(), actor, user: owner.token.user }))
        }
    }
}
