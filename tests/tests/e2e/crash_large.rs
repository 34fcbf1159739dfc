//! Kill -9 and power cuts in the middle of uploads: nothing acknowledged is lost, nothing is half visible,
//! no Message-ID is used twice, no octets without a message are left (STO-10, P2, P6).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proto::v1::PartKind;
use restante_tests::load::by_call_id;
use restante_tests::patience::{START, eventually};
use restante_tests::rounds::rounds;
use restante_tests::run;
use restante_tests::shim::Shim;
use restante_tests::uploads::{Stored, Uploads, octets_of, upload_without_end};
use restante_tests::{Deployment, Part, uri};

/// Deaths in one test.
const ROUNDS: usize = 12;
/// Uploads at a time.
const UPLOADERS: usize = 4;

struct Crashes {
    deployment: Deployment,
    uploads: Uploads,
    /// What was found stored before: Message-IDs by Call-ID.
    known: BTreeMap<String, String>,
}

impl Crashes {
    async fn start(deployment: Deployment) -> Self {
        let uploads = Uploads::start(deployment.address("storage.listen"), UPLOADERS);
        Self {
            deployment,
            uploads,
            known: BTreeMap::new(),
        }
    }

    /// Kills the store after so many more messages and brings it back; what is wrong with it then.
    async fn die(&mut self, messages: usize, meanwhile: impl FnOnce()) -> Vec<String> {
        self.uploads.more(messages).await;
        self.deployment.kill(Part::Storage).await;
        self.uploads.rest();
        let promised = self.uploads.promised();
        meanwhile();
        self.deployment.launch(Part::Storage).await;
        self.wrong(&promised).await
    }

    /// Promised messages that are missing or have another Message-ID, and any with other octets than
    /// were sent.
    async fn wrong(&mut self, promised: &Stored) -> Vec<String> {
        let operator = self.deployment.operator();
        let stored = by_call_id(&operator.list("").await);
        let mut wrong = Vec::new();
        for (call_id, id) in promised.iter().chain(&self.known) {
            if stored.get(call_id) != Some(id) {
                wrong.push(format!("{call_id} was {id}, is {:?}", stored.get(call_id)));
            }
        }
        for (call_id, id) in &stored {
            let is_new = !self.known.contains_key(call_id);
            if is_new && operator.part(id, PartKind::SendBody).await != octets_of(call_id) {
                wrong.push(format!("{call_id} has other octets"));
            }
        }
        let distinct: BTreeSet<&String> = stored.values().collect();
        assert_eq!(distinct.len(), stored.len(), "a Message-ID is used twice");
        self.known = stored;
        wrong
    }

    /// Ends it all; the store must be sound, and each message have its octets still.
    async fn finish(mut self, data: &Path) {
        self.uploads.end().await;
        self.known.clear();
        assert_eq!(self.wrong(&self.uploads.promised()).await, [""; 0]);
        self.deployment.kill(Part::Storage).await;
        let checked = check(data).await;
        assert!(checked.contains("the store is sound"), "{checked}");
    }
}

/// What `restante storage check` says of a store that is stopped.
async fn check(data: &Path) -> String {
    let mut command = run::command("restante");
    command.args(["storage", "check"]);
    command.env("RESTANTE_STORAGE__DATA_DIR", data);
    run::run(command).await.done().output
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sto_10_kill_9_in_the_middle_of_uploads_loses_nothing() {
    let deployment = Deployment::two_processes().start().await;
    let data = deployment.data();
    let mut crashes = Crashes::start(deployment).await;
    for round in 0..rounds(ROUNDS) {
        let wrong = crashes.die(1 + round * 5 % 7, || {}).await;
        assert_eq!(wrong, [""; 0], "round {round}");
    }
    crashes.finish(&data).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sto_10_a_power_cut_in_the_middle_of_uploads_loses_nothing() {
    let shim = Shim::new();
    let deployment = shim.under(Deployment::two_processes()).start().await;
    let mut crashes = Crashes::start(deployment).await;
    for round in 0..rounds(ROUNDS) {
        let wrong = crashes.die(1 + round * 5 % 7, || shim.cut_power()).await;
        assert_eq!(wrong, [""; 0], "round {round}");
    }
    crashes.finish(&shim.data()).await;
}

/// The proof of the proof: the test above sees a loss where there is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_large_messages_if_syncs_are_only_pretended() {
    let shim = Shim::new();
    let deployment = shim.under(Deployment::two_processes()).start().await;
    let mut crashes = Crashes::start(deployment).await;
    crashes.uploads.more(1).await;
    shim.ignore_syncs();
    let cut = || {
        shim.cut_power();
        shim.mend();
    };
    assert_ne!(crashes.die(10, cut).await, [""; 0]);
}

async fn counted(deployment: &Deployment, name: &str, least: u64) {
    eventually(START, name, async || {
        let count = deployment.counter(Part::Storage, name).await;
        (count >= least).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sto_10_octets_of_an_upload_that_died_with_the_store_are_swept() {
    let mut deployment = Deployment::two_processes().start().await;
    let storage = deployment.address("storage.listen");
    let octets = vec![b'x'; 16 << 20];
    let uploading = tokio::spawn(async move {
        upload_without_end(storage, &uri("bob"), &octets).await;
    });
    // Of these, no more than 8 MiB are not on disk.
    counted(&deployment, "restante_upload_bytes_total", 12 << 20).await;
    deployment.kill(Part::Storage).await;
    uploading.await.expect("it has only ended");
    deployment.launch(Part::Storage).await;
    counted(&deployment, "restante_uploads_forgotten_total", 1).await;
    deployment.terminate(Part::Storage).await;
    let left = check(&deployment.data()).await;
    assert!(left.contains("the store is sound"), "{left}");
    assert!(!left.contains("unfinished"), "{left}");
}
