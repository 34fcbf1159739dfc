//! Deterministic simulation: one storage service, several edges, senders and clients in one process, on a network
//! and a disk that break, under a clock that jumps from event to event. What a history does follows from its seed
//! alone; what must hold is checked throughout and at its end. See `docs/simulation.md`.
//!
//! The parts under test are the real ones: [`service::App`] with everything behind it (deposit stream, scheduler,
//! claims, sweeper, jobs) over [`storage::MemoryStore`], whose syncs are simulated; `sip_edge::App` and
//! `controlling_edge::App` with everything before it; [`storage_client`] between them; [`sip::transaction`] in senders
//! and clients, `net::msrp` in clients. Played are the network ([`network`]), the disk ([`disk`]), people ([`sender`],
//! [`client`]) and bad luck ([`misfortune`]).
//!
//! It is deterministic because each history has a process to itself ([`runner`]) with one thread, a runtime whose
//! time is paused and advances only when nothing else is left to do, one random generator made from the seed, and
//! no randomness or clock of the operating system (`shim/determinism.c`).

pub mod agent;
pub mod client;
pub mod clock;
pub mod disk;
pub mod edge_host;
pub mod history;
pub mod ledger;
pub mod misfortune;
pub mod network;
pub mod observer;
pub mod past;
pub mod plant;
pub mod runner;
pub mod sender;
pub mod store_host;
pub mod trace;
pub mod world;
