//! Work that is finished whoever waits for it: what was judged is recorded, also when the client goes away meanwhile.

use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tokio::task::{JoinError, spawn, spawn_blocking};

/// Values of a request that is carried out on a thread of its own: to plan 5,000 values takes some 5 ms, during which
/// a worker would answer nobody else; the handing over takes some 20 µs.
const LARGE_VALUES_MIN: usize = 5_000;

/// Carries out the work to its end, if it is large on a thread of its own, where the system sees to it that the workers
/// have their share of the processor. What the work holds is dropped there, too.
pub async fn apart<T: Send + 'static>(
    large: bool,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, JoinError> {
    if large {
        let runtime = Handle::current();
        spawn_blocking(move || runtime.block_on(work)).await
    } else {
        spawn(work).await
    }
}

/// Whether it is much work to look at all that a message holds.
pub fn is_large(message: &Map<String, Value>) -> bool {
    let mut left = LARGE_VALUES_MIN;
    message.values().any(|value| exceeds(value, &mut left))
}

/// Counts values down from `left`; nothing is looked at beyond it. As deep as the JSON parser lets messages be.
fn exceeds(value: &Value, left: &mut usize) -> bool {
    let Some(less) = left.checked_sub(1) else { return true };
    *left = less;
    match value {
        Value::Array(values) => values.iter().any(|value| exceeds(value, left)),
        Value::Object(object) => object.values().any(|value| exceeds(value, left)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_large_by_all_the_values_that_it_holds() {
        let message = |members: usize| {
            let members: Vec<Value> = (0..members).map(|number| json!({ "value": number })).collect();
            json!({ "displayName": "Team", "members": members }).as_object().unwrap().clone()
        };
        // The name, the list, and two for each member.
        assert!(!is_large(&message(2_499)));
        assert!(is_large(&message(2_500)));
    }

    #[tokio::test]
    async fn large_work_leaves_the_only_worker_to_others() {
        let (began, beginning) = std::sync::mpsc::channel();
        let (go_on, waiting) = std::sync::mpsc::channel::<()>();
        let work = spawn(apart(true, async move {
            began.send(()).unwrap();
            waiting.recv().unwrap();
            7
        }));
        // This runtime has one thread: were the work on it, nothing here would be reached.
        tokio::task::yield_now().await;
        beginning.recv().unwrap();
        go_on.send(()).unwrap();
        assert_eq!(work.await.unwrap().unwrap(), 7);
        assert_eq!(apart(false, async { 8 }).await.unwrap(), 8);
    }
}
