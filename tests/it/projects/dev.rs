//! `scruple plugin dev`: what is saved is built and judged, until Ctrl-C.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Project, program, root};

/// A round takes less than a second; a machine under load takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command, killed when dropped, and what it says: a line of JSON a round.
struct Dev {
    child: Child,
    rounds: Receiver<Value>,
}

impl Dev {
    fn start(project: &Project) -> Self {
        let mut command = Command::new(program());
        command.args(["plugin", "dev", "--json"]).current_dir(&project.folder).stdout(Stdio::piped());
        let mut child = command.env("SCRUPLE_TOOLS", root().join("target/tools")).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (said, rounds) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // Nobody listens any more when the test is over.
                let _ = said.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, rounds }
    }

    #[track_caller]
    fn round(&self) -> Value {
        self.rounds.recv_timeout(PATIENCE).unwrap_or_else(|lost| panic!("no round came: {lost}"))
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_is_saved_is_built_and_judged_until_ctrl_c() {
    let project = Project::new("c", "");
    let mut dev = Dev::start(&project);
    let first = dev.round();
    assert_eq!((&first["tested"]["passed"], &first["tested"]["failed"]), (&2.into(), &0.into()), "{first}");

    project.replace("src/rule.c", "if (behind == 0) return false;", "if (behind != 0) return false;");
    let broken = dev.round();
    assert_eq!(broken["tested"]["failed"], 1, "{broken}");
    assert_ne!(broken["built"]["digest"], first["built"]["digest"]);

    project.replace("src/rule.c", "if (behind != 0) return false;", "if (behind != 0) return;");
    assert!(dev.round()["error"].as_str().unwrap().contains("cannot compile"));

    project.replace("src/rule.c", "if (behind != 0) return;", "if (behind == 0) return false;");
    fs::write(project.folder.join("fixtures/an-address-elsewhere/expected.json"), "{").unwrap();
    let torn = dev.round();
    assert!(torn["error"].as_str().unwrap().contains("expected.json"), "{torn}");

    let new = project.folder.join("fixtures/an-address-elsewhere/expected.json");
    fs::write(new, r#"{ "verdict": "deny", "reasons": ["foreign-domain"] }"#).unwrap();
    assert_eq!(dev.round()["tested"]["passed"], 2);

    kill_process(Pid::from_child(&dev.child), Signal::INT).unwrap();
    assert_eq!(dev.child.wait().unwrap().code(), Some(0));
    assert!(dev.rounds.recv_timeout(PATIENCE).is_err(), "a round that nobody asked for");
}
