//! Clients that go on whatever happens: each repeats what was answered with 503, as its answer says it may, and remembers what it
//! was told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Method;
use scruple_tests::components::SAFE_VALUES;
use scruple_tests::{Response, TenantClient, TestServer, mail_at, patch_op, user};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Clients that write at the same time, and clients that read.
const WRITERS: usize = 8;
const READERS: usize = 4;

/// Time between an answer of 503 and the next try: much shorter than `Retry-After` says, so that more tries meet the outage.
const PAUSE: Duration = Duration::from_millis(20);

/// What one writer was told.
#[derive(Default)]
struct Told {
    /// Ids of users with the titles that they have now, and the decisions of their creation.
    created: Vec<(String, Option<String>, String)>,
    /// Names of users who were there when their creation was repeated.
    taken: Vec<String>,
    /// Decisions of creations that were refused.
    refused: Vec<String>,
}

/// What all of them were answered, and when.
#[derive(Default)]
pub(super) struct Answers(Mutex<Vec<(Instant, u16, Duration)>>);

impl Answers {
    fn note(&self, asked: Instant, status: u16) {
        self.0.lock().unwrap().push((Instant::now(), status, asked.elapsed()));
    }

    pub(super) fn count(&self, status: u16) -> usize {
        self.0.lock().unwrap().iter().filter(|(_, answered, _)| *answered == status).count()
    }

    /// How long after a moment the first answer of this status came.
    pub(super) fn first_after(&self, moment: Instant, status: u16) -> Option<Duration> {
        let answers = self.0.lock().unwrap();
        let after = answers.iter().filter(|(at, answered, _)| *answered == status && *at > moment);
        after.map(|(at, ..)| at.duration_since(moment)).min()
    }

    /// The longest that anybody waited for an answer.
    pub(super) fn slowest(&self) -> Duration {
        self.0.lock().unwrap().iter().map(|(.., took)| *took).max().unwrap_or_default()
    }
}

/// The clients of one tenant, at work.
pub(super) struct Load {
    pub(super) acme: TenantClient,
    pub(super) answers: Arc<Answers>,
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Told>>,
    readers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Makes a tenant with a constraint, and sets its clients to work.
    pub(super) async fn start(server: &TestServer) -> Self {
        let acme = server.tenant("acme").await;
        acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
        let known = acme.post("/Users", user("known")).await.expect_status(201).id();
        let (answers, stop) = (Arc::<Answers>::default(), Arc::<AtomicBool>::default());
        let client = || Client { acme: acme.clone(), answers: Arc::clone(&answers), stop: Arc::clone(&stop) };
        let writers = (0..WRITERS).map(|number| tokio::spawn(client().write(number))).collect();
        let readers = (0..READERS).map(|_| tokio::spawn(client().read(known.clone()))).collect();
        Self { acme, answers, stop, writers, readers }
    }

    /// Waits until so many users more were created.
    pub(super) async fn created(&self, more: usize) {
        let enough = self.answers.count(201) + more;
        let patience = Instant::now() + Duration::from_secs(60);
        while self.answers.count(201) < enough {
            assert!(!self.writers.iter().any(JoinHandle::is_finished), "a writer has given up");
            assert!(Instant::now() < patience, "nothing is created any more");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the work, and looks for everything that anybody was told.
    pub(super) async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for reader in self.readers {
            reader.await.unwrap();
        }
        let (acme, mut users, mut patches) = (&self.acme, 1, 0);
        for writer in self.writers {
            let told = writer.await.unwrap();
            for (id, title, decision) in &told.created {
                let found = acme.get(&format!("/Users/{id}")).await.expect_status(200).body;
                assert_eq!(found["title"].as_str(), title.as_deref(), "{found:#}");
                assert_eq!(acme.decision(decision).await["outcome"], "allowed");
                patches += usize::from(title.is_some());
            }
            for name in &told.taken {
                let found = acme.query("/Users", &[("filter", &format!("userName eq \"{name}\""))]).await;
                assert_eq!(found.expect_status(200).body["totalResults"], 1, "{name}");
            }
            for decision in &told.refused {
                assert_eq!(acme.decision(decision).await["outcome"], "denied");
            }
            users += told.created.len() + told.taken.len();
        }
        // There is nothing else, and each change is in the log once: what was repeated was not done twice.
        let stored = acme.query("/Users", &[("count", "0")]).await.expect_status(200).body["totalResults"].clone();
        assert_eq!(stored, users);
        assert_eq!(allowed(acme).await, users + patches);
    }
}

/// How many changes the log has.
async fn allowed(acme: &TenantClient) -> usize {
    let (mut allowed, mut cursor) = (0, String::new());
    loop {
        let path = acme.api_path(&format!("/decisions?verdict=allowed&limit=1000{cursor}"));
        let page = acme.admin.get(&path).await.expect_status(200).body;
        allowed += page["decisions"].as_array().map_or(0, Vec::len);
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return allowed,
        }
    }
}

/// One of them.
struct Client {
    acme: TenantClient,
    answers: Arc<Answers>,
    stop: Arc<AtomicBool>,
}

impl Client {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Sends until the answer is another than 503; how often it was sent.
    async fn insist(&self, method: Method, path: &str, body: &Value) -> (Response, usize) {
        for sent in 1.. {
            let asked = Instant::now();
            let request = self.acme.scim.request(method.clone(), &self.acme.scim_path(path));
            let request = if body.is_null() { request } else { request.json(body) };
            let answer = self.acme.scim.send(request).await;
            self.answers.note(asked, answer.status);
            if answer.status != 503 {
                return (answer, sent);
            }
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            tokio::time::sleep(PAUSE).await;
        }
        unreachable!("there is always another try")
    }

    /// Creates users, of whom each third breaks the constraint and each fourth gets a title.
    async fn write(self, number: usize) -> Told {
        let mut told = Told::default();
        for n in 0.. {
            if self.is_over() {
                break;
            }
            let name = format!("user-{number}-{n}");
            let mut body = user(&name);
            if n % 3 == 0 {
                body["emails"] = json!([{ "value": "someone@elsewhere.org" }]);
            }
            let (answer, sent) = self.insist(Method::POST, "/Users", &body).await;
            let decision = answer.decision_id();
            match (answer.status, decision) {
                (201, Some(decision)) => {
                    let title = if n % 4 == 1 { Some(self.name_again(&answer.id(), n).await) } else { None };
                    told.created.push((answer.id(), title, decision));
                }
                (400, Some(decision)) if n % 3 == 0 => told.refused.push(decision),
                (409, _) if sent > 1 && answer.body["scimType"] == "uniqueness" => told.taken.push(name),
                _ => panic!("unexpected status {}: {:#}", answer.status, answer.body),
            }
        }
        told
    }

    async fn name_again(&self, id: &str, n: usize) -> String {
        let title = format!("number {n}");
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [patch_op("replace", "title", json!(title))],
        });
        let (answer, _) = self.insist(Method::PATCH, &format!("/Users/{id}"), &body).await;
        assert_eq!(answer.expect_status(200).body["title"], title);
        title
    }

    /// Reads one user, by id and by name.
    async fn read(self, known: String) {
        while !self.is_over() {
            let (found, _) = self.insist(Method::GET, &format!("/Users/{known}"), &Value::Null).await;
            assert_eq!(found.expect_status(200).body["userName"], "known");
            let (found, _) = self.insist(Method::GET, "/Users?filter=userName+eq+%22known%22", &Value::Null).await;
            assert_eq!(found.expect_status(200).body["totalResults"], 1);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
