//! Guests against the sandbox. Each is written down as a core module, a few lines of it per test, and made a component
//! by [`guest`]; [`world`] has the operation that they judge and the directory that they look into.

mod components;
mod determinism;
mod differences;
mod documents;
mod faults;
mod guest;
mod hostile;
mod limits;
mod look_ups;
mod neighbours;
mod residue;
mod rewriting;
mod storage;
mod tables;
mod uploads;
mod world;
