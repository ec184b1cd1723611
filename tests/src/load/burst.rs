//! Requests sent by a number of clients, each one after the other, and what they took.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::load::target::{Answer, Endpoint, Request};

/// What came of a burst.
pub(super) struct Spent {
    /// With the number each request was given, in no order.
    pub(super) answers: Vec<(usize, Answer)>,
    /// From the first request to the last answer.
    pub(super) elapsed: Duration,
}

impl Spent {
    /// Milliseconds of every answer.
    pub(super) fn milliseconds(&self) -> Vec<f64> {
        self.answers.iter().map(|(_, answer)| answer.took.as_secs_f64() * 1e3).collect()
    }

    /// Of the answers that are no success the one with the highest status: a failure (5xx) before what is the client's.
    pub(super) fn refusal(&self) -> Option<&Answer> {
        let refusals = self.answers.iter().map(|(_, answer)| answer).filter(|answer| !answer.is_success());
        refusals.max_by_key(|answer| answer.status)
    }
}

/// Sends the requests, which are made before the clock starts. After `time_max` no further one is sent.
pub(super) async fn burst(
    endpoint: &Endpoint,
    requests: Vec<(usize, Request)>,
    clients: usize,
    time_max: Option<Duration>,
) -> anyhow::Result<Spent> {
    let mut shares: Vec<Vec<(usize, Request)>> = (0..clients).map(|_| Vec::new()).collect();
    for (place, request) in requests.into_iter().enumerate() {
        shares[place % clients].push(request);
    }
    let endpoint = Arc::new(endpoint.clone());
    let started = Instant::now();
    let sending: Vec<_> = shares
        .into_iter()
        .map(|share| {
            let endpoint = Arc::clone(&endpoint);
            tokio::spawn(async move {
                let mut answers = Vec::with_capacity(share.len());
                for (number, request) in share {
                    if time_max.is_some_and(|most| started.elapsed() > most) {
                        break;
                    }
                    answers.push((number, endpoint.ask(request).await?));
                }
                anyhow::Ok(answers)
            })
        })
        .collect();
    let mut answers = Vec::new();
    for client in sending {
        answers.extend(client.await??);
    }
    Ok(Spent { answers, elapsed: started.elapsed() })
}
