//! Requirements §5.7: messages to lists and groups, in pager mode.

use proto::v1::{Group, GroupMember, Job, JobState};
use restante_tests::sip::{Arrival, Exchange, RequestText, SipText, Transport, Way, fresh};
use restante_tests::{Deployment, Part, Scene, uri};

/// Type of a list.
pub(crate) const LISTS: &str = "application/resource-lists+xml";

/// A controlling edge behind the core, and the core's connection to it.
pub(crate) struct Controlling {
    pub(crate) scene: Scene,
    pub(crate) way: Way,
    pub(crate) factory: String,
}

impl Controlling {
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let plan = settings
            .iter()
            .fold(Deployment::all(), |plan, (key, value)| plan.set(key, value));
        Self::of(Scene::start(plan).await).await
    }

    pub(crate) async fn of(scene: Scene) -> Self {
        let address = scene.deployment.address("controlling-edge.listen_tcp");
        let way = scene.core.way(Transport::Tcp, address).await;
        Self {
            scene,
            way,
            factory: format!("sip:im-factory@{address}"),
        }
    }

    /// The edge has a new process: connects to it.
    pub(crate) async fn reconnect(&mut self) {
        let address = self.scene.deployment.address("controlling-edge.listen_tcp");
        self.way = self.scene.core.way(Transport::Tcp, address).await;
    }

    pub(super) async fn call(&mut self, request: &RequestText) -> Exchange {
        self.scene.core.call(&self.way, request).await
    }

    pub(crate) async fn status(&mut self, request: &RequestText) -> u16 {
        let response = self.call(request).await.response;
        response.status().expect("a response")
    }

    /// Has a message accepted.
    pub(super) async fn accepted(&mut self, request: &RequestText) -> SipText {
        let response = self.call(request).await.response;
        assert_eq!(response.status(), Some(202), "{response}");
        response
    }

    /// The next copy for a user, not answered yet.
    pub(super) async fn copy(&mut self, user: &str) -> Arrival {
        self.scene.core.request("MESSAGE", &uri(user)).await
    }

    /// Takes the next copy for a user with this status.
    pub(super) async fn take(&mut self, user: &str, status: &str) -> SipText {
        let arrival = self.copy(user).await;
        self.scene.core.answer(&arrival, status, &[], "").await;
        arrival.text
    }

    /// How many copies for a user nobody has asked for.
    pub(super) fn further(&mut self, user: &str) -> usize {
        let start_line = format!("MESSAGE {} SIP/2.0", uri(user));
        self.scene
            .core
            .count(|text| text.start_line() == start_line)
    }

    /// Returns when what was accepted before has had its turn: a later message of the same sender has come.
    pub(crate) async fn fence(&mut self) {
        let user = format!("fence-{}", fresh());
        let request = self.to(&[entry(&user, "to")]);
        self.accepted(&request).await;
        self.take(&user, "200 OK").await;
    }

    /// The job of a copy, once each of its legs has an outcome.
    pub(crate) async fn ended_job(&mut self, copy: &SipText) -> Job {
        let number = copy.field("Call-ID").split('-').nth(1);
        let number = number.and_then(|number| number.parse().ok());
        let number = number.expect("cf-JOB-INDEX@HOST");
        for _ in 0..50 {
            let job = self.scene.operator.job(number).await;
            if job.state() != JobState::Running {
                return job;
            }
            self.fence().await;
        }
        panic!("job {number} runs")
    }

    /// The example of §2.7 to these entries.
    pub(super) fn to(&self, entries: &[String]) -> RequestText {
        message(&format!("{};sessiontype=adhoc", self.factory))
            .line("Require: recipient-list-message")
            .body("multipart/mixed;boundary=\"gm1\"", with_list(entries))
    }

    pub(crate) async fn group(&self, members: &[&str], change: impl FnOnce(&mut Group)) -> String {
        let mut group = Group {
            uri: uri(&format!("team-{}", fresh())),
            members: members
                .iter()
                .map(|member| GroupMember {
                    uri: uri(member),
                    display_name: String::new(),
                })
                .collect(),
            ..Group::default()
        };
        change(&mut group);
        self.scene.operator.create_group(group).await.uri
    }
}

/// A MESSAGE of Alice to this URI, as the core sends it.
pub(super) fn message(to: &str) -> RequestText {
    let head = format!(
        "MESSAGE {to} SIP/2.0
        Via: {{hop}}
        Via: SIP/2.0/TCP 198.51.100.7:5062;branch=z9hG4bK-a-0200
        Max-Forwards: 68
        From: \"Alice\" <sip:alice@example.org>;tag={}
        To: <{to}>
        Call-ID: {}@198.51.100.7
        CSeq: 1 MESSAGE
        Accept-Contact: *;+g.oma.sip-im
        User-Agent: IM-client/OMA1.0 AcmeIM/3.2
        P-Asserted-Identity: \"Alice\" <sip:alice@example.org>
        Content-Type: text/plain
        Content-Length: 0",
        fresh(),
        fresh()
    );
    RequestText::new(&head).body("text/plain;charset=utf-8", "Stand-up moved to 10:30.")
}

pub(crate) fn entry(user: &str, copy_control: &str) -> String {
    format!(
        "<entry uri=\"{}\" cp:copyControl=\"{copy_control}\"/>",
        uri(user)
    )
}

pub(crate) fn list(inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<resource-lists \
         xmlns=\"urn:ietf:params:xml:ns:resource-lists\" xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\">\
         <list>{inside}</list></resource-lists>"
    )
}

fn with_list(entries: &[String]) -> String {
    let list = list(&entries.concat());
    format!(
        "--gm1\r\nContent-Type: text/plain;charset=utf-8\r\n\r\nStand-up moved to 10:30.\r\n--gm1\r\n\
         Content-Type: {LISTS}\r\nContent-Disposition: recipient-list\r\n\r\n{list}\r\n--gm1--\r\n"
    )
}

pub(crate) fn people(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("p{number}-{}", fresh()))
        .collect()
}

#[tokio::test]
async fn ct_cfp_01_each_recipient_gets_one_copy_and_the_sender_none() {
    let mut cf = Controlling::start(&[]).await;
    let people = people(3);
    let entries: Vec<_> = people
        .iter()
        .zip(["to", "cc", "bcc"])
        .map(|(user, copies)| entry(user, copies))
        .collect();
    let request = cf.to(&[entries, vec![entry("alice", "to")]].concat());
    cf.accepted(&request).await;
    for user in &people {
        cf.take(user, "200 OK").await;
    }
    cf.fence().await;
    for user in people.iter().map(String::as_str).chain(["alice"]) {
        assert_eq!(cf.further(user), 0, "{user}");
    }
}

#[tokio::test]
async fn ct_cfp_02_03_a_copy_is_in_the_name_of_the_sender_and_tells_who_else_got_it() {
    let mut cf = Controlling::start(&[]).await;
    let people = people(3);
    let [bob, carol, dave] = people.as_slice() else {
        panic!("three")
    };
    let request = cf.to(&[entry(bob, "to"), entry(carol, "cc"), entry(dave, "bcc")]);
    let response = cf.accepted(&request).await;
    assert!(
        response
            .field("P-Asserted-Identity")
            .starts_with("<sip:im-store@")
    );
    let mut call_ids = Vec::new();
    for user in &people {
        let copy = cf.take(user, "202 Accepted").await;
        assert_eq!(copy.field("To"), format!("<{}>", uri(user)));
        let from = copy.field("From");
        assert!(
            from.starts_with("\"Alice\" <sip:alice@example.org>;tag="),
            "{copy}"
        );
        assert_ne!(from, request.field("From"));
        assert_eq!(copy.field("Accept-Contact"), "*;+g.oma.sip-im;explicit");
        assert_eq!(
            copy.field("P-Asserted-Identity"),
            "\"Alice\" <sip:alice@example.org>"
        );
        assert_eq!(copy.field("Max-Forwards"), "67");
        assert!(copy.field("Via").contains(";branch=z9hG4bK-rsg-"), "{copy}");
        assert_eq!(copy.find("Require"), None);
        let body = String::from_utf8_lossy(copy.body()).into_owned();
        assert!(
            body.contains("\r\n\r\nStand-up moved to 10:30.\r\n--"),
            "{body}"
        );
        assert!(
            body.contains("recipient-list-history; handling=optional"),
            "{body}"
        );
        assert!(
            !body.contains("Content-Disposition: recipient-list\r\n"),
            "{body}"
        );
        assert!(
            body.contains(bob.as_str()) && body.contains(carol.as_str()),
            "{body}"
        );
        assert!(!body.contains(dave.as_str()), "{body}");
        call_ids.push(copy.field("Call-ID").to_owned());
    }
    call_ids.sort();
    call_ids.dedup();
    assert_eq!(call_ids.len(), 3);
}

#[tokio::test]
async fn ct_sto_04_a_job_leaves_no_gap_in_the_message_ids() {
    let mut cf = Controlling::start(&[]).await;
    let number = |id: &str| -> u64 {
        let number = id.split('@').next().expect("a part before the host");
        number.parse().expect("decimal")
    };
    let first = cf.scene.deposit_text("bob", "one").await;
    let group = cf.group(&["carol", "alice"], |_| ()).await;
    cf.accepted(&message(&group)).await;
    cf.take("carol", "200 OK").await;
    let second = cf.scene.deposit_text("bob", "two").await;
    assert_eq!(number(&second.message_id), number(&first.message_id) + 1);
}

#[tokio::test]
async fn ct_cfp_04_lists_can_be_switched_off() {
    let mut cf = Controlling::start(&[("cf.lists", "false")]).await;
    let request = cf.to(&[entry("bob", "to")]);
    assert_eq!(cf.status(&request).await, 403);
}

#[tokio::test]
async fn ct_cfp_05_unknown_groups_and_factories_without_a_list() {
    let mut cf = Controlling::start(&[]).await;
    let nowhere = message(&uri(&format!("team-{}", fresh())));
    assert_eq!(cf.status(&nowhere).await, 404);
    let without = message(&cf.factory.clone());
    assert_eq!(cf.status(&without).await, 400);
}

#[tokio::test]
async fn ct_cfp_06_only_members_whom_the_core_vouches_for_send_to_a_group() {
    let mut cf = Controlling::start(&[]).await;
    let group = cf.group(&["bob", "carol"], |_| ()).await;
    assert_eq!(
        cf.status(&message(&group).without("P-Asserted-Identity"))
            .await,
        403
    );
    assert_eq!(cf.status(&message(&group)).await, 403);
    let open = cf
        .group(&["bob"], |group| group.non_members_may_send = true)
        .await;
    cf.accepted(&message(&open)).await;
    cf.take("bob", "200 OK").await;
}

#[tokio::test]
async fn ct_cfp_07_anonymity_is_for_the_group_to_allow() {
    let mut cf = Controlling::start(&[]).await;
    let bob = format!("bob-{}", fresh());
    let members = ["alice", bob.as_str()];
    let closed = cf.group(&members, |_| ()).await;
    let anonymous = |group: &str| message(group).line("Privacy: id");
    assert_eq!(cf.status(&anonymous(&closed)).await, 403);
    let open = cf
        .group(&members, |group| group.allow_anonymity = true)
        .await;
    cf.accepted(&anonymous(&open)).await;
    let copy = cf.take(&bob, "200 OK").await;
    assert!(
        copy.field("From")
            .starts_with("\"Alice\" <sip:alice@example.org>")
    );
    // The core is of the trust domain: it is told, and told to keep it.
    assert_eq!(copy.field("Privacy"), "id");
    assert!(copy.find("P-Asserted-Identity").is_some(), "{copy}");
}

#[tokio::test]
async fn ct_err_05_a_group_that_is_not_there_is_told_before_anything_of_the_sender() {
    let mut cf = Controlling::start(&[]).await;
    let nowhere = message(&uri(&format!("team-{}", fresh()))).line("Privacy: id");
    assert_eq!(cf.status(&nowhere).await, 404);
    let group = cf.group(&["bob"], |_| ()).await;
    assert_eq!(cf.status(&message(&group).line("Privacy: id")).await, 403);
}

#[tokio::test]
async fn ct_cfp_08_each_member_of_a_group_gets_a_copy_as_it_was_sent() {
    let mut cf = Controlling::start(&[]).await;
    let people = people(3);
    let mut members: Vec<&str> = people.iter().map(String::as_str).collect();
    members.push("alice");
    let group = cf.group(&members, |_| ()).await;
    cf.accepted(&message(&group)).await;
    for user in &people {
        let copy = cf.take(user, "200 OK").await;
        assert_eq!(copy.body(), b"Stand-up moved to 10:30.");
        assert_eq!(copy.field("Content-Type"), "text/plain;charset=utf-8");
    }
    cf.fence().await;
    assert_eq!(cf.further("alice"), 0);
}

#[tokio::test]
async fn ct_cfp_09_nothing_is_sent_while_members_cannot_be_found_out() {
    let scene = Scene::start(Deployment::three_processes()).await;
    let mut cf = Controlling::of(scene).await;
    let group = cf.group(&["alice", "bob"], |_| ()).await;
    cf.scene.deployment.kill(Part::Storage).await;
    let response = cf.call(&message(&group)).await.response;
    assert_eq!(response.status(), Some(500), "{response}");
    assert!(response.find("Retry-After").is_some(), "{response}");
    cf.scene.deployment.launch(Part::Storage).await;
    cf.scene.deployment.ready(Part::ControllingEdge).await;
    assert_eq!(cf.further("bob"), 0);
}

#[tokio::test]
async fn ct_cfp_10_two_spellings_of_one_recipient_are_one() {
    let mut cf = Controlling::start(&[]).await;
    let bob = format!("bob-{}", fresh());
    let entries = [
        entry(&bob, "to"),
        format!("<entry uri=\"sip:{bob}@EXAMPLE.org:5060\"/>"),
        format!("<entry uri=\"sips:{bob}@example.org;transport=tcp\"/>"),
        "<entry uri=\"sip:alice@EXAMPLE.ORG\"/>".to_owned(),
    ];
    let request = cf.to(&entries);
    cf.accepted(&request).await;
    cf.take(&bob, "200 OK").await;
    cf.fence().await;
    let others = cf.scene.core.count(|text| text.start_line().contains(&bob));
    assert_eq!((others, cf.further("alice")), (0, 0));
}

#[tokio::test]
async fn ct_cfp_11_lists_that_are_too_long_empty_or_broken() {
    let mut cf = Controlling::start(&[]).await;
    let many: Vec<_> = people(101).iter().map(|user| entry(user, "to")).collect();
    for (entries, status) in [
        (many, 403),
        (Vec::new(), 400),
        (vec!["<entry uri=\"sip:bob@example.org\">".to_owned()], 400),
        (vec!["<entry/>".to_owned()], 400),
        (vec!["<entry uri=\"&a;\"/>".to_owned()], 400),
        (vec!["<entry uri=\"a:b\"/>".repeat(3_000)], 403),
    ] {
        let response = cf.call(&cf.to(&entries)).await.response;
        assert_eq!(response.status(), Some(status), "{entries:?}");
        assert!(response.field("Warning").starts_with("399 "), "{response}");
    }
}

#[tokio::test]
async fn ct_cfp_12_a_recipient_who_fails_holds_up_nobody() {
    let mut cf = Controlling::start(&[]).await;
    let people = people(3);
    let entries: Vec<_> = people.iter().map(|user| entry(user, "to")).collect();
    let request = cf.to(&entries);
    cf.accepted(&request).await;
    cf.take(&people[1], "404 Not Found").await;
    cf.take(&people[2], "200 OK").await;
    let first = cf.take(&people[0], "500 Server Internal Error").await;
    cf.take(&people[0], "500 Server Internal Error").await;
    let third = cf.take(&people[0], "200 OK").await;
    assert_eq!(same_but_for_vias(&first), same_but_for_vias(&third));
    let job = cf.ended_job(&first).await;
    assert_eq!((job.delivered, job.failed, job.pending), (2, 1, 0));
    assert_eq!(job.state(), JobState::Completed);
    assert_eq!(cf.further(&people[1]), 0);
}

/// A copy without the lines that belong to one try.
fn same_but_for_vias(copy: &SipText) -> String {
    let text = copy.to_string();
    let lines = text.split_inclusive("\r\n");
    lines.filter(|line| !line.starts_with("Via:")).collect()
}

#[tokio::test]
async fn ct_cfp_13_what_was_accepted_outlives_any_process() {
    let scene = Scene::start(Deployment::three_processes()).await;
    let mut cf = Controlling::of(scene).await;
    let people = people(5);
    let entries: Vec<_> = people.iter().map(|user| entry(user, "bcc")).collect();
    let request = cf.to(&entries);
    cf.accepted(&request).await;
    cf.scene.deployment.kill(Part::ControllingEdge).await;
    cf.scene.deployment.kill(Part::Storage).await;
    cf.scene.deployment.launch(Part::Storage).await;
    cf.scene.deployment.launch(Part::ControllingEdge).await;
    for user in &people {
        // One may have left before the kill, and be repeated.
        let copy = cf.take(user, "200 OK").await;
        let call_id = copy.field("Call-ID");
        assert!(call_id.starts_with("cf-"), "{copy}");
        let of_another = cf.scene.core.count(|text| {
            text.start_line().contains(user.as_str()) && text.find("Call-ID") != Some(call_id)
        });
        assert_eq!(of_another, 0, "{user}");
    }
}

#[tokio::test]
async fn ct_cfp_14_the_parameters_of_the_factory_change_nothing() {
    let mut cf = Controlling::start(&[]).await;
    for parameter in [";session=imgroup", ";sessiontype=adhoc", ""] {
        let bob = format!("bob-{}", fresh());
        let request = cf.to(&[entry(&bob, "to")]);
        let line = format!("MESSAGE {}{parameter} SIP/2.0", cf.factory);
        cf.accepted(&request.start_line(&line)).await;
        cf.take(&bob, "200 OK").await;
    }
}

#[tokio::test]
async fn ct_cfp_15_extensions_that_are_not_known() {
    let mut cf = Controlling::start(&[]).await;
    let request = cf.to(&[entry("bob", "to")]).set("Require", "foo");
    let response = cf.call(&request).await.response;
    assert_eq!(response.status(), Some(420));
    assert_eq!(response.field("Unsupported"), "foo");
}

#[tokio::test]
async fn ct_cfp_16_a_sender_who_asked_is_told_of_each_recipient() {
    let mut cf = Controlling::start(&[]).await;
    let bob = format!("bob-{}", fresh());
    let group = cf.group(&["alice", &bob], |_| ()).await;
    let cpim = format!(
        "From: <sip:alice@example.org>\r\nTo: <{group}>\r\nNS: imdn <urn:ietf:params:imdn>\r\n\
         imdn.Message-ID: Xk39s0QpLm2a\r\nimdn.Disposition-Notification: positive-delivery\r\n\r\n\
         Content-Type: text/plain\r\n\r\nhi"
    );
    let request = message(&group).body("message/cpim", cpim);
    cf.accepted(&request).await;
    let copy = cf.take(&bob, "200 OK").await;
    let body = String::from_utf8_lossy(copy.body()).into_owned();
    assert!(
        body.contains(&format!("\r\nTo: <{}>\r\n", uri(&bob))),
        "{body}"
    );
    assert!(
        body.contains("\r\nimdn.Message-ID: Xk39s0QpLm2a\r\n"),
        "{body}"
    );
    assert!(
        body.contains(&format!("\r\nimdn.Original-To: <{group}>\r\n")),
        "{body}"
    );
    assert!(body.ends_with("\r\n\r\nhi"), "{body}");
}

#[tokio::test]
async fn ct_cfp_17_a_hop_that_is_down_costs_no_tries() {
    let scene = Scene::start(Deployment::three_processes()).await;
    let mut cf = Controlling::of(scene).await;
    let people = people(3);
    let entries: Vec<_> = people.iter().map(|user| entry(user, "bcc")).collect();
    let request = cf.to(&entries);
    cf.accepted(&request).await;
    let mut first = None;
    for user in &people {
        let arrival = cf.copy(user).await;
        let wait = ["Retry-After: 1".to_owned()];
        cf.scene
            .core
            .answer(&arrival, "503 Service Unavailable", &wait, "")
            .await;
        first = Some(arrival.text);
    }
    cf.scene.deployment.kill(Part::ControllingEdge).await;
    cf.scene.deployment.launch(Part::ControllingEdge).await;
    cf.reconnect().await;
    for user in &people {
        cf.take(user, "200 OK").await;
    }
    let job = cf.ended_job(&first.expect("three")).await;
    assert_eq!((job.delivered, job.failed), (3, 0));
    for leg in cf.scene.operator.legs(job.job).await {
        assert_eq!(leg.attempts, 1, "{leg:?}");
    }
}

#[tokio::test]
async fn ct_cfp_18_the_feature_tag_is_not_needed_and_foreign_requests_are_not_served() {
    let mut cf = Controlling::start(&[]).await;
    let bob = format!("bob-{}", fresh());
    let request = cf.to(&[entry(&bob, "to")]).without("Accept-Contact");
    cf.accepted(&request).await;
    cf.take(&bob, "200 OK").await;
    let foreign = message("sip:team@far.example.net");
    assert_eq!(cf.status(&foreign).await, 404);
}

#[tokio::test]
async fn ct_cfp_19_copied_fields_and_those_that_stay() {
    let mut cf = Controlling::start(&[]).await;
    let bob = format!("bob-{}", fresh());
    let copied = [
        "Subject: Lunch",
        "Priority: urgent",
        "In-Reply-To: 1@h",
        "Reply-To: <sip:r@example.org>",
        "Organization: O",
        "Call-Info: <http://h/>",
        "Accept-Language: de",
        "Conversation-ID: c1",
        "Contribution-ID: c2",
    ];
    let dropped = [
        "Proxy-Require: x",
        "Record-Route: <sip:192.0.2.1;lr>",
        "P-Served-User: <sip:alice@example.org>",
        "P-Charging-Vector: icid-value=1",
        "Contact: <sip:alice@198.51.100.7>",
        "P-Access-Network-Info: IEEE-802.11",
    ];
    let digest = |realm: &str| {
        format!(
            "Authorization: Digest username=\"a\", realm=\"{realm}\", nonce=\"n\", uri=\"sip:h\", \
             response=\"0123456789abcdef0123456789abcdef\", cnonce=\"c\", qop=auth, nc=00000001"
        )
    };
    let own = [digest("example.org"), digest("far.example.net")];
    let lines = copied
        .iter()
        .chain(&dropped)
        .map(ToString::to_string)
        .chain(own);
    let request = lines.fold(cf.to(&[entry(&bob, "bcc")]), RequestText::line);
    cf.accepted(&request).await;
    let copy = cf.take(&bob, "200 OK").await.to_string();
    for line in copied {
        assert!(copy.contains(&format!("\r\n{line}\r\n")), "{line}\n{copy}");
    }
    for line in dropped {
        let (name, _) = line.split_once(':').expect("a field");
        assert!(!copy.contains(&format!("\r\n{name}:")), "{name}\n{copy}");
    }
    assert_eq!(copy.matches("\r\nAuthorization:").count(), 1, "{copy}");
    assert!(copy.contains("far.example.net"), "{copy}");
}

#[tokio::test]
async fn ct_cfp_20_what_is_no_plain_entry_names_nobody() {
    let mut cf = Controlling::start(&[]).await;
    let people = people(2);
    let entries = [
        format!("<list>{}</list>", entry(&people[1], "to")),
        "<external anchor=\"http://192.0.2.1/list\"/>".to_owned(),
        format!("<entry uri=\"sip:{}@example.org?body=x\"/>", people[0]),
    ];
    let request = cf.to(&entries);
    cf.accepted(&request).await;
    cf.take(&people[0], "200 OK").await;
    cf.fence().await;
    assert_eq!(cf.further(&people[1]), 0);
}

#[tokio::test]
async fn ct_cfp_21_what_would_go_round_ends() {
    let mut cf = Controlling::start(&[]).await;
    let (bob, carol) = (format!("bob-{}", fresh()), format!("carol-{}", fresh()));
    let spent = cf.to(&[entry(&bob, "to")]).set("Max-Forwards", "0");
    assert_eq!(cf.status(&spent).await, 483);
    let inner = cf.group(&["alice", &carol], |_| ()).await;
    let entries = [
        format!("<entry uri=\"{}\"/>", cf.factory),
        format!("<entry uri=\"{inner}\"/>"),
        format!(
            "<entry uri=\"{}\"/>",
            cf.factory.replace("im-factory", "im-store")
        ),
        entry(&bob, "to"),
    ];
    let request = cf.to(&entries);
    cf.accepted(&request).await;
    let copy = cf.copy(&bob).await;
    let returned = restante_tests::sip::example::returned(&copy.text);
    let way = cf.way.clone();
    let back = cf.scene.core.call(&way, &returned).await;
    assert_eq!(back.response.status(), Some(482), "{}", back.response);
    let deferred = cf.scene.call(&returned).await;
    assert_eq!(
        deferred.response.status(),
        Some(202),
        "{}",
        deferred.response
    );
    cf.scene.core.answer(&copy, "202 Accepted", &[], "").await;
    cf.fence().await;
    let of_a_group = format!("MESSAGE {inner} SIP/2.0");
    assert_eq!(
        cf.scene.core.count(|text| text.start_line() == of_a_group),
        0
    );
}

#[tokio::test]
async fn ct_cfp_22_recipients_of_a_sender_and_foreign_ones_are_bounded() {
    let mut cf = Controlling::start(&[("cf.sender_fanout_rate", "10")]).await;
    for expected in [202, 202, 480] {
        let entries: Vec<_> = people(8).iter().map(|user| entry(user, "bcc")).collect();
        let response = cf.call(&cf.to(&entries)).await.response;
        assert_eq!(response.status(), Some(expected), "{response}");
        assert_eq!(response.find("Retry-After").is_some(), expected == 480);
    }
    let foreign = cf.to(&["<entry uri=\"sip:dave@far.example.net\"/>".to_owned()]);
    let response = cf
        .call(&foreign.set("P-Asserted-Identity", "<sip:carol@example.org>"))
        .await;
    assert_eq!(response.response.status(), Some(403));
    assert!(response.response.field("Warning").starts_with("399 "));
}

#[tokio::test]
async fn ct_cfp_23_the_history_is_left_out_where_it_would_not_fit() {
    for (is_safe, has_history) in [("false", false), ("true", true)] {
        let mut cf = Controlling::start(&[("sip.next_hop_congestion_safe", is_safe)]).await;
        let bob = format!("bob-{}", fresh());
        let list = with_list(&[entry(&bob, "to")]);
        let body = list.replace("Stand-up moved to 10:30.", &"x".repeat(500));
        let request = cf.to(&[]).body("multipart/mixed;boundary=\"gm1\"", body);
        cf.accepted(&request).await;
        let copy = cf.take(&bob, "200 OK").await;
        let body = String::from_utf8_lossy(copy.body()).into_owned();
        assert_eq!(
            body.contains("recipient-list-history"),
            has_history,
            "{copy}"
        );
        assert_eq!(copy.to_string().len() > 1_300, has_history, "{copy}");
        assert!(body.contains(&"x".repeat(500)), "{copy}");
    }
}

#[tokio::test]
async fn ct_cfp_24_a_target_has_one_copy_on_its_way_at_a_time() {
    let mut cf = Controlling::start(&[]).await;
    let bob = format!("bob-{}", fresh());
    let (first, second) = (cf.to(&[entry(&bob, "to")]), cf.to(&[entry(&bob, "to")]));
    cf.accepted(&first).await;
    cf.accepted(&second).await;
    let held = cf.copy(&bob).await;
    cf.fence().await;
    assert_eq!(cf.further(&bob), 0, "the first has no answer yet");
    let call_id = held.text.field("Call-ID").to_owned();
    cf.scene.core.answer(&held, "200 OK", &[], "").await;
    let next = cf.take(&bob, "200 OK").await;
    assert_ne!(next.field("Call-ID"), call_id);
}
